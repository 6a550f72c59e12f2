r"""From a verifier's text to a rating on its scale, or to a named failure.

As in `answers`, a wrong reading is worse than a failure, so nothing here guesses. Verifiers write
about probabilities, shares of cues and second thoughts, all of them numbers. A number is the
rating only where the text says so, and it must be all that the sentence says of it:

* it follows a word for it: `Score: 8`, `"rating": 8`, `a score of 8`, `I'd give it an 8`;
* it is given out of the scale's top: `8/10`, `8 out of 10`;
* it is all of the last line, or all of the first where no other line is a number as well;
* the text begins with it and goes on to explain it: `8, because ...`.

Where several are given so, they must agree, but `final` and `overall` go before the others. What
else there is of numbers is left alone. A comma between digits is never read: `7,5` is seven and a
half here, and a list there.

>>> parse_rating("3 of the 4 cues fit. **Score: 8/10**", 0, 10).score
8.0
>>> parse_rating("Score: 7 or 8", 0, 10).failure.value
'ambiguous'
"""

import dataclasses
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ambi_tasks.answers import after_reasoning, is_refusal

MAX_LENGTH = 20_000
"""Longer texts are no verdicts; it bounds the time of any input."""


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
    except _FailedError as failed:
        return Rating(None, failed.failure)


class _FailedError(Exception):
    def __init__(self, failure: RatingFailure):
        super().__init__(failure.value)
        self.failure = failure


def _read(text: str, low: float, high: float, cut: bool) -> float:
    verdict = after_reasoning(text)
    if verdict is None:
        raise _FailedError(RatingFailure.UNFINISHED_REASONING)
    if len(verdict) > MAX_LENGTH:
        raise _FailedError(RatingFailure.TOO_LONG)
    plain = _plain(verdict)
    if not plain:
        raise _FailedError(RatingFailure.EMPTY)
    searched = _without_scale(plain, low, high)
    figures = list(_figures(searched))
    marked = _marked(figures, searched, high)
    if not marked:
        nothing = RatingFailure.AMBIGUOUS if figures else RatingFailure.NO_NUMBER
        raise _FailedError(RatingFailure.REFUSAL if is_refusal(plain) else nothing)
    return _agreed(marked, searched, low, high, cut)


def _agreed(marked: Sequence["_Figure"], text: str, low: float, high: float, cut: bool) -> float:
    """The one rating that the marked numbers give."""
    if any(figure.value is None for figure in marked):
        raise _FailedError(RatingFailure.AMBIGUOUS)
    if any(figure.top not in (None, high) for figure in marked):
        raise _FailedError(RatingFailure.OTHER_SCALE)
    ratings = {figure.value for figure in marked if figure.value is not None}
    if len(ratings) > 1:
        raise _FailedError(RatingFailure.AMBIGUOUS)
    if cut and any(_CUT.fullmatch(text, figure.end) for figure in marked):
        raise _FailedError(RatingFailure.TRUNCATED)
    (rating,) = ratings
    if not low <= rating <= high:
        raise _FailedError(RatingFailure.OUT_OF_RANGE)
    return rating + 0.0  # no negative zero


# --- characters ----------------------------------------------------------------------------------

_SIGNS = {
    "\u2212": "-",  # the sign for minus
    "\u2044": "/",  # the slash of fractions
    "\u2192": ":",  # an arrow
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\r": "\n",
    "\x85": "\n",
    "\u2028": "\n",
    "\u2029": "\n",
}
_FENCE = re.compile(r"^[ \t]{0,4}(?:```|~~~)\w{0,20}[ \t]{0,4}$", re.MULTILINE)


def _plain(text: str) -> str:
    """The text in plain digits, quotes and spaces, without Markdown's fences.

    No Unicode normalisation: it would make 71/2 of seven and a half.
    """
    plain = "".join(map(_plain_sign, text.replace("\r\n", "\n")))
    return _FENCE.sub("", plain).strip()


def _plain_sign(sign: str) -> str:
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign.isascii() and sign.isprintable():
        return sign
    category = unicodedata.category(sign)
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    if "\uff01" <= sign <= "\uff5e":  # full width
        return chr(ord(sign) - 0xFEE0)
    if category in ("Cc", "Zs"):
        return "\n" if sign == "\n" else " "
    return "" if category == "Cf" else sign


# --- numbers -------------------------------------------------------------------------------------

