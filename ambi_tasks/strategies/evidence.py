"""What strategies weigh by, as arrays whose last axis is the candidates."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ambi_tasks.metrics.validation import Flags, Floats
from ambi_tasks.prediction import Candidate

__all__ = ["Evidence", "Flags", "Floats"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of N candidates, of one utterance or of many; each array is (..., N).

    Attributes:
        readable: Whether the candidate could be read; others have no weight, whatever they get.
        log_likelihoods: Natural log of the model's own probability of the answer; NaN where there
            is none.
        has_log_likelihood: Whether there is one; it may be NaN itself.
        tokens: Number of the answer's tokens, NaN where not known.
        scores: A verifier's, NaN where there is none.
    """

    readable: Flags
    log_likelihoods: Floats
    has_log_likelihood: Flags
    tokens: Floats
    scores: Floats

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> "Evidence":
        """The evidence of the candidates of one utterance, each array (N,).

        Args:
            candidates: Read or failed.
        """
        return cls(
            readable=np.array([one.distribution is not None for one in candidates], dtype=bool),
            log_likelihoods=_numbers([one.log_likelihood for one in candidates]),
            has_log_likelihood=np.array(
                [one.log_likelihood is not None for one in candidates], dtype=bool
            ),
            tokens=_numbers([one.tokens for one in candidates]),
            scores=_numbers([one.score for one in candidates]),
        )

    @classmethod
    def stack(cls, utterances: Sequence["Evidence"]) -> "Evidence":
        """The evidence of U utterances, each array (U, N).

        Args:
            utterances: (N,) each, one or more.
        """
        names = [field.name for field in fields(cls)]
        return cls(*(np.stack([getattr(one, name) for one in utterances]) for name in names))

    def __getitem__(self, index: Any) -> "Evidence":
        """The same part of every array, by an index of numpy's."""
        return Evidence(*(getattr(self, field.name)[index] for field in fields(self)))


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
