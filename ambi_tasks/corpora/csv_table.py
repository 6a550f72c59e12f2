"""Reading a CSV table with messages that name file, line and column."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ambi_tasks.errors import UserError

_SURPLUS = "\0surplus"  # a key that no header holds
_LFS_STUB_START = "version https://git-lfs"


def rows(
    path: Path,
    columns: Sequence[str],
    *,
    may_be_empty: Sequence[str] = (),
    undecodable: Literal["strict", "replace"] = "strict",
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield a table's rows.

    Args:
        path: A CSV file with a header, UTF-8 with or without a byte-order mark.
        columns: Columns that must be there and filled in every row.
        may_be_empty: Columns that must be there.
        undecodable: `replace` where free text of unknown encoding is nothing to stop for.

    Yields:
        `file:line` for messages, and the row as column -> text.

    Raises:
        UserError: The file is missing, not text, lacks or doubles a column, or a row lacks a value
            or has too many.
    """
    with _open(path, undecodable) as reader:
        _check_header(path, reader.fieldnames or (), [*columns, *may_be_empty])
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if _SURPLUS in row or None in row.values():
                raise UserError(f"{where}: the row is not as long as the header.")
            if empty := [name for name in columns if not row[name].strip()]:
                raise UserError(f"{where}: no value for {_listed(empty)}.")
            yield where, row


def header(path: Path) -> Sequence[str]:
    """Read a table's columns alone.

    Raises:
        UserError: The file is missing or not text.
    """
    with _open(path, "replace") as reader:
        return reader.fieldnames or ()


@contextmanager
def _open(path: Path, undecodable: str) -> Iterator["csv.DictReader[str]"]:
    """Open a table; what goes wrong in reading it becomes a sentence."""
    if not path.is_file():
        raise UserError(f"{path}: the file is missing.")
    with path.open(encoding="utf-8-sig", errors=undecodable, newline="") as file:
        reader = csv.DictReader(file, restkey=_SURPLUS, strict=True)
        try:
            yield reader
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}: not UTF-8 text ({error}); restore the original file."
            ) from error
        except csv.Error as error:
            raise UserError(
                f"{path}:{reader.line_num + 1}: the row that starts here is not CSV ({error})."
            ) from error


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    if header and header[0].startswith(_LFS_STUB_START):
        raise UserError(f"{path}: a Git LFS stub, not a table; run `git lfs pull` in the corpus.")
    if lacking := [name for name in columns if name not in header]:
        raise UserError(f"{path}:1: the header lacks the column(s) {_listed(lacking)}.")
    if doubled := [name for name in columns if header.count(name) > 1]:
        raise UserError(f"{path}:1: the header has the column(s) {_listed(doubled)} twice.")


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(name or "'' (the unnamed one)" for name in columns)
