"""A run of every strategy on the bundled corpus, its submissions, and nobody's own corpora."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ambi_tasks.leaderboard.making import Details, make_submitter, submissions_of
from ambi_tasks.leaderboard.truth import board_corpora
from ambi_tasks.leaderboard.writing import write_submission
from tests.scripted_run import run_all_strategies

DETAILS = Details(name="Scripted 1B", organization="Example Lab", parameters=10**9)


@pytest.fixture(scope="session", autouse=True)
def no_corpora() -> Iterator[None]:
    """The user's own copies are not the tests'."""
    with pytest.MonkeyPatch.context() as patch:
        for name in board_corpora():
            patch.delenv(f"{name.upper()}_ROOT", raising=False)
        yield


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all strategies on the bundled corpus, with answers from a script."""
    folder = tmp_path_factory.mktemp("results")
    run_all_strategies(folder, bootstrap_iters=10, draws=4)
    path = next(folder.rglob("results_*.json"))
    content = json.loads(path.read_text(encoding="utf-8"))
    content.setdefault("date", 1_767_323_045.0)
    content["config"]["adapter"] = "alm_hf"
    content["config"]["model_sha"] = "0" * 40
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def made_board(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with the submissions of that run."""
    board = tmp_path_factory.mktemp("board")
    submitter = make_submitter(name="Jane Doe", contact="jane@example.org")
    for submission, tables in submissions_of(finished_run, DETAILS, submitter):
        write_submission(board, submission, tables)
    return board


@pytest.fixture
def own_board(made_board: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may tamper with."""
    return shutil.copytree(made_board, tmp_path / "board")


@pytest.fixture
def entry(own_board: Path) -> Path:
    """The folder of one submission, which a test may tamper with."""
    return own_board / "submissions/Example-Lab__Scripted-1B/demo/walmv"
