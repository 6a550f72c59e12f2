"""What comes of reading a verdict: a rating, or a named failure."""

from dataclasses import dataclass
from enum import Enum


class RatingFailure(str, Enum):
    """Why a verdict gives no rating. The values go into logs and results: they are stable."""

    EMPTY = "empty"
    """Nothing but white space, or nothing after the reasoning."""
    UNFINISHED_REASONING = "unfinished_reasoning"
    """A reasoning tag was opened and never closed: the verdict was not reached."""
    TOO_LONG = "too_long"
    """More than `MAX_LENGTH` characters after the reasoning."""
    WITHHELD = "withheld"
    """Whoever runs the verifier withheld the verdict (a content filter)."""
    REFUSAL = "refusal"
    """No rating, and the text says that the model cannot or will not give one."""
    NO_NUMBER = "no_number"
    """No number that stands by itself, but those that name the scale."""
    AMBIGUOUS = "ambiguous"
    """Ratings that differ, a range, or numbers of which nothing says that they are the rating."""
    OTHER_SCALE = "other_scale"
    """The rating is given out of something else than the scale's top, or on another scale."""
    OUT_OF_RANGE = "out_of_range"
    """The rating is not on the scale."""
    TRUNCATED = "truncated"
    """The text was cut at the rating, which may have gone on: the 1 of a 10."""

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Rating:
    """What one verdict says.

    Attributes:
        score: The rating, in [low, high]; None if it failed.
        failure: Why there is none; None if there is one.
    """

    score: float | None
    failure: RatingFailure | None


class FailedError(Exception):
    """The verdict gives no rating, for the reason `failure`."""

    def __init__(self, failure: RatingFailure):
        super().__init__(failure.value)
        self.failure = failure
