"""The submissions that a pull request changes, taken out of git as plain files.

Nothing of the other side is checked out: git is asked for the list of changed files and for the
bytes of those that belong to submissions. So no attribute, filter, hook, link or submodule of a
pull request takes effect, and what validates it is the code of the side that it is merged into.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ambi_tasks.corpora.git import git_output
from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.board import SUBMISSIONS
from ambi_tasks.leaderboard.files import TABLE_BYTES, quoted
from ambi_tasks.leaderboard.reading import LEVELS, Finding

BOARD = "leaderboard"
"""The board's folder in the repository."""

MAX_CHANGED = 500
"""Entries that one pull request may change."""

_MAX_FILES = 10
_PLAIN = ("100644", "100755")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Changes:
    """What changes between two commits.

    Attributes:
        folders: The changed submissions, written as plain files.
        findings: What cannot be taken, what goes away, and what else changes.
    """

    folders: tuple[Path, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Blob:
    mode: str
    sha: str
    size: int


def take_changes(repository: Path, base: str, head: str, output: Path) -> Changes:
    """Write the submissions that one commit adds or changes against another.

    Args:
        repository: A clone that has both.
        base: The commit that is merged into.
        head: The commit that is merged; changes since it left `base` count.
        output: An empty folder; they go under its `submissions`.

    Raises:
        UserError: There is no such commit, or git is not there.
    """
    start, end = _fork(repository, base, head), _commit(repository, head)
    keys: dict[str, None] = {}
    findings: list[Finding] = []
    others: list[str] = []
    for path in _changed_paths(repository, start, end):
        parts = path.split("/")
        if parts[:2] != [BOARD, SUBMISSIONS]:
            others.append(path)
        elif len(parts) != 2 + LEVELS + 1 or not all(map(_PART.fullmatch, parts)):
            findings.append(Finding("fault", quoted(path, 200), "", "is no file of a submission"))
        else:
            keys["/".join(parts[2:-1])] = None
    if others:
        said = f"{len(others):,} files that are no submission change too, as {quoted(others[0])}"
        findings.append(Finding("warning", BOARD, "", said))
    if len(keys) > MAX_CHANGED:
        raise UserError(
            f"{len(keys):,} submissions change, but at most {MAX_CHANGED} are looked at."
        )
    folders = []
    for key in keys:
        blobs = _blobs(repository, end, f"{BOARD}/{SUBMISSIONS}/{key}")
        if not blobs:
            findings.append(Finding("warning", key, "", "the entry is taken from the board"))
            continue
        folders.append(output / SUBMISSIONS / key)
        findings += _write(repository, key, blobs, folders[-1])
    return Changes(tuple(folders), tuple(findings))


def _write(
    repository: Path, key: str, blobs: Mapping[str, _Blob], folder: Path
) -> Iterator[Finding]:
    """Write the plain files of a submission, and tell of the others."""
    folder.mkdir(parents=True)
    if len(blobs) > _MAX_FILES:
        yield Finding("fault", key, "", f"has {len(blobs):,} files, but at most {_MAX_FILES}")
        return
    for name, blob in blobs.items():
        file = f"{key}/{quoted(name)[1:-1]}"
        if blob.mode not in _PLAIN:
            yield Finding("fault", file, "", "is a symbolic link or a submodule, no plain file")
        elif not _PART.fullmatch(name):
            yield Finding("fault", file, "", "is no file of a submission")
        elif blob.size > TABLE_BYTES:
            said = f"has {blob.size:,} bytes, but at most {TABLE_BYTES:,} are read"
            yield Finding("fault", file, "", said)
        else:
            (folder / name).write_bytes(_git(repository, "cat-file", "blob", blob.sha))


def _fork(repository: Path, base: str, head: str) -> str:
    one, other = _commit(repository, base), _commit(repository, head)
    found = git_output(repository, "merge-base", one, other)
    if found is None:
        raise UserError(f"{base} and {head} have no common commit in {repository}.")
    return found.decode().strip()


def _commit(repository: Path, name: str) -> str:
    """The hash of a commit; a name is never taken for an option of git."""
    found = git_output(
        repository, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}"
    )
    text = (found or b"").decode().strip()
    if not _COMMIT.fullmatch(text):
        raise UserError(f"There is no commit {quoted(name)} in {repository}.")
    return text


def _changed_paths(repository: Path, start: str, end: str) -> list[str]:
    found = _git(repository, "diff", "--name-only", "--no-renames", "-z", start, end)
    return [path.decode("utf-8", "replace") for path in found.split(b"\0") if path]


def _blobs(repository: Path, commit: str, folder: str) -> dict[str, _Blob]:
    """Every entry of a folder in a commit, folders below it included."""
    found = _git(repository, "ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", f"{folder}/")
    blobs = {}
    for line in filter(None, found.split(b"\0")):
        about, _, path = line.partition(b"\t")
        mode, _, sha, size = about.decode().split()
        name = path.decode("utf-8", "replace").removeprefix(f"{folder}/")
        blobs[name] = _Blob(mode, sha, 0 if size == "-" else int(size))
    return blobs


def _git(repository: Path, *arguments: str) -> bytes:
    found = git_output(repository, *arguments)
    if found is None:
        raise UserError(f"git does not answer in {repository}: git {' '.join(arguments[:2])}.")
    return found
