"""`ambi submit`, `ambi validate`, `ambi board`: what they print and write, and their exit codes."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.cli.runner import ambi, assert_refused, rows
from tests.leaderboard.conftest import finished_run, made_board  # noqa: F401 - fixtures
from tests.leaderboard.tampering import content_of, edit

WHO = ("--name", "Scripted 1B", "--org", "Example Lab", "--contact", "jane@example.org")
KEY = "Example-Lab__Scripted-1B/demo"
HEALTHY = {
    "verdict": "healthy",
    "examined": "2026-01-01",
    "version": "0.1.0",
    "checks": {"hears_silence": "ok"},
}


@pytest.fixture
def board(made_board, tmp_path):  # noqa: F811
    return shutil.copytree(made_board, tmp_path / "board")


@pytest.fixture
def entry(board):
    return board / "submissions" / KEY / "sc"


def test_submit_writes_every_strategy(finished_run, tmp_path):  # noqa: F811
    result = ambi(
        "submit", finished_run, *WHO, "--board", tmp_path / "b", "--link", "https://a.org"
    )
    assert result.exit_code == 0, result.stderr
    assert "open a pull request" in result.stdout
    folders = sorted(path.name for path in (tmp_path / "b/submissions" / KEY).iterdir())
    assert folders == ["almv", "bon", "cot", "direct", "sc", "tlr", "walmv", "wbon"]
    content = content_of(tmp_path / "b/submissions" / KEY / "sc")
    assert content["submitter"]["link"] == content["model"]["link"] == "https://a.org"
    assert content["submitter"]["name"] == "Example Lab"


def test_submit_again_replaces(finished_run, tmp_path):  # noqa: F811
    ambi("submit", finished_run, *WHO, "--board", tmp_path)
    ambi("submit", finished_run, *WHO, "--board", tmp_path, "--no-texts")
    entry = tmp_path / "submissions" / KEY / "sc"
    assert sorted(path.name for path in entry.iterdir()) == [
        "predictions.csv.gz",
        "submission.json",
    ]
    assert ambi("validate", entry).exit_code == 2


def test_submit_refuses_in_a_sentence(finished_run, tmp_path):  # noqa: F811
    result = ambi("submit", finished_run, *WHO, "--weights", "ajar", "--board", tmp_path)
    assert_refused(result, "--weights is one of open, closed; not 'ajar'.")
    assert_refused(ambi("submit", tmp_path / "none", *WHO), "There is nothing at")


def test_validate_warns(entry):
    result = ambi("validate", entry)
    assert result.exit_code == 2
    assert rows(result.stdout)[0] == f"{KEY}/sc: recomputed"
    assert "warning: " in result.stdout
    assert "nobody examined whether the model hears" in " ".join(rows(result.stdout))


def test_validate_finds_nothing(entry):
    edit(entry, "doctor", HEALTHY)
    result = ambi("validate", entry)
    assert result.exit_code == 0, result.stdout
    assert "warning" not in result.stdout


def test_validate_refuses(entry):
    edit(entry, "scores.js.value", 0.5)
    result = ambi("validate", entry)
    assert result.exit_code == 1
    assert f"{KEY}/sc: refused" in result.stdout
    assert "scores.js: is 0.5, but 0." in " ".join(rows(result.stdout))


@pytest.mark.parametrize("above", [0, 1, 2, 3, 4])
def test_validate_looks_below_a_folder(entry, above):
    edit(entry, "scores.js.value", 0.5)
    path = [entry, *entry.parents][above]
    result = ambi("validate", path)
    assert result.exit_code == 1
    assert result.stdout.count(": recomputed") == (0 if above == 0 else 7)
    assert result.stdout.count(": refused") == 1


def test_a_verdict_depends_on_no_setting_of_the_machine(board, entry):
    edit(entry, "scores.js.value", 0.5)
    verdicts = set()
    for settings in (
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C", "OMP_NUM_THREADS": "1"},
        {"PYTHONHASHSEED": "2", "TZ": "America/Lima", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"},
    ):
        done = subprocess.run(
            [sys.executable, "-c", "from ambi_tasks.cli import main; main()", "validate", "board"],
            cwd=board.parent,
            env={**os.environ, "COLUMNS": "200", **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        verdicts.add((done.returncode, done.stdout))
    ((code, text),) = verdicts
    assert code == 1
    assert "scores.js: is 0.5, but 0." in text


def test_validate_of_what_is_not_there(tmp_path):
    result = ambi("validate", tmp_path / "a/b/c")
    assert result.exit_code == 1
    assert "cannot be read (No such file or directory)" in " ".join(rows(result.stdout))


def test_validate_writes_a_comment(board, entry, tmp_path):
    present = shutil.copytree(board, tmp_path / "present")
    shutil.rmtree(present / "submissions" / KEY / "wbon")
    comment = tmp_path / "comment.md"
    paths = [entry, entry.parent / "wbon"]
    assert ambi("validate", *paths, "--against", present, "--report", comment).exit_code == 2
    text = comment.read_text(encoding="utf-8")
    assert f"### `{KEY}/sc`: recomputed" in text
    assert "The entry is on the board already. The best other model by js: `Example" in text
    assert "The entry is new. The best other model by js: `Example" in text
    js = content_of(entry)["scores"]["js"]["value"]
    assert f"| js, lower is better | {js:.4f} |" in text
    assert "| +0.0000 |" in text  # against itself
    assert "| metric | value | 95 % interval | against the best |" in text


def test_a_control_is_nobody_to_compare_with(board, entry, tmp_path):
    present, comment = shutil.copytree(board, tmp_path / "present"), tmp_path / "comment.md"
    for folder in (present / "submissions" / KEY).iterdir():
        edit(folder, "model.control", True)
    assert ambi("validate", entry, "--against", present, "--report", comment).exit_code == 2
    text = comment.read_text(encoding="utf-8")
    assert "The entry is on the board already.\n" in text
    assert "best" not in text


def test_a_comment_calls_nobody_and_links_nowhere(entry, tmp_path):
    edit(entry, "model.name", "```\n@everyone [x](https://evil.example) <img src=x>")
    comment = tmp_path / "comment.md"
    assert ambi("validate", entry, "--report", comment).exit_code == 1
    text = comment.read_text(encoding="utf-8")
    heading, fence, block = text.partition("```text\n")
    assert fence
    assert block.count("```") == 1  # what ends the block
    assert "evil" not in heading
    assert block.rstrip().endswith("```")


def test_a_comment_about_nothing(tmp_path, board):
    for folder in (board / "submissions").iterdir():
        shutil.rmtree(folder)
    comment = tmp_path / "comment.md"
    assert ambi("validate", board, "--report", comment).exit_code == 0
    assert "No submission was changed." in comment.read_text(encoding="utf-8")


def test_a_name_that_looks_like_another_one(board, entry, tmp_path):
    edit(entry, "doctor", HEALTHY)
    edit(entry, "model.name", "Scripted_lB")
    place = tmp_path / "submissions/Example-Lab__Scripted_lB/demo/sc"
    shutil.copytree(entry, place)
    shutil.rmtree(entry)
    result = ambi("validate", place, "--against", board)
    assert result.exit_code == 2
    said = "Example-Lab__Scripted_lB looks like Example-Lab__Scripted-1B, which is on the board"
    assert said in " ".join(rows(result.stdout))
    assert ambi("validate", place).exit_code == 0


def test_validate_against_what_is_no_board(entry, tmp_path):
    result = ambi("validate", entry, "--against", tmp_path)
    assert result.exit_code == 1
    assert "is no board: there is no folder 'submissions' in it." in result.stderr


def test_board_references(tmp_path):
    result = ambi("board", "references", "demo", "--by", "A", "--contact", "B", "--board", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert ambi("validate", tmp_path).exit_code == 0


def test_board_references_of_what_there_is_not(tmp_path):
    arguments = ("--by", "A", "--contact", "B", "--board", tmp_path)
    assert_refused(
        ambi("board", "references", "demi", *arguments), "The board has no corpus 'demi'"
    )
    assert_refused(ambi("board", "references", "crema_d", *arguments), "CREMA-D was not found")


def test_board_schema_and_manifest():
    assert json.loads(ambi("board", "schema").stdout)["discriminator"]
    assert json.loads(ambi("board", "manifest", "demo").stdout)["demo default"]["utterances"] == 60


def test_validate_says_its_own_intervals(entry):
    edit(entry, "scores.js.low", 0.0)
    edit(entry, "scores.js.high", 1.0)
    result = ambi("validate", entry)
    assert result.exit_code == 2
    (js,) = (row for row in rows(result.stdout) if row.startswith("js "))
    assert "0.0000" not in js
    assert "1.0000" not in js


def test_validate_refuses_what_differs_in_case_alone(board, entry, tmp_path):
    """The board could show but one of them."""
    if (board / "submissions" / KEY.upper()).exists():
        pytest.skip("the file system does not tell upper case from lower case")
    other = tmp_path / "new" / "submissions" / "example-Lab__Scripted-1B" / "demo" / "sc"
    shutil.copytree(entry, other)
    edit(other, "model.organization", "example Lab")
    result = ambi("validate", other, "--against", board)
    assert result.exit_code == 1
    assert "is Example-Lab__Scripted-1B on the board, in another upper and lower case" in " ".join(
        rows(result.stdout)
    )
    result = ambi("validate", entry, other)
    assert result.exit_code == 1
    assert "in upper and lower case alone" in " ".join(rows(result.stdout))


def test_validate_of_nothing_says_so(tmp_path):
    (tmp_path / "submissions").mkdir()
    result = ambi("validate", tmp_path)
    assert result.exit_code == 0
    assert "There is no submission" in result.stdout
