"""What a model's answers become: candidates, and the prediction that a strategy makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ambi_tasks.answers import parse_answer

EVIDENCE = ("draw_index", "seed", "log_likelihood", "tokens", "finish_reason", "clip_sha256")
"""What a draw may carry beside its text; a plain string carries none of it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer, read.

    Attributes:
        distribution: Probabilities in the order of the labels, (K,); None where reading failed.
        failure: Name of the failure; None where reading went well.
        repairs: Names of the liberties taken in reading.
        log_likelihood: Natural log of the model's own probability of the answer, where known.
        evidence: What else the draw carries, for the sample log.
    """

    distribution: tuple[float, ...] | None
    failure: str | None = None
    repairs: tuple[str, ...] = ()
    log_likelihood: float | None = None
    evidence: dict[str, Any] | None = None

    def record(self) -> dict[str, Any]:
        """The candidate as JSON-able data for the sample log."""
        return {
            "distribution": self.distribution,
            "failure": self.failure,
            "repairs": list(self.repairs),
            **(self.evidence or {}),
        }


@dataclass(frozen=True, slots=True)
class Prediction:
    """The distribution that counts for one utterance.

    Attributes:
        distribution: Probabilities in the order of the labels, (K,); uniform where no candidate
            could be read.
        answered: Whether any candidate could be read.
    """

    distribution: tuple[float, ...]
    answered: bool


def read_candidate(draw: str, labels: Sequence[str]) -> Candidate:
    """Read one draw.

    Args:
        draw: The answer's text, with its evidence as attributes where the adapter gives it.
        labels: The classes, in the order of every distribution.
    """
    answer = parse_answer(str(draw), labels)
    evidence = {name: getattr(draw, name) for name in EVIDENCE if hasattr(draw, name)}
    return Candidate(
        distribution=answer.distribution,
        failure=answer.failure.value if answer.failure else None,
        repairs=tuple(str(repair) for repair in answer.repairs),
        log_likelihood=evidence.get("log_likelihood"),
        evidence=evidence,
    )