_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_SPACE = r"[^\S\n]{0,4}"  # on one line; bounded, as all that repeats below: it bounds the time
_TO = rf"{_SPACE}(?:-|\u2013|\u2014|~|\.\.+|to\b|and\b|or\b){_SPACE}"
_UNIT = r"\.?[0-9]+(?:[eE][-+]?[0-9]+)?"
_TOKEN = re.compile(
    rf"""
      [^\W\d_]\w*(?:[-./'][^\W_]\w*)*  # a word, as v2.5 and Qwen2-7B are
    | (?P<figure>[-+]?{_UNIT}(?:[.,:/~+\u2013\u2014-]{{1,3}}{_UNIT})*)  # 8.5 and 8/10; 7,5 and 8:30
    """,
    re.VERBOSE,
)
_FRACTION = re.compile(rf"({_NUMBER})/({_NUMBER})")
_SHORT = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_NO_MORE = r"(?!\w|[.,:/][0-9])"
_OUT_OF = re.compile(
    rf"(?:{_SPACE}(?:points?|pts))?{_SPACE}(?:/|out\s{{1,4}}of\b|of\b){_SPACE}({_SHORT}){_NO_MORE}"
)
_PERCENT = re.compile(rf"{_SPACE}%")
_GOES_ON = re.compile(rf"(?:{_TO}|{_SPACE}(?:[,;&]|\+/-|\u00b1){_SPACE})(?=[-+]?\.?[0-9])")
_STRUCK_OUT = re.compile(rf"{_SPACE}[+~]")
_CUT = re.compile(r"[.,]?")


@dataclass(frozen=True, slots=True)
class _Figure:
    """A number in the text.

    Attributes:
        start: Where it begins.
        end: Where it ends, with what it is out of.
        value: The number; None for a range, a list, a decimal comma, a time of day, and the like.
        top: What it is given out of; None where that is not said.
        percent: Whether that is said by a percent sign.
    """

    start: int
    end: int
    value: float | None
    top: float | None = None
    percent: bool = False


def _figures(text: str) -> Iterator[_Figure]:
    position = 0
    while token := _TOKEN.search(text, position):
        position = token.end()
        if not token["figure"] or _in_a_word(text, position):
            continue
        figure = _figure(token, text)
        while further := _GOES_ON.match(text, figure.end):  # a range or a list, and no one number
            following = _TOKEN.match(text, further.end())
            if following is None or not following["figure"]:
                break
            end = _figure(following, text).end
            figure = dataclasses.replace(figure, end=end, value=None)
        position = figure.end
        yield figure


def _in_a_word(text: str, end: int) -> bool:
    """Whether a number is a part of a word or another sign: 3rd, 8-point, 10 with a superscript."""
    following = text[end : end + 2]
    return following[:1].isalnum() or (following[:1] == "-" and following[1:].isalnum())


def _figure(token: re.Match[str], text: str) -> _Figure:
    found, end = token["figure"], token.end()
    value, top, percent = _number(found), None, False
    if fraction := _FRACTION.fullmatch(found):
        value, top = float(fraction[1]), float(fraction[2])
    elif value is not None and (whole := _OUT_OF.match(text, end)):
        top, end = float(whole[1]), whole.end()
    elif value is not None and (sign := _PERCENT.match(text, end)):
        top, end, percent = 100.0, sign.end(), True
    combined = end < len(text) and unicodedata.category(text[end]).startswith("M")
    if combined or _STRUCK_OUT.match(text, end):
        value = None
    return _Figure(token.start(), end, value, top, percent)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(_NUMBER, text) else None


# --- the scale -----------------------------------------------------------------------------------

_NO_LESS = r"(?<![\w.,/:-])"
_RANGE = re.compile(
    rf"(?P<lead>(?:\bscale|\bscore|\brating)[^\w\n]{{1,4}}(?:(?:of|from)\s{{1,4}})?)?"
    rf"{_NO_LESS}(?P<low>-?{_SHORT}){_TO}(?P<high>-?{_SHORT}){_NO_MORE}"
    rf"(?P<trail>[^\S\n]{{1,4}}scale\b)?",
    re.IGNORECASE,
)
_TOP_ALONE = re.compile(
    rf"(?:\bscale\s{{1,4}}(?:of|to)\b|\bout\s{{1,4}}of\b|/){_SPACE}(?P<top>{_SHORT}){_NO_MORE}"
    rf"|{_NO_LESS}(?P<points>[0-9]{{1,9}})[\s-]points?\s{{1,4}}scale\b",
    re.IGNORECASE,
)
_NUMERATOR = re.compile(r"[0-9%](?:\s{1,4}(?:points?|pts))?\s{0,4}\Z", re.IGNORECASE)


