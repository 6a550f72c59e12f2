"""A board's folder -> a folder of pages."""

import datetime
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.board import SUBMISSIONS, Board
from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.exports.files import export_files
from ambi_tasks.leaderboard.files import JSON_BYTES, TABLE_BYTES, FileError, read_plain
from ambi_tasks.leaderboard.reading import ANSWERS, PREDICTIONS, SUBMISSION
from ambi_tasks.leaderboard.site.downloads import downloads
from ambi_tasks.leaderboard.site.pages import ASSETS, pages
from ambi_tasks.leaderboard.site.standings import Standings, Step, standings
from ambi_tasks.leaderboard.site.wording import EXPORTS, file_path
from ambi_tasks.leaderboard.submission import ModelSubmission, ScoreRecord
from ambi_tasks.statistics.bootstrap import RESAMPLES

_OURS = ("assets", "corpora", "data", "entries", EXPORTS)
_MARK = "data/board.json"  # says that a folder is a site of ours, which may be replaced


@dataclass(frozen=True, slots=True)
class Built:
    """What was written.

    Attributes:
        index: The first page.
        pages: How many there are.
        entries: How many entries, references included.
    """

    index: Path
    pages: int
    entries: int


def build_site(
    board: Board,
    source: Path,
    folder: Path,
    *,
    day: datetime.date | None = None,
    resamples: int = RESAMPLES,
    step: Step = lambda: None,
) -> Built:
    """Write the pages of a board.

    Args:
        board: As read from `source`.
        source: The folder that holds `submissions`, whose files are copied.
        folder: Where to; a site that is there is replaced.
        day: Of the ranks, since some entries expire; today by default.
        resamples: Of the speakers.
        step: Is called once for each entry.

    Raises:
        UserError: The folder holds something else, or cannot be written.
    """
    day = day or datetime.datetime.now(datetime.timezone.utc).date()
    found = standings(board.entries, day, resamples=resamples, step=step)
    written = 0
    try:
        _clear(folder)
        for path, text in pages(found, board.refused):
            _write(folder, path, text.encode())
            written += 1
        for name, content in downloads(found).items():
            _write(folder, f"data/{name}", content)
        for name, text in _exports(board, found, day).items():
            _write(folder, f"{EXPORTS}/{name}", text.encode())
        for name in ASSETS:
            asset = files("ambi_tasks.leaderboard.site") / "assets" / name
            _write(folder, f"assets/{name}", asset.read_bytes())
        for entry in board.entries:
            _copy(entry, source, folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error}).") from error
    return Built(folder / "index.html", written, len(board.entries))


def _exports(board: Board, found: Sequence[Standings], day: datetime.date) -> dict[str, str]:
    """With the scores that the pages show: computing them again would take as long once more."""
    known = {one.entry.key: one.scores for group in found for one in group.everybody}
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc)
    return export_files(
        board.entries,
        midnight,
        scores_of=lambda entry: {
            name: ScoreRecord.of(score) for name, score in known[entry.key].items()
        },
    )


def _clear(folder: Path) -> None:
    """Make room, without taking away what is not ours."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise UserError(f"{folder} holds something that is no site of a board; choose another.")
    for name in _OURS:
        shutil.rmtree(folder / name, ignore_errors=True)


def _write(folder: Path, path: str, content: bytes) -> None:
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def _copy(entry: Entry, source: Path, folder: Path) -> None:
    """The submission's own files, read as a stranger's once more."""
    submission = entry.submission
    names = {SUBMISSION: JSON_BYTES}
    if submission.predictions is not None:
        names[PREDICTIONS] = TABLE_BYTES
    if isinstance(submission, ModelSubmission) and submission.answers is not None:
        names[ANSWERS] = TABLE_BYTES
    for name, limit in names.items():
        place = source / SUBMISSIONS / entry.key / name
        try:
            _write(folder, file_path(entry.key, name), read_plain(place, limit).data)
        except FileError as error:
            raise UserError(f"{place} {error}.") from error
