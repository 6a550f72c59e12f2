r"""From the text of an answer to a distribution over the labels, or to a named failure.

A wrong reading is worse than a failure, so nothing here guesses. One small reader takes what models
write (JSON, Python dicts, trailing commas, comments, bare keys) and stops at the first thing that
it does not know; libraries that repair JSON read on, and turn `0.4 or 0.5` into 0.4. Whatever is
taken in a broader sense than the text's own is noted as a `Repair`.

The answer comes last: of several objects that name a label, the last one decides, also when it is
unusable, since the one before it may be an example or a draft.

>>> parse_answer('Sure! {"happy": "75%", "sad": "25%"}', ["sad", "happy"]).distribution
(0.25, 0.75)
>>> parse_answer('{"happy": 0.75, "sa', ["sad", "happy"]).failure.value
'truncated'
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

MAX_SEARCHED = 20_000
"""Only so many characters at the end of an answer are searched: it bounds the time of any input."""

SUM_TOLERANCE = 0.02
"""Sums this close to 1 count as 1: the values are rounded, mostly to two digits."""

MIN_SUM, MAX_SUM = 0.5, 1.5
"""Sums between these are renormalised: a slip of the arithmetic. Beyond them the numbers are
something else (ratings, counts, a part of the answer), and scaling would invent a distribution."""

RATING_TOP = 10
"""Numbers without a percent sign that are all at most this, and do not sum to 100, may be ratings
from 0 to 10, so they are not taken as percentages even where their sum lies within the bounds."""

_MAX_DEPTH = 8  # no answer nests deeper, and the reader recurses
_MAX_KEY = 200  # longer keys are prose; it bounds the time that Unicode normalisation takes
_EPSILON = 1e-9  # so that a sum printed as 1.02 is within the tolerance whatever its last bit


class Failure(str, Enum):
    """Why an answer gives no distribution. The values go into logs and results: they are stable."""

    EMPTY = "empty"
    """Nothing but white space, or nothing after the reasoning."""
    UNFINISHED_REASONING = "unfinished_reasoning"
    """A reasoning tag was opened and never closed: the answer was not reached."""
    WITHHELD = "withheld"
    """Whoever runs the model withheld the answer (a content filter); its text is not looked at."""
    REFUSAL = "refusal"
    """No object, and the text says that the model cannot or will not answer."""
    NO_OBJECT = "no_object"
    """Neither an object nor a list that gives every label once."""
    TRUNCATED = "truncated"
    """The last object was opened and never closed."""
    MALFORMED = "malformed"
    """An object that cannot be read, or that can be read in two ways."""
    NOT_A_NUMBER = "not_a_number"
    """The value of a label is no finite number."""
    NEGATIVE = "negative"
    """The value of a label is below zero."""
    DUPLICATE_LABEL = "duplicate_label"
    """One label has two values that differ."""
    UNKNOWN_LABEL = "unknown_label"
    """A key that is no label has mass, or no key is a label."""
    MIXED_UNITS = "mixed_units"
    """Some values have a percent sign and others do not."""
    MISSING_LABEL = "missing_label"
    """A label is absent and the others do not sum to one."""
    ZERO_SUM = "zero_sum"
    """All values are zero."""
    BAD_SUM = "bad_sum"
    """The sum is too far from one (or from 100 %) to be a slip of the arithmetic."""
    OUT_OF_RANGE = "out_of_range"
    """The sum may pass, but one value is above one (or above 100 %)."""

    __str__ = str.__str__


class Repair(str, Enum):
    """A liberty taken in reading. The values go into logs and results: they are stable."""

    SURROUNDING_TEXT = "surrounding_text"
    """There is text, or reasoning, around the object."""
    CODE_FENCE = "code_fence"
    """The object stands in a Markdown fence."""
    SEVERAL_OBJECTS = "several_objects"
    """Several objects name a label; the last one was taken."""
    PYTHON_DICT = "python_dict"
    """Single quotes, tuples, True, False or None."""
    REPAIRED_JSON = "repaired_json"
    """Trailing or missing commas, comments, bare keys, curly quotes, full-width signs, `.5`."""
    NESTED = "nested"
    """The distribution stands inside another object or list."""
    LABEL_LIST = "label_list"
    """A list of label and number pairs in place of an object."""
    PLAIN_LIST = "plain_list"
    """Lines or items like `happy: 0.4`, without an object."""
    EXTRA_TEXT = "extra_text"
    """Fields that are no part of the distribution were ignored."""
    WORD_FORM = "word_form"
    """A key is another form of a label's word: happiness for happy."""
    REPEATED_LABEL = "repeated_label"
    """A label occurs more than once, always with the same value."""
    UNKNOWN_ZERO = "unknown_zero"
    """Keys that are no labels have the value zero, and were ignored."""
    QUOTED_NUMBER = "quoted_number"
    """A number is written as a string."""
    PERCENT = "percent"
    """The values are percentages."""
    UNLISTED_ZERO = "unlisted_zero"
    """Absent labels are zero: the others already sum to one."""
    RENORMALISED = "renormalised"
    """The sum was off by more than rounding, and the values were scaled."""

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Answer:
    """What one answer says.

    Attributes:
        distribution: One probability per label, in the labels' order, sum 1; None if it failed.
        failure: Why there is no distribution; None if there is one.
        repairs: The liberties taken, in the order in which `Repair` lists them.
    """

    distribution: tuple[float, ...] | None
    failure: Failure | None
    repairs: tuple[Repair, ...] = ()


