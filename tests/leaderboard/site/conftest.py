"""A board of invented models on two corpora whose votes are at hand."""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ambi_tasks.leaderboard.board import Board, read_board
from ambi_tasks.leaderboard.site.build import build_site
from ambi_tasks.leaderboard.site.standings import Standings, standings
from tests.leaderboard.site.builders import (
    Invented,
    write_entries,
    write_look_alike,
    write_references,
)

RESAMPLES = 400
DAY = datetime.date(2026, 12, 1)

MODELS = (
    Invented("Hearing 7B", "direct", 0.3),
    Invented("Hearing 7B", "sc", 0.45, with_curve=True, link="https://example.org/paper"),
    Invented("Hearing 7B", "sc", 0.5, draws=64, variant="64-draws"),
    Invented("Hearing 7B", "cot", 0.25),
    Invented("Listener 3B", "direct", 0.25, parameters=3_000_000_000),
    Invented("Listener 3B", "walmv", 0.35, parameters=3_000_000_000, tokens=None),
    Invented("Closed Pro", "direct", 0.6, "Big Co", parameters=None, weights="closed"),
)


@dataclass(frozen=True)
class Written:
    """A board on disk, read, scored, and its pages.

    Attributes:
        source: The folder that holds `submissions`.
        metadata: Where votes lie.
        board: As read.
        found: Its numbers.
        site: The folder of its pages.
    """

    source: Path
    metadata: dict[str, Any]
    board: Board
    found: list[Standings]
    site: Path

    def of(self, corpus: str) -> Standings:
        """The numbers of a corpus."""
        return next(one for one in self.found if one.corpus.name == corpus)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A look-alike of CREMA-D, and the demo corpus."""
    folder = tmp_path_factory.mktemp("site")
    source = folder / "board"
    here = {"crema_d_root": str(write_look_alike(folder / "here"))}
    write_entries(source, "crema_d", here, list(MODELS))
    write_references(source, "crema_d", here)
    write_entries(source, "demo", {}, list(MODELS[:2]))
    write_references(source, "demo", {})
    board = read_board(source, here)
    assert board.refused == ()
    build_site(board, source, folder / "pages", day=DAY, resamples=RESAMPLES)
    return Written(
        source, here, board, standings(board.entries, DAY, resamples=RESAMPLES), folder / "pages"
    )
