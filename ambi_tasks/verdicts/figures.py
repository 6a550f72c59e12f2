"""The numbers of a text."""

import dataclasses
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
SPACE = r"[^\S\n]{0,4}"  # on one line; bounded, as all that repeats below: it bounds the time
TO = rf"{SPACE}(?:-|\u2013|\u2014|~|\.\.+|to\b|and\b|or\b){SPACE}"
_UNIT = r"\.?[0-9]+(?:[eE][-+]?[0-9]+)?"
_TOKEN = re.compile(
    rf"""
      [^\W\d_]\w*(?:[-./'][^\W_]\w*)*  # a word, as v2.5 and Qwen2-7B are
    | (?P<figure>[-+]?{_UNIT}(?:[.,:/~+\u2013\u2014-]{{1,3}}{_UNIT})*)  # 8.5 and 8/10; 7,5 and 8:30
    """,
    re.VERBOSE,
)
_FRACTION = re.compile(rf"({_NUMBER})/({_NUMBER})")
SHORT_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
NO_MORE = r"(?!\w|[.,:/][0-9])"
_OUT_OF = re.compile(
    rf"(?:{SPACE}(?:points?|pts))?{SPACE}(?:/|out\s{{1,4}}of\b|of\b){SPACE}({SHORT_NUMBER}){NO_MORE}"
)
_PERCENT = re.compile(rf"{SPACE}%")
_GOES_ON = re.compile(rf"(?:{TO}|{SPACE}(?:[,;&]|\+/-|\u00b1){SPACE})(?=[-+]?\.?[0-9])")
_STRUCK_OUT = re.compile(rf"{SPACE}[+~]")


@dataclass(frozen=True, slots=True)
class Figure:
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


def figures_of(text: str) -> Iterator[Figure]:
    """The numbers that stand by themselves, in their order; ranges and lists are one each.

    Args:
        text: Plain, see `plain.plain_text`.
    """
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


def _figure(token: re.Match[str], text: str) -> Figure:
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
    return Figure(token.start(), end, value, top, percent)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(_NUMBER, text) else None
