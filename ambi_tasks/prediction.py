"""What a model's answers become: candidates, and the prediction that a strategy makes of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ambi_tasks.answers import Answer, Failure, Repair, after_reasoning, parse_answer

EVIDENCE = (
    *("draw_index", "seed", "log_likelihood", "sampling_log_likelihood", "tokens"),
    *("finish_reason", "clip_sha256"),
)
"""What a draw may carry beside its text; a plain string carries none of it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer, read.

    Attributes:
        distribution: Probabilities in the order of the labels, (K,); None where reading failed.
        failure: Name of the failure; None where reading went well.
        repairs: Names of the liberties taken in reading.
        log_likelihood: Natural log of the model's own probability of the answer, where known.
        tokens: Number of the answer's tokens, where known.
        score: What a verifier gives it; None without a verifier, or where its verdict could not be
            read.
        verdict_failure: Why the verdict could not be read.
    """

    distribution: tuple[float, ...] | None
    failure: str | None = None
    repairs: tuple[str, ...] = ()
    log_likelihood: float | None = None
    tokens: int | None = None
    score: float | None = None
    verdict_failure: str | None = None


@dataclass(frozen=True, slots=True)
class ReadOut:
    """The model's own probabilities of the labels.

    Attributes:
        log_likelihoods: Natural log of the probability of each label's tokens, (K,).
        tokens: Number of each label's tokens, (K,), None where unknown.
        content_free: The same log-likelihoods on a silent clip, (K,); empty where not asked for.
    """

    log_likelihoods: tuple[float, ...]
    tokens: tuple[int | None, ...]
    content_free: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """The distribution that counts for one utterance.

    Attributes:
        distribution: Probabilities in the order of the labels, (K,); uniform where no candidate
            could be read.
        answered: Whether any candidate could be read.
        spread: Standard deviation of the mixture of the candidates, see `mixture.mixture_spread`;
            None where none could be read.
        weights: What each candidate counts, (N,), sum 1; 0 for those that could not be read.
    """

    distribution: tuple[float, ...]
    answered: bool
    spread: float | None
    weights: tuple[float, ...]


def draw_record(draw: str) -> dict[str, Any]:
    """A draw as JSON-able data: its text, and its evidence where the adapter gives it."""
    evidence = {name: getattr(draw, name) for name in EVIDENCE if hasattr(draw, name)}
    return {"text": str(draw), **evidence}


def was_cut(record: Mapping[str, Any]) -> bool:
    """Whether an answer was ended by the limit on its length.

    Args:
        record: Of `draw_record`.
    """
    return record.get("finish_reason") == "length"


def was_withheld(record: Mapping[str, Any]) -> bool:
    """Whether whoever runs the model withheld an answer.

    Args:
        record: Of `draw_record`.
    """
    return record.get("finish_reason") == "content_filter"


def read_draw(record: Mapping[str, Any], labels: Sequence[str]) -> Candidate:
    """Read one draw.

    Of an answer that was cut, an object with text on both sides may be a draft within the
    reasoning, and a list may lack digits of its last number: such an answer is truncated.

    Args:
        record: Of `draw_record`.
        labels: The classes, in the order of every distribution.
    """
    answer = parse_answer(record["text"], labels)
    if was_withheld(record):
        answer = Answer(None, Failure.WITHHELD)
    if was_cut(record) and answer.distribution is not None and _unfinished(record["text"], answer):
        answer = Answer(None, Failure.TRUNCATED)
    return Candidate(
        distribution=answer.distribution,
        failure=answer.failure.value if answer.failure else None,
        repairs=tuple(str(repair) for repair in answer.repairs),
        log_likelihood=record.get("log_likelihood"),
        tokens=record.get("tokens"),
    )


_BEGINS = re.compile(r"\s*(?:(?:```|~~~)\w{0,20}\s*)?[{\[\uff5b\uff3b]")
_FINISHED = re.compile(r"[}\])\uff5d\uff3d][\s`~]*\Z")


def _unfinished(text: str, answer: Answer) -> bool:
    """Whether what was read of a cut answer may be something else than its end would have been."""
    said = after_reasoning(text) or ""
    if Repair.PLAIN_LIST in answer.repairs:
        return True
    begins = Repair.SEVERAL_OBJECTS not in answer.repairs and _BEGINS.match(said)
    return not (begins or _FINISHED.search(said[-100:]))
