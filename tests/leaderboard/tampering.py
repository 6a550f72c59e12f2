"""Changing a submission, so that nothing but the change is wrong with it."""

import hashlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ambi_tasks.leaderboard.reading import ANSWERS, PREDICTIONS, SUBMISSION, read_submission
from ambi_tasks.leaderboard.validation import examine


def content_of(entry: Path) -> dict[str, Any]:
    """What its JSON says."""
    return json.loads((entry / SUBMISSION).read_text(encoding="utf-8"))


def edit(entry: Path, place: str, value: Any) -> None:
    """Set a field, named like `model.name`."""
    content = content_of(entry)
    *parts, last = place.split(".")
    found = content
    for part in parts:
        found = found[part]
    found[last] = value
    (entry / SUBMISSION).write_text(json.dumps(content), encoding="utf-8")


def packed(data: bytes) -> bytes:
    """As gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def put_table(
    entry: Path, data: bytes, *, name: str = PREDICTIONS, rows: int | None = None
) -> None:
    """Put packed bytes in place of a table, under the hash that the JSON then says."""
    (entry / name).write_bytes(data)
    field = {PREDICTIONS: "predictions", ANSWERS: "answers"}[name]
    edit(entry, f"{field}.sha256", hashlib.sha256(data).hexdigest())
    if rows is not None:
        edit(entry, f"{field}.rows", rows)


def rows_of(entry: Path, name: str = PREDICTIONS) -> list[str]:
    """The lines of a table."""
    return zlib.decompress((entry / name).read_bytes(), 16 + zlib.MAX_WBITS).decode().splitlines()


def change_rows(
    entry: Path, change: Callable[[list[str]], list[str]], name: str = PREDICTIONS
) -> None:
    """Change the lines of a table."""
    lines = change(rows_of(entry, name))
    put_table(entry, packed("".join(f"{line}\n" for line in lines).encode()), name=name)


def faults(entry: Path) -> list[str]:
    """What keeps it from the board, a sentence each."""
    found = examine(read_submission(entry)).findings
    return [str(one) for one in found if one.severity == "fault"]


def warnings(entry: Path) -> list[str]:
    """What looks wrong, a sentence each."""
    found = examine(read_submission(entry)).findings
    return [str(one) for one in found if one.severity == "warning"]
