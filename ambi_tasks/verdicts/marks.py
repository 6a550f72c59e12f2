"""Which numbers of a text are the rating, by its own words."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ambi_tasks.verdicts.figures import Figure

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


def marked_figures(figures: Sequence[Figure], text: str, high: float) -> list[Figure]:
    """The numbers of which the text says that they are the rating.

    Args:
        figures: All numbers of the text, in their order.
        text: Without what names the scale.
        high: The scale's top.
    """
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


def _out_of(figure: Figure, text: str, high: float) -> bool:
    return figure.top == high and not figure.percent and not _denied(text, figure.start)


def _denied(text: str, place: int) -> bool:
    """Whether the sentence says no to the number at its place, or less or more: not 10/10."""
    return _DENIED.search(text[max(0, place - 60) : place]) is not None


def _is_share(figure: Figure, high: float) -> bool:
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


def _is_alone(figure: Figure, text: str) -> bool:
    """Whether a number is all of its line."""
    start, end = text.rfind("\n", 0, figure.start) + 1, text.find("\n", figure.end)
    before = text[start : figure.start].strip()
    after = text[figure.end : end if end >= 0 else len(text)].strip()
    if max(len(before), len(after)) > _MAX_AROUND:
        return False
    return bool(_BEFORE_ALONE.fullmatch(before) and _AFTER_ALONE.fullmatch(after))


def _of_a_line(alone: Sequence[Figure], text: str) -> list[Figure]:
    """The number that is all of the last line, or of the first where no other line is one."""
    if not alone:
        return []
    if "\n" not in text[alone[-1].end :]:
        return [alone[-1]]
    first = "\n" not in text[: alone[0].start]
    return [alone[0]] if first and len({figure.value for figure in alone}) == 1 else []


def _opens(figure: Figure, text: str, high: float) -> bool:
    """Whether the text begins with the number and goes on to explain it."""
    before = text[: figure.start]
    if len(before) > _MAX_AROUND or not _BEFORE_ALONE.fullmatch(before) or _is_share(figure, high):
        return False
    is_list = len(_ITEM.findall(text)) > 1
    return not is_list and _EXPLAINED.match(text, figure.end) is not None