def parse_answer(text: str, labels: Sequence[str]) -> Answer:
    """Read the distribution that an answer gives.

    Args:
        text: What the model wrote; any text at all is fine.
        labels: The labels of the task, in the order wanted.

    Raises:
        ValueError: A label is empty, or two labels are the same but for case and spacing.
    """
    vocabulary = _vocabulary(tuple(labels))
    notes: set[Repair] = set()
    try:
        distribution = _read(text, vocabulary, notes)
    except _FailedError as failed:
        return Answer(None, failed.failure)
    return Answer(distribution, None, tuple(repair for repair in Repair if repair in notes))


class _FailedError(Exception):
    def __init__(self, failure: Failure):
        super().__init__(failure.value)
        self.failure = failure


def _read(text: str, vocabulary: "_Vocabulary", notes: set[Repair]) -> tuple[float, ...]:
    answer = after_reasoning(text)
    if answer is None:
        raise _FailedError(Failure.UNFINISHED_REASONING)
    if not answer:
        raise _FailedError(Failure.EMPTY)
    searched = answer[-MAX_SEARCHED:]
    if len(searched) < len(text.strip()):
        notes.add(Repair.SURROUNDING_TEXT)
    found = [_classified(piece, searched, vocabulary) for piece in _pieces(searched)]
    candidates = [piece for piece in found if piece.decides]
    rest = candidates[-1].end if candidates else 0
    entries = _plain_entries(searched[rest:], vocabulary, notes)
    if entries:
        notes.add(Repair.PLAIN_LIST)
        if candidates:
            notes |= {Repair.SEVERAL_OBJECTS, Repair.SURROUNDING_TEXT}
    elif candidates:
        entries = _chosen(candidates, searched, vocabulary, notes)
    else:
        raise _FailedError(_why_nothing(found, searched))
    return _distribution(entries, vocabulary, notes)


# --- words ---------------------------------------------------------------------------------------

# Inflections only: a synonym (calm for neutral, joy for happiness) may be another class elsewhere.
_WORD_FAMILIES = (
    ("happy", "happiness"),
    ("sad", "sadness"),
    ("angry", "anger", "angriness"),
    ("fear", "fearful", "fearfulness", "afraid", "scared"),
    ("disgust", "disgusted"),
    ("surprise", "surprised"),
    ("neutral", "neutrality", "neutral state"),
    ("excited", "excitement"),
    ("frustrated", "frustration"),
    ("contempt", "contemptuous"),
    ("joy", "joyful"),
    ("calm", "calmness"),
    ("bored", "boredom"),
    ("anxious", "anxiety"),
    ("disappointed", "disappointment"),
)
_AROUND_A_WORD = " \t\r\n\"'`*_.:\u2018\u2019\u201a\u201c\u201d\u201e"


