"""A draw: an answer's text that carries its evidence; and a scored answer that does."""

from typing import Any


class Draw(str):
    """One answer; a string, as the harness wants it, with the evidence as attributes.

    Attributes:
        draw_index: Which draw of its pool it is, from 0.
        seed: The seed of its decoding.
        log_likelihood: See `backend.Answer`.
        tokens: See `backend.Answer`.
        finish_reason: See `backend.Answer`.
        sampling_log_likelihood: See `backend.Answer`.
        clip_sha256: Hash of what was heard, None for a question without sound.
    """

    __slots__ = ("__dict__",)

    draw_index: int
    seed: int
    log_likelihood: float | None
    tokens: int | None
    finish_reason: str
    sampling_log_likelihood: float | None
    clip_sha256: str | None

    def __new__(cls, text: str, **evidence: Any) -> "Draw":
        """Attach the evidence, given by the attributes' names, to the text."""
        draw = super().__new__(cls, text)
        draw.__dict__.update(evidence)
        return draw

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (str(self), dict(self.__dict__))


def _rebuild(text: str, evidence: dict[str, Any]) -> Draw:
    return Draw(text, **evidence)


class ScoredAnswer(tuple[float, bool]):
    """A given answer's log-likelihood and whether it is the greedy one, as the harness wants them.

    Attributes:
        tokens: Number of the answer's tokens.
    """

    tokens: int

    def __new__(cls, log_likelihood: float, greedy: bool, tokens: int) -> "ScoredAnswer":
        """Make the pair, and attach the number of tokens."""
        pair = super().__new__(cls, (log_likelihood, greedy))
        pair.tokens = tokens
        return pair

    def __reduce__(self) -> tuple[Any, ...]:
        return ScoredAnswer, (*self, self.tokens)
