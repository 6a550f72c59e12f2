"""The reader of objects and lists: JSON, and what models write in its place."""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from ambi_tasks.answers.outcome import Repair

_MAX_DEPTH = 8  # no answer nests deeper, and the reader recurses

NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?:[ \t]*[%\uff05])?"
_TOKEN = re.compile(
    rf"""
      (?P<space>\s+)
    | (?P<comment>(?://|\#)[^\n]*)
    | (?P<string>"[^"\\]*(?:\\.[^"\\]*)*" | '[^'\\]*(?:\\.[^'\\]*)*'
        | [\u201c\u201d\u201e][^\u201c\u201d\u201e]*[\u201c\u201d] | \u2018[^\u2018\u2019]*\u2019)
    | (?P<number>{NUMBER}(?![\w.%]))
    | (?P<word>[+-]?[^\W\d]\w*(?:[ \t-]+[^\W\d]\w*)*)
    | (?P<sign>[{{}}\[\]():,\uff5b\uff5d\uff3b\uff3d\uff08\uff09\uff1a\uff0c])
    """,
    re.VERBOSE | re.DOTALL,
)
FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, a number, or a word without quotes."""

    kind: Literal["string", "number", "word"]
    text: str


@dataclass(frozen=True, slots=True)
class Object:
    """Keys with values, in their order."""

    pairs: list[tuple[str, "Value"]]  # not a dict: that would hide keys that occur twice


@dataclass(frozen=True, slots=True)
class List:
    """Values in square or round brackets."""

    items: list["Value"]


Value: TypeAlias = Scalar | Object | List
Entries: TypeAlias = list[tuple[str, Value]]


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


class BrokenError(Exception):
    """There is no value; reading stopped at `position`."""

    def __init__(self, position: int):
        super().__init__(position)
        self.position = position


class Reader:
    """Reads one object or list, and notes where it is not JSON."""

    def __init__(self, text: str, position: int):
        self.text = text
        self.position = position
        self.notes: set[Repair] = set()

    def value(self, depth: int = 0) -> Value:
        """Read the value at the position.

        Raises:
            BrokenError: There is none; the error says where reading stopped.
        """
        token = self._take()
        if token.kind != "sign":
            return self._scalar(token)
        if depth < _MAX_DEPTH and token.text == "{":
            return self._object(depth)
        if depth < _MAX_DEPTH and token.text in "[(":
            return self._list("]" if token.text == "[" else ")", depth)
        raise BrokenError(token.start)

    def _object(self, depth: int) -> Object:
        pairs: list[tuple[str, Value]] = []
        more = True
        while more and not self._closes("}", after_comma=bool(pairs)):
            token = self._take()
            if token.kind not in ("string", "word"):
                raise BrokenError(token.start)
            key = self._scalar(token).text
            colon = self._take()
            if (colon.kind, colon.text) != ("sign", ":"):
                raise BrokenError(colon.start)
            value = self.value(depth + 1)
            pairs.append((key, value))
            more = self._continues("}", value)
        return Object(pairs)

    def _list(self, close: str, depth: int) -> List:
        if close == ")":
            self.notes.add(Repair.PYTHON_DICT)
        items: list[Value] = []
        more = True
        while more and not self._closes(close, after_comma=bool(items)):
            items.append(self.value(depth + 1))
            more = self._continues(close, items[-1])
        return List(items)

    def _closes(self, close: str, *, after_comma: bool) -> bool:
        token = self._take()
        if (token.kind, token.text) != ("sign", close):
            self.position = token.start
            return False
        if after_comma:
            self.notes.add(Repair.REPAIRED_JSON)
        return True

    def _continues(self, close: str, value: Value) -> bool:
        token = self._take()
        if token.kind == "sign" and token.text in (close, ","):
            return token.text == ","
        # A forgotten comma: a number cannot go on with a quoted key, so there is one reading only.
        if token.kind == "string" and isinstance(value, Scalar) and value.kind == "number":
            self.notes.add(Repair.REPAIRED_JSON)
            self.position = token.start
            return True
        raise BrokenError(token.start)

    def _take(self) -> _Token:
        while match := _TOKEN.match(self.text, self.position):
            start, self.position = match.span()
            kind, text = str(match.lastgroup), match.group()
            if kind == "comment":
                self.notes.add(Repair.REPAIRED_JSON)
            elif kind != "space":
                return _Token(kind, self._plain_sign(text) if kind == "sign" else text, start)
        raise BrokenError(self.position)

    def _plain_sign(self, text: str) -> str:
        plain = text.translate(FULL_WIDTH)
        if plain != text:
            self.notes.add(Repair.REPAIRED_JSON)
        return plain

    def _scalar(self, token: _Token) -> Scalar:
        if token.kind == "string":
            if token.text[0] != '"':
                python = token.text[0] == "'"
                self.notes.add(Repair.PYTHON_DICT if python else Repair.REPAIRED_JSON)
            return Scalar("string", _ESCAPE.sub(_unescaped, token.text[1:-1]))
        if token.kind == "number":
            if token.text[0] in ".+" or re.match(r"-?(?:\.|[0-9]+\.(?![0-9]))", token.text):
                self.notes.add(Repair.REPAIRED_JSON)
            return Scalar("number", token.text)
        if token.text not in ("true", "false", "null"):
            python = token.text in ("True", "False", "None")
            self.notes.add(Repair.PYTHON_DICT if python else Repair.REPAIRED_JSON)
        return Scalar("word", token.text)


def _unescaped(match: re.Match[str]) -> str:
    code, sign = match.groups()
    return chr(int(code, 16)) if code else {"n": "\n", "t": "\t", "r": "\r"}.get(sign, sign)
