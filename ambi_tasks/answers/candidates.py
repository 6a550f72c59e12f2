"""Which object of a text is the answer, and which of its entries are the distribution."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ambi_tasks.answers.objects import (
    FULL_WIDTH,
    BrokenError,
    Entries,
    List,
    Object,
    Reader,
    Scalar,
    Value,
)
from ambi_tasks.answers.outcome import FailedError, Failure, Repair
from ambi_tasks.answers.shares import number_of
from ambi_tasks.answers.vocabulary import Vocabulary, normal_form

_OPENING = re.compile(r"[{\[\uff5b\uff3b]")
_BRACKET = re.compile(r"[{}\[\]\uff5b\uff5d\uff3b\uff3d]")
_REASONING = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FENCE_BEFORE = re.compile(r"(?:```|~~~)[ \t]*\w{0,20}\s*\Z")
_REFUSAL = re.compile(
    r"""\bas\ an\ ai\b
    | \bi\s+(?:must|have\s+to|need\s+to)\s+(?:decline|refuse)\b
    | \bi\s+(?:decline|refuse)\b
    | \bi(?:['\u2019]m|\s+am)\s+(?:\w+\s+)?(?:unable|not\s+able)\b
    | \b(?:unable\s+to|i\s+(?:can(?:\s?not|['\u2019]t)|could(?:\s+not|n['\u2019]t)
        |will\s+not|won['\u2019]t|(?:do\s+not|don['\u2019]t)\s+have\s+(?:the\s+ability|access)\s+to))
      \s+(?:\w+\s+)?(?:access|analy[sz]e|answer|assess|assist|classify|comply|detect|determine
        |estimate|fulfil|give|hear|help|identify|infer|judge|listen|predict|process|produce|provide
        |rate|recogni[sz]e|tell)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LABEL_FIELDS = ("label", "emotion", "name", "class", "category")
_VALUE_FIELDS = ("probability", "prob", "p", "score", "value", "weight", "percentage", "percent")


@dataclass(slots=True)
class Piece:
    """An object or list in the text, readable or not."""

    start: int
    end: int
    resume: int
    value: Value | None
    notes: set[Repair] = field(default_factory=set)
    entries: Entries = field(default_factory=list)
    failure: Failure | None = None
    decides: bool = False


def after_reasoning(text: str) -> str | None:
    """What follows the last reasoning tag, stripped; None where a tag was opened and not closed."""
    tags = list(_REASONING.finditer(text))
    if tags and not tags[-1].group(1):
        return None
    return (text[tags[-1].end() :] if tags else text).strip()


def is_refusal(text: str) -> bool:
    """Whether a text that holds no answer says that the model cannot or will not give one."""
    return _REFUSAL.search(text) is not None


def pieces(text: str) -> Iterable[Piece]:
    """Objects and lists of a text, in their order, readable or not.

    Args:
        text: The end of an answer.
    """
    position = 0
    while opening := _OPENING.search(text, position):
        start = opening.start()
        reader = Reader(text, start)
        try:
            value = reader.value()
            piece = Piece(start, reader.position, reader.position, value, reader.notes)
        except BrokenError as broken:
            # Reading goes on where it stopped, not behind the opening: one pass over any text.
            bracket = _BRACKET.search(text, broken.position)
            end = bracket.start() if bracket else len(text)
            piece = Piece(start, end, broken.position, None)
        yield piece
        position = piece.resume


def classified(piece: Piece, text: str, vocabulary: Vocabulary) -> Piece:
    """Decide whether the piece can be the answer: whether it says anything about a label.

    Args:
        piece: Of the text; it is changed and returned.
        text: What it stands in.
        vocabulary: The labels.
    """
    if piece.value is None:
        piece.failure = _why_broken(piece, text)
        shown = text[piece.start : piece.end]
        mentioned = vocabulary.mentioned_in(shown)
        if piece.failure is Failure.TRUNCATED:
            piece.decides = mentioned or "{" in shown.translate(FULL_WIDTH)
        else:
            piece.decides = mentioned and any(sign.isdecimal() for sign in shown)
        return piece
    try:
        piece.entries = _entries(piece.value, vocabulary, piece.notes)
    except FailedError as failed:
        piece.failure = failed.failure
    piece.decides = bool(piece.entries or piece.failure)
    return piece


def _why_broken(piece: Piece, text: str) -> Failure:
    closing = "}\uff5d" if text[piece.start] in "{\uff5b" else "]\uff3d"
    closed = max(text.rfind(sign, piece.resume) for sign in closing) >= 0
    return Failure.MALFORMED if closed else Failure.TRUNCATED


def why_nothing(found: Sequence[Piece], text: str) -> Failure:
    """Why a text has no answer.

    Args:
        found: Its pieces, classified; none of them decides.
        text: What they stand in.
    """
    objects = [
        piece for piece in found if isinstance(piece.value, Object) or text[piece.start] == "{"
    ]
    if objects:
        value = objects[-1].value
        empty = isinstance(value, Object) and not value.pairs
        return objects[-1].failure or (Failure.MISSING_LABEL if empty else Failure.UNKNOWN_LABEL)
    if any(isinstance(piece.value, List) and _pairs(piece.value, set()) for piece in found):
        return Failure.UNKNOWN_LABEL
    return Failure.REFUSAL if is_refusal(text) else Failure.NO_OBJECT


def _entries(value: Value, vocabulary: Vocabulary, notes: set[Repair]) -> Entries:
    """Find the keys and values of the distribution in an object or list; none if it names no label.

    Raises:
        FailedError: Two places of the object could be the distribution.
    """
    if isinstance(value, Scalar):
        return []
    if isinstance(value, Object):
        own, inner = value.pairs, [item for _, item in value.pairs]
    else:
        own, inner = _pairs(value, notes), value.items
    inner_notes: set[Repair] = set()
    nested = [entries for item in inner if (entries := _entries(item, vocabulary, inner_notes))]
    # Reasons may be listed per label as well: numbers tell the distribution from them.
    numeric = [entries for entries in nested if any(number_of(found) for _, found in entries)]
    if any(vocabulary.find(key) is not None for key, _ in own):
        if numeric and not isinstance(value, List):
            raise FailedError(Failure.MALFORMED)
        notes |= {Repair.LABEL_LIST} if isinstance(value, List) else set()
        return own
    if len(numeric or nested) > 1:
        raise FailedError(Failure.MALFORMED)
    if not nested:
        return []
    notes |= inner_notes | {Repair.NESTED}
    notes |= {Repair.EXTRA_TEXT} if len(inner) > 1 else set()
    return (numeric or nested)[0]


def _pairs(value: List, notes: set[Repair]) -> Entries:
    """The list as pairs of label and value; empty if any item is something else."""
    pairs = [pair for item in value.items if (pair := _pair(item, notes))]
    return pairs if len(pairs) == len(value.items) else []


def _pair(item: Value, notes: set[Repair]) -> tuple[str, Value] | None:
    label: Value
    if isinstance(item, List) and len(item.items) == 2:  # noqa: PLR2004 - a pair
        label, value = item.items
    elif isinstance(item, Object) and len(item.pairs) == 1:
        label, value = Scalar("string", item.pairs[0][0]), item.pairs[0][1]
    elif isinstance(item, Object):
        named = [found for key, found in item.pairs if normal_form(key) in _LABEL_FIELDS]
        valued = [found for key, found in item.pairs if normal_form(key) in _VALUE_FIELDS]
        if len(named) != 1 or len(valued) != 1:
            return None
        label, value = named[0], valued[0]
        if len(item.pairs) > len(named + valued):
            notes.add(Repair.EXTRA_TEXT)
    else:
        return None
    if isinstance(label, Scalar) and label.kind != "number" and isinstance(value, Scalar):
        return label.text, value
    return None


def chosen_entries(
    candidates: Sequence[Piece], text: str, vocabulary: Vocabulary, notes: set[Repair]
) -> Entries:
    """The entries of the last object that names a label.

    Args:
        candidates: The pieces that decide, one or more.
        text: What they stand in.
        vocabulary: The labels.
        notes: Liberties taken are added.

    Raises:
        FailedError: It cannot be read, or is a part of the answer alone.
    """
    last = candidates[-1]
    if last.failure:
        raise FailedError(last.failure)
    notes |= last.notes | _around(text[: last.start], text[last.end :])
    if len(candidates) > 1:
        notes.add(Repair.SEVERAL_OBJECTS)
        before = _named(candidates[-2], vocabulary)
        # One object per label: the last is a piece of the answer, not the answer.
        if before and before.isdisjoint(_named(last, vocabulary)):
            raise FailedError(Failure.MISSING_LABEL)
    return last.entries


def _named(piece: Piece, vocabulary: Vocabulary) -> set[int]:
    found = (vocabulary.find(key) for key, _ in piece.entries)
    return {index for index in found if index is not None}


def _around(before: str, after: str) -> set[Repair]:
    notes = set()
    if fence := _FENCE_BEFORE.search(before[-100:]):
        notes.add(Repair.CODE_FENCE)
        before = before[: len(before) - len(fence.group())]
        after = re.sub(r"\A\s*(?:```|~~~)", "", after)
    if before.strip() or after.strip():
        notes.add(Repair.SURROUNDING_TEXT)
    return notes