def _without_scale(text: str, low: float, high: float) -> str:
    """The text without what names the scale: `(0-10)`, or `out of 10` in `Score out of 10: 8`.

    Raises:
        _FailedError: It names another scale.
    """

    def without_range(found: re.Match[str]) -> str:
        lead, trail = found["lead"] or "", found["trail"] or ""
        if (float(found["low"]), float(found["high"])) == (low, high):
            return lead + " "
        bracketed = lead[-1:] in ("(", "[")  # Score (1-5)
        if trail or bracketed or lead[:5].casefold() == "scale":
            raise _FailedError(RatingFailure.OTHER_SCALE)
        return found.group()

    def without_top(found: re.Match[str]) -> str:
        before = found.string[max(0, found.start() - 16) : found.start()]
        if found["top"] and _NUMERATOR.search(before):
            return found.group()
        if float(found["top"] or found["points"]) != high:
            raise _FailedError(RatingFailure.OTHER_SCALE)
        return " "

    return _TOP_ALONE.sub(without_top, _RANGE.sub(without_range, text))


# --- which number is the rating ------------------------------------------------------------------

_AROUND = r"[\"'*_`>|{\s]{0,6}"
_ABOUT = r"(?:(?:an?|about|around|roughly|approximately)\s{1,4}){0,2}[\"'*_`]{0,4}"
_HERE = r"(?=[-+.]?[0-9])"
_JUDGED = r"(?:answer|response|prediction|estimate|distribution|one)"
_QUALIFIER = r"(?:(?P<qualifier>[^\W\d_]{1,20})[^\S\n]{1,3}[\"'*_]{0,4})?"
_WORD_START = r"(?<![^\W_])(?<![^\W_]_)"
_NAMED = re.compile(
    rf"""
    {_QUALIFIER}{_WORD_START}
    (?:
      (?:scored?|rating|rated|grade)_{{0,3}}(?!\w){_AROUND}(?:[(\[][^()\[\]\n]{{0,40}}[)\]])?{_AROUND}
      (?P<link>:=|[:=]>?|[-\u2013\u2014](?=\s)
        |(?:is|was|of|as|at|(?:would|should|will|must)\s{{1,4}}be)\b)?
    | (?:(?P<total>overall|final)|answer|verdict|result|evaluation|assessment|judge?ment)
      _{{0,3}}(?!\w){_AROUND}(?P<colon>[:=])
    )
    {_AROUND}{_ABOUT}{_HERE}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_QUALIFIERS = {
    *("a", "an", "the", "this", "that", "my", "its", "your", "s", "of", "with", "and", "is", "to"),
    *(
        "answer",
        "response",
        "quality",
        "numeric",
        "numerical",
        "total",
        "verifier",
        "i",
        "it",
        "be",
    ),
    *(
        "overall",
        "final",
        "rating",
        "score",
        "single",
        "whole",
        "give",
        "assign",
        "would",
        "should",
    ),
}
_TOTALS = {"overall", "final"}
_SAID = re.compile(
    rf"""
    (?:
      (?:\A|[.!?:\n]\s{{0,4}}|\b(?:overall|so|therefore|thus|hence),?\s{{1,4}}
        |\b(?:scale|of|from|a)\s{{0,4}},\s{{1,4}})[\"'*_]{{0,4}}
      I(?:'d|'ll|\s{{1,4}}would|\s{{1,4}}will)?\s{{1,4}}(?:say|rate|score|grade|give|assign|award)\s{{1,4}}
      (?:(?:it|this|that|the|as|at|{_JUDGED})\s{{1,4}}){{0,4}}
    | \b(?:this|the)\s{{1,4}}{_JUDGED}\s{{1,4}}(?:deserves|merits|earns|gets|receives)\s{{1,4}}
    | (?P<boxed>\\boxed\{{)
    )
    {_ABOUT}{_HERE}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\b(?:not|never|if|than|least|most|almost|nearly|below|above|under|over|instead|rather)"
    r"|n't)\b[^.!?,;\n]*\Z",
    re.IGNORECASE,
)
_ENDS = re.compile(
    rf"""
    [\"'*_`$]{{0,6}}(?:[^\S\n]{{0,4}}(?:points?|pts)\b)?[\"'*_`$]{{0,6}}
    (?: \Z
      | [^\S\n]{{0,4}}(?:[\n.!?,;:)\]}}|(<\u2013\u2014]|-\s)
      | [^\S\n]{{1,4}}(?:because|since|as|due|given|based|overall|here)\b
      | [^\S\n]{{1,4}}(?:for|to)\s{{1,4}}(?:this|the)\s{{1,4}}{_JUDGED}\b )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_EXPLAINED = re.compile(r"[*_]{0,4}[^\S\n]{0,4}(?:[,;(\u2013\u2014]|-\s|(?:because|since|as)\b)")
_TAGS = r"(?:<[^<>\n]{1,30}>){0,4}"
_BEFORE_ALONE = re.compile(rf"[\s#>]*{_TAGS}[\s\"'*_`|(\[{{$]*")
_AFTER_ALONE = re.compile(rf"(?:\s?(?:points?|pts))?[\s\"'*_`|)\]}}$.!]*{_TAGS}", re.IGNORECASE)
_MAX_AROUND = 40
_ITEM = re.compile(r"^[\s*_-]{0,9}[0-9]{1,3}\s?[-.):,;\u2013\u2014]", re.MULTILINE)


def _marked(figures: Sequence[_Figure], text: str, high: float) -> list[_Figure]:
    """The numbers of which the text says that they are the rating."""
    ended = {figure.start: figure for figure in figures if _ENDS.match(text, figure.end)}
    alone = [figure for figure in figures if _is_alone(figure, text)]
    totals, marked = [], []
    for said in _announced(text):
        figure = ended.get(said.place)
        # A number on the next line may be that of a list. In a sentence, 0.8 on a scale to 10 may
        # be a probability that the verifier talks of.
        if (
            figure is None
            or (said.next_line and figure not in alone)
            or (not said.apart and _is_share(figure, high))
        ):
            continue
        marked.append(figure)
        totals += [figure] if said.total else []
    if totals:
        return totals
    marked += [figure for figure in ended.values() if _out_of(figure, text, high)]
    marked += _of_a_line(alone, text)
    if figures and _opens(figures[0], text, high):
        marked.append(figures[0])
    return marked


def _out_of(figure: _Figure, text: str, high: float) -> bool:
    return figure.top == high and not figure.percent and not _denied(text, figure.start)


def _denied(text: str, place: int) -> bool:
    """Whether the sentence says no to the number at its place, or less or more: not 10/10."""
    return _DENIED.search(text[max(0, place - 60) : place]) is not None


def _is_share(figure: _Figure, high: float) -> bool:
    return figure.top is None and figure.value is not None and 0 < figure.value < 1 < high


class _Announcement(NamedTuple):
    """A place where a number is announced as the rating.

    Attributes:
        place: Where the number begins.
        total: Whether it is called final or overall.
        apart: Whether it is set apart from prose, as by a colon.
        next_line: Whether a line ends before it.
    """

    place: int
    total: bool = False
    apart: bool = False
    next_line: bool = False


def _announced(text: str) -> Iterator[_Announcement]:
    for found in _NAMED.finditer(text):
        qualifier = (found["qualifier"] or "").casefold()
        apart = bool(found["colon"]) or (found["link"] or "")[:1] in (":", "=")
        if qualifier and qualifier not in _QUALIFIERS:
            continue
        if apart or not _denied(text, found.end()):
            total = bool(found["total"]) or qualifier in _TOTALS
            yield _Announcement(found.end(), total, apart, "\n" in found.group())
    for found in _SAID.finditer(text):
        yield _Announcement(found.end(), apart=bool(found["boxed"]))


def _is_alone(figure: _Figure, text: str) -> bool:
    """Whether a number is all of its line."""
    start, end = text.rfind("\n", 0, figure.start) + 1, text.find("\n", figure.end)
    before = text[start : figure.start].strip()
    after = text[figure.end : end if end >= 0 else len(text)].strip()
    if max(len(before), len(after)) > _MAX_AROUND:
        return False
    return bool(_BEFORE_ALONE.fullmatch(before) and _AFTER_ALONE.fullmatch(after))


def _of_a_line(alone: Sequence[_Figure], text: str) -> list[_Figure]:
    """The number that is all of the last line, or of the first where no other line is one."""
    if not alone:
        return []
    if "\n" not in text[alone[-1].end :]:
        return [alone[-1]]
    first = "\n" not in text[: alone[0].start]
    return [alone[0]] if first and len({figure.value for figure in alone}) == 1 else []


def _opens(figure: _Figure, text: str, high: float) -> bool:
    """Whether the text begins with the number and goes on to explain it."""
    before = text[: figure.start]
    if len(before) > _MAX_AROUND or not _BEFORE_ALONE.fullmatch(before) or _is_share(figure, high):
        return False
    is_list = len(_ITEM.findall(text)) > 1
    return not is_list and _EXPLAINED.match(text, figure.end) is not None