class _Vocabulary(NamedTuple):
    labels: Mapping[str, int]
    forms: Mapping[str, int]
    """Other words for the labels, none of them a label itself."""
    size: int

    def find(self, key: str) -> int | None:
        word = _normal(key)
        return self.labels.get(word, self.forms.get(word))

    def is_form(self, key: str) -> bool:
        return _normal(key) in self.forms

    def mentioned_in(self, text: str) -> bool:
        folded = text.casefold()
        return any(word in folded for words in (self.labels, self.forms) for word in words)


@lru_cache(maxsize=64)
def _vocabulary(labels: tuple[str, ...]) -> _Vocabulary:
    words = {_normal(label): index for index, label in enumerate(labels)}
    if not words or "" in words:
        raise ValueError(f"There must be labels, and none of them empty, but got {list(labels)}.")
    if len(words) < len(labels):
        raise ValueError(f"The labels must differ in more than case and spacing: {list(labels)}.")
    forms: dict[str, int] = {}
    for family in _WORD_FAMILIES:
        named = [word for word in family if word in words]
        # Two labels of one family: which of them a third form means is anybody's guess.
        if len(named) == 1:
            forms |= {word: words[named[0]] for word in family if word not in words}
    return _Vocabulary(words, forms, len(labels))


def _normal(word: str) -> str:
    """The word as it is compared; empty for what is too long to be a label."""
    if len(word) > _MAX_KEY:
        return ""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
    visible = "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")
    return re.sub(r"[\s_-]+", " ", visible).strip(_AROUND_A_WORD)


