"""What names the scale, and is no rating."""

import re

from ambi_tasks.verdicts.figures import NO_MORE, SHORT_NUMBER, SPACE, TO
from ambi_tasks.verdicts.outcome import FailedError, RatingFailure

_NO_LESS = r"(?<![\w.,/:-])"
_RANGE = re.compile(
    rf"(?P<lead>(?:\bscale|\bscore|\brating)[^\w\n]{{1,4}}(?:(?:of|from)\s{{1,4}})?)?"
    rf"{_NO_LESS}(?P<low>-?{SHORT_NUMBER}){TO}(?P<high>-?{SHORT_NUMBER}){NO_MORE}"
    rf"(?P<trail>[^\S\n]{{1,4}}scale\b)?",
    re.IGNORECASE,
)
_TOP_ALONE = re.compile(
    rf"(?:\bscale\s{{1,4}}(?:of|to)\b|\bout\s{{1,4}}of\b|/){SPACE}(?P<top>{SHORT_NUMBER}){NO_MORE}"
    rf"|{_NO_LESS}(?P<points>[0-9]{{1,9}})[\s-]points?\s{{1,4}}scale\b",
    re.IGNORECASE,
)
_NUMERATOR = re.compile(r"[0-9%](?:\s{1,4}(?:points?|pts))?\s{0,4}\Z", re.IGNORECASE)


def without_scale(text: str, low: float, high: float) -> str:
    """The text without what names the scale: `(0-10)`, or `out of 10` in `Score out of 10: 8`.

    Args:
        text: Plain, see `plain.plain_text`.
        low: The scale's lower end.
        high: Its top.

    Raises:
        FailedError: It names another scale.
    """

    def without_range(found: re.Match[str]) -> str:
        lead, trail = found["lead"] or "", found["trail"] or ""
        if (float(found["low"]), float(found["high"])) == (low, high):
            return lead + " "
        bracketed = lead[-1:] in ("(", "[")  # Score (1-5)
        if trail or bracketed or lead[:5].casefold() == "scale":
            raise FailedError(RatingFailure.OTHER_SCALE)
        return found.group()

    def without_top(found: re.Match[str]) -> str:
        before = found.string[max(0, found.start() - 16) : found.start()]
        if found["top"] and _NUMERATOR.search(before):
            return found.group()
        if float(found["top"] or found["points"]) != high:
            raise FailedError(RatingFailure.OTHER_SCALE)
        return " "

    return _TOP_ALONE.sub(without_top, _RANGE.sub(without_range, text))
