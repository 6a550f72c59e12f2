"""`ambi_tasks.leaderboard.changes`: a pull request, read without being checked out."""

import os
import shutil
import subprocess

import pytest

from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.changes import take_changes
from tests.cli.runner import ambi
from tests.leaderboard.tampering import edit

KEY = "Example-Lab__Scripted-1B/demo/sc"


def git(folder, *arguments):
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a"}
    environment = {**os.environ, **names, "GIT_COMMITTER_EMAIL": "a@b", "HOME": str(folder)}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.strip()


def commit(folder):
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    """A clone whose board is empty."""
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    folder = tmp_path / "clone"
    (folder / "leaderboard/submissions").mkdir(parents=True)
    (folder / "README.md").write_text("hello", encoding="utf-8")
    git(folder, "init", "-q")
    commit(folder)
    git(folder, "branch", "base")
    return folder


@pytest.fixture
def changed(repository, made_board):
    """The same with a branch that adds two entries."""
    for name in ("sc", "direct"):
        source = made_board / "submissions/Example-Lab__Scripted-1B/demo" / name
        shutil.copytree(source, repository / f"leaderboard/submissions/{KEY[:-2]}{name}")
    commit(repository)
    return repository


def taken(repository, tmp_path):
    changes = take_changes(repository, "base", "HEAD", tmp_path / "out")
    return changes, [f"{one.severity}: {one}" for one in changes.findings]


def test_what_was_added_is_taken_byte_by_byte(changed, tmp_path):
    # What a stranger's attributes would do to a checkout, they do not do here.
    (changed / ".gitattributes").write_text("* text eol=crlf\n*.json export-ignore ident\n")
    commit(changed)
    changes, findings = taken(changed, tmp_path)
    assert sorted(path.name for path in changes.folders) == ["direct", "sc"]
    for folder in changes.folders:
        original = (
            changed / "leaderboard/submissions" / folder.relative_to(tmp_path / "out/submissions")
        )
        names = {path.name for path in folder.iterdir()}
        assert names == {"submission.json", "predictions.csv.gz", "answers.jsonl.gz"}
        for name in names:
            assert (folder / name).read_bytes() == (original / name).read_bytes()
    assert findings == [
        "warning: leaderboard: 1 files that are no submission change too, as '.gitattributes'."
    ]


def test_only_what_changed_is_taken(changed, tmp_path):
    git(changed, "branch", "-f", "base")
    edit(changed / "leaderboard/submissions" / KEY, "scores.js.value", 0.5)
    commit(changed)
    changes, findings = taken(changed, tmp_path)
    assert [path.name for path in changes.folders] == ["sc"]
    assert len(list(changes.folders[0].iterdir())) == 3  # the whole entry, changed or not
    assert findings == []


def test_what_the_base_has_gained_since_is_none_of_the_changes(changed, tmp_path):
    head = git(changed, "rev-parse", "HEAD")
    git(changed, "checkout", "-q", "base")
    (changed / "new.txt").write_text("later", encoding="utf-8")
    commit(changed)
    git(changed, "branch", "-f", "later")
    changes = take_changes(changed, "later", head, tmp_path / "out")
    assert len(changes.folders) == 2
    assert changes.findings == ()


def test_an_entry_that_goes_is_told(changed, tmp_path):
    git(changed, "branch", "-f", "base")
    shutil.rmtree(changed / "leaderboard/submissions" / KEY)
    commit(changed)
    changes, findings = taken(changed, tmp_path)
    assert changes.folders == ()
    assert findings == [f"warning: {KEY}: the entry is taken from the board."]


def test_links_are_not_followed(changed, tmp_path):
    entry = changed / "leaderboard/submissions" / KEY
    (entry / "predictions.csv.gz").unlink()
    (entry / "predictions.csv.gz").symlink_to("/etc/passwd")
    commit(changed)
    _, findings = taken(changed, tmp_path)
    assert "is a symbolic link or a submodule, no plain file" in findings[0]
    assert not (tmp_path / "out/submissions" / KEY / "predictions.csv.gz").exists()


def test_large_files_are_not_written(changed, tmp_path):
    entry = changed / "leaderboard/submissions" / KEY
    (entry / "predictions.csv.gz").write_bytes(bytes(40 * 2**20))
    commit(changed)
    _, findings = taken(changed, tmp_path)
    assert "has 41,943,040 bytes, but at most 33,554,432 are read" in findings[0]
    assert not (tmp_path / "out/submissions" / KEY / "predictions.csv.gz").exists()


def test_many_files_are_not_written(changed, tmp_path):
    for number in range(20):
        (changed / "leaderboard/submissions" / KEY / f"f{number}").write_text("a")
    commit(changed)
    _, findings = taken(changed, tmp_path)
    assert "has 23 files, but at most 10" in findings[0]


@pytest.mark.parametrize(
    "path",
    ["index.html", "a/b", "a/b/c/d/e", "a b/c/d/e", "\u202ea/b/c/d", "-a/b/c/d", "a/b/.hidden/x"],
)
def test_files_that_belong_to_no_submission(changed, tmp_path, path):
    place = changed / "leaderboard/submissions" / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a", encoding="utf-8")
    commit(changed)
    changes, findings = taken(changed, tmp_path)
    assert len(changes.folders) == 2
    assert len(findings) == 1
    assert findings[0].endswith("is no file of a submission.")
    assert findings[0].isascii()


@pytest.mark.parametrize(
    "name", ["nothing", "--output=/tmp/x", "-h", "", "HEAD; true", "base^{tree}"]
)
def test_what_is_no_commit(changed, tmp_path, name):
    with pytest.raises(UserError, match="There is no commit"):
        take_changes(changed, "base", name, tmp_path / "out")


def test_validate_changes(changed, tmp_path, monkeypatch):
    monkeypatch.chdir(changed)
    comment = tmp_path / "comment.md"
    result = ambi(
        "validate", "--changes", "base...HEAD", "--report", comment, "--against", "leaderboard"
    )
    assert result.exit_code == 2, result.stdout + result.stderr
    assert result.stdout.count(": recomputed") == 2
    edit(changed / "leaderboard/submissions" / KEY, "scores.js.value", 0.5)
    (changed / "leaderboard/submissions/x.py").write_text("raise SystemExit", encoding="utf-8")
    commit(changed)
    result = ambi("validate", "--changes", "base...HEAD", "--report", comment)
    assert result.exit_code == 1
    text = comment.read_text(encoding="utf-8")
    assert "leaderboard/submissions/x.py': is no file of a submission." in text
    assert "scores.js: is 0.5, but 0." in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name folders of submissions, or --changes"),
        (("a", "--changes", "b...c"), "Name folders of submissions, or --changes"),
        (("--changes", "b..c"), "--changes is BASE...HEAD, two commits, not 'b..c'."),
    ],
)
def test_validate_of_what(arguments, message):
    result = ambi("validate", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