# --- the reader of objects -----------------------------------------------------------------------

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?:[ \t]*[%\uff05])?"
_WHOLE_NUMBER = re.compile(_NUMBER)
_TOKEN = re.compile(
    rf"""
      (?P<space>\s+)
    | (?P<comment>(?://|\#)[^\n]*)
    | (?P<string>"[^"\\]*(?:\\.[^"\\]*)*" | '[^'\\]*(?:\\.[^'\\]*)*'
        | [\u201c\u201d\u201e][^\u201c\u201d\u201e]*[\u201c\u201d] | \u2018[^\u2018\u2019]*\u2019)
    | (?P<number>{_NUMBER}(?![\w.%]))
    | (?P<word>[+-]?[^\W\d]\w*(?:[ \t-]+[^\W\d]\w*)*)
    | (?P<sign>[{{}}\[\]():,\uff5b\uff5d\uff3b\uff3d\uff08\uff09\uff1a\uff0c])
    """,
    re.VERBOSE | re.DOTALL,
)
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_OPENING = re.compile(r"[{\[\uff5b\uff3b]")
_BRACKET = re.compile(r"[{}\[\]\uff5b\uff5d\uff3b\uff3d]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Scalar:
    kind: Literal["string", "number", "word"]
    text: str


@dataclass(frozen=True, slots=True)
class _Object:
    pairs: list[tuple[str, "_Value"]]  # not a dict: that would hide keys that occur twice


@dataclass(frozen=True, slots=True)
class _List:
    items: list["_Value"]


_Value: TypeAlias = _Scalar | _Object | _List


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


class _BrokenError(Exception):
    def __init__(self, position: int):
        super().__init__(position)
        self.position = position


class _Reader:
    """Reads one object or list, and notes where it is not JSON."""

    def __init__(self, text: str, position: int):
        self.text = text
        self.position = position
        self.notes: set[Repair] = set()

    def value(self, depth: int = 0) -> _Value:
        """Read the value at the position.

        Raises:
            _BrokenError: There is none; the error says where reading stopped.
        """
        token = self._take()
        if token.kind != "sign":
            return self._scalar(token)
        if depth < _MAX_DEPTH and token.text == "{":
            return self._object(depth)
        if depth < _MAX_DEPTH and token.text in "[(":
            return self._list("]" if token.text == "[" else ")", depth)
        raise _BrokenError(token.start)

    def _object(self, depth: int) -> _Object:
        pairs: list[tuple[str, _Value]] = []
        more = True
        while more and not self._closes("}", after_comma=bool(pairs)):
            token = self._take()
            if token.kind not in ("string", "word"):
                raise _BrokenError(token.start)
            key = self._scalar(token).text
            colon = self._take()
            if (colon.kind, colon.text) != ("sign", ":"):
                raise _BrokenError(colon.start)
            value = self.value(depth + 1)
            pairs.append((key, value))
            more = self._continues("}", value)
        return _Object(pairs)

    def _list(self, close: str, depth: int) -> _List:
        if close == ")":
            self.notes.add(Repair.PYTHON_DICT)
        items: list[_Value] = []
        more = True
        while more and not self._closes(close, after_comma=bool(items)):
            items.append(self.value(depth + 1))
            more = self._continues(close, items[-1])
        return _List(items)

    def _closes(self, close: str, *, after_comma: bool) -> bool:
        token = self._take()
        if (token.kind, token.text) != ("sign", close):
            self.position = token.start
            return False
        if after_comma:
            self.notes.add(Repair.REPAIRED_JSON)
        return True

    def _continues(self, close: str, value: _Value) -> bool:
        token = self._take()
        if token.kind == "sign" and token.text in (close, ","):
            return token.text == ","
        # A forgotten comma: a number cannot go on with a quoted key, so there is one reading only.
        if token.kind == "string" and isinstance(value, _Scalar) and value.kind == "number":
            self.notes.add(Repair.REPAIRED_JSON)
            self.position = token.start
            return True
        raise _BrokenError(token.start)

    def _take(self) -> _Token:
        while match := _TOKEN.match(self.text, self.position):
            start, self.position = match.span()
            kind, text = str(match.lastgroup), match.group()
            if kind == "comment":
                self.notes.add(Repair.REPAIRED_JSON)
            elif kind != "space":
                return _Token(kind, self._plain_sign(text) if kind == "sign" else text, start)
        raise _BrokenError(self.position)

    def _plain_sign(self, text: str) -> str:
        plain = text.translate(_FULL_WIDTH)
        if plain != text:
            self.notes.add(Repair.REPAIRED_JSON)
        return plain

    def _scalar(self, token: _Token) -> _Scalar:
        if token.kind == "string":
            if token.text[0] != '"':
                python = token.text[0] == "'"
                self.notes.add(Repair.PYTHON_DICT if python else Repair.REPAIRED_JSON)
            return _Scalar("string", _ESCAPE.sub(_unescaped, token.text[1:-1]))
        if token.kind == "number":
            if token.text[0] in ".+" or re.match(r"-?(?:\.|[0-9]+\.(?![0-9]))", token.text):
                self.notes.add(Repair.REPAIRED_JSON)
            return _Scalar("number", token.text)
        if token.text not in ("true", "false", "null"):
            python = token.text in ("True", "False", "None")
            self.notes.add(Repair.PYTHON_DICT if python else Repair.REPAIRED_JSON)
        return _Scalar("word", token.text)


def _unescaped(match: re.Match[str]) -> str:
    code, sign = match.groups()
    return chr(int(code, 16)) if code else {"n": "\n", "t": "\t", "r": "\r"}.get(sign, sign)


# --- which object is the answer ------------------------------------------------------------------

_Entries: TypeAlias = list[tuple[str, _Value]]

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
class _Piece:
    """An object or list in the text, readable or not."""

    start: int
    end: int
    resume: int
    value: _Value | None
    notes: set[Repair] = field(default_factory=set)
    entries: _Entries = field(default_factory=list)
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


def _pieces(text: str) -> Iterable[_Piece]:
    position = 0
    while opening := _OPENING.search(text, position):
        start = opening.start()
        reader = _Reader(text, start)
        try:
            value = reader.value()
            piece = _Piece(start, reader.position, reader.position, value, reader.notes)
        except _BrokenError as broken:
            # Reading goes on where it stopped, not behind the opening: one pass over any text.
            bracket = _BRACKET.search(text, broken.position)
            end = bracket.start() if bracket else len(text)
            piece = _Piece(start, end, broken.position, None)
        yield piece
        position = piece.resume


def _classified(piece: _Piece, text: str, vocabulary: _Vocabulary) -> _Piece:
    """Decide whether the piece can be the answer: whether it says anything about a label."""
    if piece.value is None:
        piece.failure = _why_broken(piece, text)
        shown = text[piece.start : piece.end]
        mentioned = vocabulary.mentioned_in(shown)
        if piece.failure is Failure.TRUNCATED:
            piece.decides = mentioned or "{" in shown.translate(_FULL_WIDTH)
        else:
            piece.decides = mentioned and any(sign.isdecimal() for sign in shown)
        return piece
    try:
        piece.entries = _entries(piece.value, vocabulary, piece.notes)
    except _FailedError as failed:
        piece.failure = failed.failure
    piece.decides = bool(piece.entries or piece.failure)
    return piece


def _why_broken(piece: _Piece, text: str) -> Failure:
    closing = "}\uff5d" if text[piece.start] in "{\uff5b" else "]\uff3d"
    closed = max(text.rfind(sign, piece.resume) for sign in closing) >= 0
    return Failure.MALFORMED if closed else Failure.TRUNCATED


def _why_nothing(found: Sequence[_Piece], text: str) -> Failure:
    objects = [
        piece for piece in found if isinstance(piece.value, _Object) or text[piece.start] == "{"
    ]
    if objects:
        value = objects[-1].value
        empty = isinstance(value, _Object) and not value.pairs
        return objects[-1].failure or (Failure.MISSING_LABEL if empty else Failure.UNKNOWN_LABEL)
    if any(isinstance(piece.value, _List) and _pairs(piece.value, set()) for piece in found):
        return Failure.UNKNOWN_LABEL
    return Failure.REFUSAL if is_refusal(text) else Failure.NO_OBJECT


def _entries(value: _Value, vocabulary: _Vocabulary, notes: set[Repair]) -> _Entries:
    """Find the keys and values of the distribution in an object or list; none if it names no label.

    Raises:
        _FailedError: Two places of the object could be the distribution.
    """
    if isinstance(value, _Scalar):
        return []
    if isinstance(value, _Object):
        own, inner = value.pairs, [item for _, item in value.pairs]
    else:
        own, inner = _pairs(value, notes), value.items
    inner_notes: set[Repair] = set()
    nested = [entries for item in inner if (entries := _entries(item, vocabulary, inner_notes))]
    # Reasons may be listed per label as well: numbers tell the distribution from them.
    numeric = [entries for entries in nested if any(_number(found) for _, found in entries)]
    if any(vocabulary.find(key) is not None for key, _ in own):
        if numeric and not isinstance(value, _List):
            raise _FailedError(Failure.MALFORMED)
        notes |= {Repair.LABEL_LIST} if isinstance(value, _List) else set()
        return own
    if len(numeric or nested) > 1:
        raise _FailedError(Failure.MALFORMED)
    if not nested:
        return []
    notes |= inner_notes | {Repair.NESTED}
    notes |= {Repair.EXTRA_TEXT} if len(inner) > 1 else set()
    return (numeric or nested)[0]


def _pairs(value: _List, notes: set[Repair]) -> _Entries:
    """The list as pairs of label and value; empty if any item is something else."""
    pairs = [pair for item in value.items if (pair := _pair(item, notes))]
    return pairs if len(pairs) == len(value.items) else []


def _pair(item: _Value, notes: set[Repair]) -> tuple[str, _Value] | None:
    label: _Value
    if isinstance(item, _List) and len(item.items) == 2:  # noqa: PLR2004 - a pair
        label, value = item.items
    elif isinstance(item, _Object) and len(item.pairs) == 1:
        label, value = _Scalar("string", item.pairs[0][0]), item.pairs[0][1]
    elif isinstance(item, _Object):
        named = [found for key, found in item.pairs if _normal(key) in _LABEL_FIELDS]
        valued = [found for key, found in item.pairs if _normal(key) in _VALUE_FIELDS]
        if len(named) != 1 or len(valued) != 1:
            return None
        label, value = named[0], valued[0]
        if len(item.pairs) > len(named + valued):
            notes.add(Repair.EXTRA_TEXT)
    else:
        return None
    if isinstance(label, _Scalar) and label.kind != "number" and isinstance(value, _Scalar):
        return label.text, value
    return None


def _chosen(
    candidates: Sequence[_Piece], text: str, vocabulary: _Vocabulary, notes: set[Repair]
) -> _Entries:
    last = candidates[-1]
    if last.failure:
        raise _FailedError(last.failure)
    notes |= last.notes | _around(text[: last.start], text[last.end :])
    if len(candidates) > 1:
        notes.add(Repair.SEVERAL_OBJECTS)
        before = _named(candidates[-2], vocabulary)
        # One object per label: the last is a piece of the answer, not the answer.
        if before and before.isdisjoint(_named(last, vocabulary)):
            raise _FailedError(Failure.MISSING_LABEL)
    return last.entries


def _named(piece: _Piece, vocabulary: _Vocabulary) -> set[int]:
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


# --- lists without an object ---------------------------------------------------------------------

# A comma before a digit may be a decimal one, so the item is left whole and is then no entry.
_BETWEEN_ITEMS = re.compile(r"[\n;\uff1b]|[,\uff0c](?![0-9])")
_BULLET = re.compile(
    r"[\s>|]*(?:(?:[-+*\u2013\u2022]|[0-9]{1,2}[.)])\s+)?(?:and\s+)?", re.IGNORECASE
)
_ITEM_VALUE = re.compile(rf"[:=|\uff1a]\s*[\"'*_`]*\s*(?P<number>{_NUMBER})[\s\"'*_`|.]*\Z")
_MAX_ITEM = 300


def _plain_entries(text: str, vocabulary: _Vocabulary, notes: set[Repair]) -> _Entries:
    """The entries of a list like `- happy: 40%`; none unless it has every label exactly once."""
    entries: _Entries = []
    around: set[Repair] = set()
    for item in _BETWEEN_ITEMS.split(text):
        value = _ITEM_VALUE.search(item[-_MAX_ITEM:])
        if value:
            head = item[-_MAX_ITEM:][: value.start()]
            lead, _, key = head.replace("\uff1a", ":").rpartition(":")
            entries.append((key[_bullet_length(key) :], _Scalar("number", value["number"])))
            around |= {Repair.SURROUNDING_TEXT} if lead or len(item) > _MAX_ITEM else set()
        elif item.strip():
            fence = item.strip().startswith(("```", "~~~"))
            around.add(Repair.CODE_FENCE if fence else Repair.SURROUNDING_TEXT)
    listed = [index for key, _ in entries if (index := vocabulary.find(key)) is not None]
    if sorted(listed) != list(range(vocabulary.size)):
        return []
    notes |= around
    return entries


def _bullet_length(key: str) -> int:
    bullet = _BULLET.match(key)
    return bullet.end() if bullet else 0


# --- numbers -------------------------------------------------------------------------------------


class _Number(NamedTuple):
    value: float
    percent: bool


def _distribution(
    entries: _Entries, vocabulary: _Vocabulary, notes: set[Repair]
) -> tuple[float, ...]:
    given = _by_label(entries, vocabulary, notes)
    _ignore_unknown(entries, vocabulary, notes)
    scale = _scale(given.values(), notes)
    shares = [given[at].value / scale if at in given else 0.0 for at in range(vocabulary.size)]
    total = _total(shares)
    close = abs(total - 1) <= SUM_TOLERANCE + _EPSILON
    if len(given) < vocabulary.size:
        if not close:
            raise _FailedError(Failure.MISSING_LABEL)
        notes.add(Repair.UNLISTED_ZERO)
    if total == 0:
        raise _FailedError(Failure.ZERO_SUM)
    if not MIN_SUM - _EPSILON <= total <= MAX_SUM + _EPSILON:
        raise _FailedError(Failure.BAD_SUM)
    if max(shares) > 1 + SUM_TOLERANCE + _EPSILON:
        raise _FailedError(Failure.OUT_OF_RANGE)
    if not close:
        notes.add(Repair.RENORMALISED)
    return tuple(share / total for share in shares)


def _by_label(entries: _Entries, vocabulary: _Vocabulary, notes: set[Repair]) -> dict[int, _Number]:
    """The number of each label; checks go by kind, so the order of the keys does not matter."""
    given: dict[int, list[_Number]] = {}
    for key, value in entries:
        index = vocabulary.find(key)
        if index is None:
            continue
        number = _number(value)
        if number is None or not math.isfinite(number.value):
            raise _FailedError(Failure.NOT_A_NUMBER)
        given.setdefault(index, []).append(number)
        if isinstance(value, _Scalar) and value.kind == "string":
            notes.add(Repair.QUOTED_NUMBER)
        if vocabulary.is_form(key):
            notes.add(Repair.WORD_FORM)
    if any(number.value < 0 for numbers in given.values() for number in numbers):
        raise _FailedError(Failure.NEGATIVE)
    if any(len(set(numbers)) > 1 for numbers in given.values()):
        raise _FailedError(Failure.DUPLICATE_LABEL)
    if any(len(numbers) > 1 for numbers in given.values()):
        notes.add(Repair.REPEATED_LABEL)
    return {index: numbers[0] for index, numbers in given.items()}


def _ignore_unknown(entries: _Entries, vocabulary: _Vocabulary, notes: set[Repair]) -> None:
    for key, value in entries:
        if vocabulary.find(key) is None:
            number = _number(value)
            if number and number.value != 0:
                raise _FailedError(Failure.UNKNOWN_LABEL)
            notes.add(Repair.UNKNOWN_ZERO if number else Repair.EXTRA_TEXT)


def _number(value: _Value) -> _Number | None:
    if not isinstance(value, _Scalar):
        return None
    text = value.text.strip()
    if not _WHOLE_NUMBER.fullmatch(text):
        return None
    digits = text.rstrip("%\uff05 \t")
    return _Number(float(digits) + 0.0, digits != text)  # + 0.0: no negative zero


def _scale(numbers: Iterable[_Number], notes: set[Repair]) -> float:
    """What the numbers are parts of: 1 or 100."""
    positive = [number for number in numbers if number.value > 0]
    if len({number.percent for number in positive}) > 1:
        raise _FailedError(Failure.MIXED_UNITS)
    signed = any(number.percent for number in positive)
    if not signed and not _looks_percent([number.value for number in positive]):
        return 1.0
    notes.add(Repair.PERCENT)
    return 100.0


def _looks_percent(values: Sequence[float]) -> bool:
    total = _total(values) / 100
    if max(values, default=0) > RATING_TOP:
        return MIN_SUM - _EPSILON <= total <= MAX_SUM + _EPSILON
    return abs(total - 1) <= SUM_TOLERANCE + _EPSILON


def _total(values: Iterable[float]) -> float:
    """The sum, smallest first: the same for every order of the keys; an overflow is infinity."""
    return sum(sorted(values))
