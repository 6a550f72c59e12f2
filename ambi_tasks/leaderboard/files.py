"""Reading files of strangers: plain files alone, so many bytes and no more, before and after gzip.

Nothing here trusts a name, a size or a header. A file is opened without following a symbolic link,
without waiting for the other end of a pipe, and read up to a limit; what unpacks to more than its
limit is given up at the limit.
"""

import hashlib
import io
import json
import math
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JSON_BYTES = 256 * 1024
TABLE_BYTES = 32 * 1024**2
UNPACKED_BYTES = 128 * 1024**2
LINE_BYTES = 8 * 1024

_CHUNK = 1024**2
_GZIP = 16 + zlib.MAX_WBITS
_DIGITS = 40  # of a number in JSON; a float64 needs 17


class FileError(Exception):
    """What is wrong with a file, in a clause that goes on from its name.

    Attributes:
        place: Where in the file; empty for the whole of it.
    """

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Content:
    """A file that was read.

    Attributes:
        data: Its bytes.
        sha256: Their hash.
    """

    data: bytes
    sha256: str


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted; symbolic links are not followed.

    Raises:
        FileError: It is no folder, or a link to one.
    """
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise FileError("is no folder")
        with os.scandir(folder) as found:
            return sorted(found, key=lambda one: one.name)
    except OSError as error:
        raise FileError(f"cannot be read ({error.strerror})") from error


def read_plain(path: Path, limit: int) -> Content:
    """Read a plain file.

    Args:
        path: Of the file.
        limit: Bytes that it may have.

    Raises:
        FileError: It is missing, no plain file, or larger.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_BINARY", 0)
    try:
        if stat.S_ISLNK(path.lstat().st_mode):
            raise FileError("is a symbolic link; put the file itself there")
        handle = os.open(path, flags)
    except FileNotFoundError as error:
        raise FileError("is missing") from error
    except OSError as error:
        raise FileError(f"cannot be read ({error.strerror})") from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise FileError("is no plain file")
        if found.st_size > limit:
            raise FileError(f"has {found.st_size:,} bytes, but at most {limit:,} are read")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(handle)
    if len(data) > limit:
        raise FileError(f"has more than the {limit:,} bytes that are read")
    return Content(data, hashlib.sha256(data).hexdigest())


def unpacked_lines(
    data: bytes, *, limit: int = UNPACKED_BYTES, line_limit: int = LINE_BYTES
) -> Iterator[str]:
    """The lines of a text that was packed with gzip, without their ends.

    Args:
        data: One member of gzip, and nothing behind it.
        limit: Bytes that it may unpack to.
        line_limit: Bytes that a line may have.

    Raises:
        FileError: It is not gzip, damaged, too large, or not UTF-8.
    """
    stream = io.BufferedReader(_Unpacked(data, limit), _CHUNK)
    number = 0
    while line := stream.readline(line_limit + 1):
        number += 1
        if len(line) > line_limit:
            raise FileError(f"has more than {line_limit:,} bytes", f"line {number}")
        if not line.endswith(b"\n"):
            raise FileError("breaks off", f"line {number}")
        try:
            yield line[:-1].decode("utf-8")
        except UnicodeDecodeError as error:
            raise FileError("is not UTF-8", f"line {number}") from error


def pack(lines: Sequence[str]) -> bytes:
    """Pack lines with gzip: equal lines, equal bytes (of one zlib); no name and no time in it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    text = "".join(f"{line}\n" for line in lines).encode()
    return packer.compress(text) + packer.flush()


class _Unpacked(io.RawIOBase):
    """The content of one gzip member, up to a limit."""

    def __init__(self, data: bytes, limit: int) -> None:
        self._left, self._room = data, limit
        self._limit = limit
        self._unpacker = zlib.decompressobj(_GZIP)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            part = self._unpacker.decompress(self._left, min(len(buffer), self._room + 1))
        except zlib.error as error:
            raise FileError(f"is not gzip, or damaged ({error})") from error
        self._left = self._unpacker.unconsumed_tail
        self._room -= len(part)
        if self._room < 0:
            raise FileError(f"unpacks to more than the {self._limit:,} bytes that are read")
        if not part:
            if not self._unpacker.eof:
                raise FileError("is cut off")
            if self._unpacker.unused_data:
                raise FileError("goes on behind the end of its gzip")
        buffer[: len(part)] = part
        return len(part)


def strict_json(data: bytes) -> Any:
    """Read JSON as the standard has it, where each key stands once.

    Args:
        data: UTF-8 without a byte-order mark.

    Raises:
        FileError: It is not JSON, a key stands twice, or a number is not finite, too long or beyond
            float64.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_each_once,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_short,
        )
    except UnicodeDecodeError as error:
        raise FileError("is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise FileError(f"is not JSON ({error.msg})", f"line {error.lineno}") from error
    except RecursionError as error:
        raise FileError("is nested too deeply") from error


def quoted(text: str, longest: int = 60) -> str:
    r"""A stranger's text for a message: ASCII in one line, cut, between quotes.

    >>> print(quoted("a\u202eb"), quoted("x" * 99, 3))
    'a\u202eb' 'xxx...'
    """
    shown = text if len(text) <= longest else f"{text[:longest]}..."
    return ascii(shown).replace("`", "\\x60")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for name in found if names.count(name) > 1)
        raise FileError(f"has the key {quoted(again)} twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise FileError(f"holds {name}, which is no number of JSON")


def _finite(text: str) -> float:
    value = float(text[:_DIGITS]) if len(text) <= _DIGITS else math.inf
    if not math.isfinite(value):
        raise FileError(f"holds the number {quoted(text, 20)}, which is too large or too long")
    return value


def _short(text: str) -> int:
    if len(text) > _DIGITS:
        raise FileError(f"holds the number {quoted(text, 20)}, which is too long")
    return int(text)
