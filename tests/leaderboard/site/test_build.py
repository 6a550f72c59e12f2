"""Writing a site: over an old one, never over anything else; by the command."""

import datetime
import json
import math
import shutil
from pathlib import Path

import pytest

from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.board import Board
from ambi_tasks.leaderboard.exports.files import BADGE, TABLE, record_path
from ambi_tasks.leaderboard.site.build import build_site
from tests.cli.runner import ambi
from tests.leaderboard.site.conftest import DAY, Written

BOARD = Path(__file__).parents[3] / "leaderboard"
MIDNIGHT = datetime.datetime.combine(DAY, datetime.time(), datetime.timezone.utc)


def test_an_old_site_is_replaced_and_nothing_stale_is_left(written: Written, tmp_path: Path):
    only = tuple(one for one in written.board.entries if "/demo/" in one.key)
    folder = tmp_path / "site"
    build_site(Board(only, ()), written.source, folder, resamples=10)
    fewer = tuple(one for one in only if one.is_reference)
    built = build_site(Board(fewer, ()), written.source, folder, resamples=10)
    assert built.entries == len(fewer)
    assert len(list(folder.rglob("*.html"))) == built.pages
    assert not list(folder.rglob("*Hearing*"))


def test_a_folder_of_something_else_is_left_alone(written: Written, tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds something that is no site"):
        build_site(Board((), ()), written.source, tmp_path, resamples=10)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_equal_boards_give_equal_pages(written: Written, tmp_path: Path):
    only = tuple(one for one in written.board.entries if "/demo/" in one.key)
    for name in ("one", "other"):
        build_site(Board(only, ()), written.source, tmp_path / name, resamples=10)
    for path in (tmp_path / "one").rglob("*.html"):
        twin = tmp_path / "other" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes(), path


def test_exports_hold_the_scores_of_the_pages(written: Written):
    exports = written.site / "exports"
    models = [one for group in written.found for one in group.models]
    assert len(list((exports / "every_eval_ever").iterdir())) == len(models)
    for one in models:
        record = json.loads((exports / record_path(one.entry.key)).read_text("utf-8"))
        scores = {
            found["evaluation_result_id"].split(".")[1]: found["score_details"]["score"]
            for found in record["evaluation_results"]
        }
        assert scores == {
            name: pytest.approx(score.value)
            for name, score in one.scores.items()
            if not math.isnan(score.value)
        }
        assert record["retrieved_timestamp"] == str(int(MIDNIGHT.timestamp()))
    assert "Hearing 7B" in (exports / TABLE).read_text("utf-8")
    assert json.loads((exports / BADGE).read_text("utf-8"))["message"].startswith("3 models")


def test_the_command_builds_the_committed_board(tmp_path: Path):
    finished = ambi("board", "build", "--board", str(BOARD), "-o", str(tmp_path / "site"))
    assert finished.exit_code == 0, finished.output
    assert (tmp_path / "site/index.html").is_file()
    assert "No model has been submitted" in (tmp_path / "site/index.html").read_text("utf-8")


def test_the_command_names_what_is_refused(tmp_path: Path):
    board = tmp_path / "board"
    shutil.copytree(BOARD / "submissions/reference__uniform", board / "submissions/a__b")
    finished = ambi("board", "build", "--board", str(board), "-o", str(tmp_path / "site"))
    assert finished.exit_code == 0, finished.output
    assert "refused: a__b/demo/reference" in finished.output.replace("\n", " ")
    assert "a__b/demo/reference" in (tmp_path / "site/index.html").read_text("utf-8")
