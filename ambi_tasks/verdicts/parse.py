"""The order in which a verdict is read."""

import math
import re
from collections.abc import Sequence

from ambi_tasks.answers import after_reasoning, is_refusal
from ambi_tasks.verdicts.figures import Figure, figures_of
from ambi_tasks.verdicts.marks import marked_figures
from ambi_tasks.verdicts.outcome import FailedError, Rating, RatingFailure
from ambi_tasks.verdicts.plain import plain_text
from ambi_tasks.verdicts.scale import without_scale

MAX_LENGTH = 20_000
"""Longer texts are no verdicts; it bounds the time of any input."""

_CUT = re.compile(r"[.,]?")


def parse_rating(text: str, low: float, high: float, *, cut: bool = False) -> Rating:
    """Read the rating that a verdict gives.

    Args:
        text: What the verifier wrote; any text at all is fine.
        low: The lowest rating on the scale.
        high: The highest one, which "8 out of 10" names.
        cut: Whether the text was ended by the limit on its length.

    Raises:
        ValueError: The scale is not finite, or its ends are not in order.
    """
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"A scale goes from a lower to a higher number, not from {low} to {high}.")
    try:
        return Rating(_read(text, low, high, cut), None)
    except FailedError as failed:
        return Rating(None, failed.failure)


def _read(text: str, low: float, high: float, cut: bool) -> float:
    verdict = after_reasoning(text)
    if verdict is None:
        raise FailedError(RatingFailure.UNFINISHED_REASONING)
    if len(verdict) > MAX_LENGTH:
        raise FailedError(RatingFailure.TOO_LONG)
    plain = plain_text(verdict)
    if not plain:
        raise FailedError(RatingFailure.EMPTY)
    searched = without_scale(plain, low, high)
    figures = list(figures_of(searched))
    marked = marked_figures(figures, searched, high)
    if not marked:
        nothing = RatingFailure.AMBIGUOUS if figures else RatingFailure.NO_NUMBER
        raise FailedError(RatingFailure.REFUSAL if is_refusal(plain) else nothing)
    return _agreed(marked, searched, low, high, cut)


def _agreed(marked: Sequence[Figure], text: str, low: float, high: float, cut: bool) -> float:
    """The one rating that the marked numbers give."""
    if any(figure.value is None for figure in marked):
        raise FailedError(RatingFailure.AMBIGUOUS)
    if any(figure.top not in (None, high) for figure in marked):
        raise FailedError(RatingFailure.OTHER_SCALE)
    ratings = {figure.value for figure in marked if figure.value is not None}
    if len(ratings) > 1:
        raise FailedError(RatingFailure.AMBIGUOUS)
    if cut and any(_CUT.fullmatch(text, figure.end) for figure in marked):
        raise FailedError(RatingFailure.TRUNCATED)
    (rating,) = ratings
    if not low <= rating <= high:
        raise FailedError(RatingFailure.OUT_OF_RANGE)
    return rating + 0.0  # no negative zero
