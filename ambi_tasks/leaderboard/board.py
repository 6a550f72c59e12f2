"""The board: all entries of a folder, with the runs that statistics read, where votes are known.

This is what a site, a table or an export is made from; nothing else reads the folder.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.files import FileError, entries, quoted
from ambi_tasks.leaderboard.reading import LEVELS, Finding, read_submission
from ambi_tasks.leaderboard.validation import examine

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
    board: Path, metadata: Mapping[str, Any] | None = None, *, thorough: bool = True
) -> Board:
    """Read and examine all submissions of a board.

    Args:
        board: The folder that holds `submissions`.
        metadata: Where corpora lie, as for lm_eval; else the environment's `CREMA_D_ROOT` and its
            like.
        thorough: See `examine`.

    Raises:
        UserError: A corpus's folder is named, but cannot be read.
    """
    accepted: list[Entry] = []
    refused: list[Finding] = []
    seen: dict[str, str] = {}
    for found in submission_folders(board):
        if isinstance(found, Finding):
            refused.append(found)
            continue
        examined = examine(read_submission(found), metadata, thorough=thorough)
        if examined.entry is None:
            refused.extend(one for one in examined.findings if one.severity == "fault")
            continue
        key = examined.entry.key
        if other := seen.get(key.casefold()):
            refused.append(
                Finding("fault", key, "", f"differs from {other} in upper and lower case alone")
            )
            continue
        seen[key.casefold()] = key
        accepted.append(examined.entry)
    return Board(tuple(sorted(accepted, key=lambda one: one.key)), tuple(refused))


def submission_folders(board: Path) -> Iterator[Path | Finding]:
    """The folders of submissions, and what lies where no folder belongs.

    Args:
        board: The folder that holds `submissions`.
    """
    found: list[Path] = [board / SUBMISSIONS]
    for level in range(LEVELS):
        below: list[Path] = []
        for folder in found:
            try:
                inside = entries(folder)
            except FileError as fault:
                yield Finding("fault", _key(board, folder), "", str(fault))
                continue
            for one in inside:
                path = Path(one.path)
                if one.is_dir(follow_symlinks=False):
                    below.append(path)
                else:
                    yield Finding("fault", _key(board, path), "", "is a file where folders belong")
        found = below
        if len(found) > MAX_ENTRIES:
            yield Finding("fault", SUBMISSIONS, "", f"has more than {MAX_ENTRIES:,} folders")
            return
        del level
    yield from found


def _key(board: Path, path: Path) -> str:
    return "/".join(quoted(part, 100)[1:-1] for part in path.relative_to(board).parts)
