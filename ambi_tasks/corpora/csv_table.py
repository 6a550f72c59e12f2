"""Reading a CSV table with messages that name file, line and column."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from ambi_tasks.errors import UserError


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield a table's rows.

    Args:
        path: A CSV file with a header, UTF-8 with or without a byte-order mark.
        columns: Columns that must be there and filled in every row.

    Yields:
        `file:line` for messages, and the row as column -> text.

    Raises:
        UserError: The file is missing, not text, lacks a column, or a row lacks a value.
    """
    if not path.is_file():
        raise UserError(f"{path}: the file is missing.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if lacking := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise UserError(f"{path}:1: the header lacks the column(s) {', '.join(lacking)}.")
            for row in reader:
                where = f"{path}:{reader.line_num}"
                if empty := [name for name in columns if not (row[name] or "").strip()]:
                    raise UserError(f"{where}: no value for {', '.join(empty)}.")
                yield where, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a UTF-8 CSV table ({error}).") from error
