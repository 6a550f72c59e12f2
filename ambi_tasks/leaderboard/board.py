"""The board: all entries of a folder, with the runs that statistics read, where votes are known.

This is what a site, a table or an export is made from; nothing else reads the folder.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.files import FileError, entries, quoted
from ambi_tasks.leaderboard.reading import LEVELS, SUBMISSION, Finding, read_submission
from ambi_tasks.leaderboard.validation import examine
from ambi_tasks.leaderboard.words import looks

SUBMISSIONS = "submissions"
MAX_ENTRIES = 5_000


@dataclass(frozen=True, slots=True)
class Board:
    """All that lies in a folder of submissions.

    Attributes:
        entries: Those without a fault, sorted by key.
        refused: Findings about the others.
    """

    entries: tuple[Entry, ...]
    refused: tuple[Finding, ...]


def read_board(
    board: Path,
    metadata: Mapping[str, Any] | None = None,
    *,
    thorough: bool = True,
    step: Callable[[int], None] = lambda _: None,
) -> Board:
    """Read and examine all submissions of a board, but for their answers.

    Args:
        board: The folder that holds `submissions`.
        metadata: Where corpora lie, as for lm_eval; else the environment's `CREMA_D_ROOT` and its
            like.
        thorough: See `examine`.
        step: Is called after each folder, with how many there are.

    Raises:
        UserError: There is no folder `submissions`, or a corpus's folder is named but cannot be
            read.
    """
    accepted: list[Entry] = []
    refused: list[Finding] = []
    seen: dict[str, str] = {}
    if not (board / SUBMISSIONS).is_dir():
        raise UserError(f"{board} is no board: there is no folder '{SUBMISSIONS}' in it.")
    places = list(find_submissions(board))
    folders = [one for one in places if isinstance(one, Path)]
    refused.extend(one for one in places if isinstance(one, Finding))
    for found in folders:
        examined = examine(read_submission(found), metadata, thorough=thorough, answers=False)
        step(len(folders))
        if examined.entry is None:
            refused.extend(one for one in examined.findings if one.severity == "fault")
            continue
        if found_twin := twin(examined.entry, seen):
            refused.append(found_twin)
            continue
        accepted.append(examined.entry)
    return Board(tuple(sorted(accepted, key=lambda one: one.key)), tuple(refused))


def twin(entry: Entry, seen: dict[str, str]) -> Finding | None:
    """Tell of an entry whose key differs from another one's in upper and lower case alone.

    Args:
        entry: The next one.
        seen: Case-folded keys of those before it -> key; it is added.
    """
    other = seen.setdefault(entry.key.casefold(), entry.key)
    if other == entry.key:
        return None
    said = f"differs from {other} in upper and lower case alone"
    return Finding("fault", entry.key, "", said)


def look_alike(entry: Entry, board: Board) -> Finding | None:
    """Tell of a model on the board whose name looks like an entry's, but is another.

    Args:
        entry: New, or on the board already.
        board: What is there.
    """
    name = entry.key.partition("/")[0]
    others = {one.key.partition("/")[0] for one in board.entries} - {name}
    for other in sorted(others, key=lambda one: (one.casefold() != name.casefold(), one)):
        if looks(other) == looks(name):
            file = f"{entry.key}/{SUBMISSION}"
            if other.casefold() == name.casefold():
                said = f"is {other} on the board, in another upper and lower case"
                return Finding("fault", file, "model.name", said)
            said = f"{name} looks like {other}, which is on the board"
            return Finding("warning", file, "model.name", said)
    return None


def find_submissions(path: Path) -> Iterator[Path | Finding]:
    """The folders of submissions at or below a path, and what lies where no folder belongs.

    Args:
        path: A submission's folder, one above it, or a board (the folder that holds `submissions`).
    """
    if (path / SUBMISSIONS).is_dir():
        yield from _below(path, path / SUBMISSIONS, LEVELS)
        return
    level, folder = 0, path
    while level < LEVELS and (inside := _folders(folder)) and not _is_submission(folder):
        level, folder = level + 1, inside[0]
    yield from _below(path.parent, path, level)


def _is_submission(folder: Path) -> bool:
    return os.path.lexists(folder / SUBMISSION)


def _folders(folder: Path) -> list[Path]:
    """What folders lie in one; none where it cannot be read, which its reader will say."""
    try:
        return [Path(one.path) for one in entries(folder) if one.is_dir(follow_symlinks=False)]
    except FileError:
        return []


def _below(board: Path, start: Path, levels: int) -> Iterator[Path | Finding]:
    """The folders so many levels below one."""
    found = [start]
    for _ in range(levels):
        below: list[Path] = []
        for folder in found:
            try:
                inside = entries(folder)
            except FileError as error:
                yield Finding("fault", _key(board, folder), "", str(error))
                continue
            for one in inside:
                path = Path(one.path)
                if one.is_dir(follow_symlinks=False):
                    below.append(path)
                else:
                    yield Finding("fault", _key(board, path), "", "is no folder, where all are")
        found = below
        if len(found) > MAX_ENTRIES:
            yield Finding("fault", _key(board, start), "", f"has more than {MAX_ENTRIES:,} folders")
            return
    yield from found


def _key(board: Path, path: Path) -> str:
    return "/".join(quoted(part, 200)[1:-1] for part in path.relative_to(board).parts)
