"""One submission's folder, read: what is in it, and what keeps it from being read."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import pydantic

from ambi_tasks.leaderboard.files import (
    JSON_BYTES,
    TABLE_BYTES,
    Content,
    FileError,
    entries,
    quoted,
    read_plain,
    strict_json,
)
from ambi_tasks.leaderboard.predictions import Predictions, predictions_from_csv
from ambi_tasks.leaderboard.submission import (
    ModelSubmission,
    Submission,
    TableRecord,
    submission_from_json,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SUBMISSION, PREDICTIONS, ANSWERS = "submission.json", "predictions.csv.gz", "answers.jsonl.gz"
LEVELS = 3
"""Folders from `submissions` down to an entry: who, corpus, strategy."""

Severity: TypeAlias = Literal["fault", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a submission, or looks so.

    Attributes:
        severity: A fault keeps it from the board; a warning is for people to judge.
        file: Which file or folder, as a path below `submissions`.
        place: Where in it: a line, a field; empty for the whole.
        message: A clause that goes on from there.
    """

    severity: Severity
    file: str
    place: str
    message: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.file}: {self.place}{': ' if self.place else ''}{self.message}."


@dataclass(frozen=True, slots=True)
class Reading:
    """A submission's folder, as far as it can be read.

    Attributes:
        folder: Where it lies.
        key: The path below `submissions`, with `/`: what the board calls it.
        submission: None where it cannot be read.
        predictions: None where there are none, or they cannot be read.
        answers: The packed texts behind the predictions, where there are some.
        findings: What is wrong.
    """

    folder: Path
    key: str
    submission: Submission | None
    predictions: Predictions | None
    answers: Content | None
    findings: tuple[Finding, ...]


def read_submission(folder: Path) -> Reading:
    """Read a submission's folder, whoever wrote it.

    It takes bounded time and memory, follows no link, and raises for nothing that lies in the
    folder.

    Args:
        folder: `<org>__<model>/<corpus>/<strategy>`, anywhere.
    """
    place = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow links
    key = "/".join(quoted(part, 200)[1:-1] for part in place.parts[-LEVELS:])
    found = _Findings(key)
    _check_folders(place, found)
    if found.all:
        return Reading(place, key, None, None, None, tuple(found.all))
    submission = _submission(place, found)
    predictions = answers = None
    if submission is not None:
        if submission.folder != key:
            found.add("", f"the folder belongs at {submission.folder}, by what {SUBMISSION} says")
        predictions = _predictions(place, submission, found)
        answers = _answers(place, submission, found)
    _check_strangers(place, submission, found)
    return Reading(place, key, submission, predictions, answers, tuple(found.all))


class _Findings:
    """What was found so far in one folder."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.all: list[Finding] = []

    def add(self, file: str, message: str, place: str = "") -> None:
        path = f"{self.key}/{file}" if file else self.key
        self.all.append(Finding("fault", path, place, message))


def _check_folders(folder: Path, found: _Findings) -> None:
    for level in (folder, *folder.parents[: LEVELS - 1]):
        try:
            mode = level.lstat().st_mode
        except OSError as error:
            return found.add("", f"cannot be read ({error.strerror})")
        if stat.S_ISLNK(mode):
            return found.add("", f"{quoted(level.name)} is a symbolic link")
        if not stat.S_ISDIR(mode):
            return found.add("", f"{quoted(level.name)} is no folder")
    return None


def _check_strangers(folder: Path, submission: Submission | None, found: _Findings) -> None:
    """Refuse files that nobody reads, but everybody would download."""
    known = {SUBMISSION, PREDICTIONS, ANSWERS}
    if submission is not None:
        if submission.predictions is None:
            known.remove(PREDICTIONS)
        if not (isinstance(submission, ModelSubmission) and submission.answers):
            known.remove(ANSWERS)
    try:
        strangers = [one.name for one in entries(folder) if one.name not in known]
    except FileError as fault:
        return found.add("", str(fault))
    for name in strangers[:10]:
        found.add("", f"{quoted(name)} is no file that {SUBMISSION} speaks of")
    return None


def _submission(folder: Path, found: _Findings) -> Submission | None:
    try:
        data = read_plain(folder / SUBMISSION, JSON_BYTES).data
        strict_json(data)
        return submission_from_json(data)
    except FileError as fault:
        found.add(SUBMISSION, str(fault), fault.place)
    except pydantic.ValidationError as error:
        for one in error.errors(include_url=False, include_context=False)[:50]:
            place = ".".join(quoted(str(part), 70)[1:-1] for part in one["loc"])
            found.add(SUBMISSION, _clause(one), place)
    return None


def _clause(error: "ErrorDetails") -> str:
    """Pydantic's words, but a stranger's text is quoted, and a pattern is none for people."""
    if error["type"] == "string_pattern_mismatch":
        text = quoted(str(error["input"]))
        return f"{text} holds what this field may not (docs/leaderboard.md lists its characters)"
    said = error["msg"].removeprefix("Value error, ").rstrip(".")
    return ascii(said[:1].lower() + said[1:300])[1:-1]


def _predictions(folder: Path, submission: Submission, found: _Findings) -> Predictions | None:
    if submission.predictions is None:
        return None
    content = _table(folder, PREDICTIONS, submission.predictions, found)
    if content is None:
        return None
    try:
        predictions = predictions_from_csv(content, submission.corpus.label_rule.classes)
    except FileError as fault:
        found.add(PREDICTIONS, str(fault), fault.place)
        return None
    if len(predictions.ids) != submission.predictions.rows:
        found.add(
            PREDICTIONS,
            f"holds {len(predictions.ids):,} utterances, but {SUBMISSION} says "
            f"{submission.predictions.rows:,}",
        )
    return predictions


def _answers(folder: Path, submission: Submission, found: _Findings) -> Content | None:
    if not isinstance(submission, ModelSubmission) or submission.answers is None:
        return None
    return _table(folder, ANSWERS, submission.answers, found)


def _table(folder: Path, name: str, record: TableRecord, found: _Findings) -> Content | None:
    """Read a table, if it is the one that the submission speaks of."""
    try:
        content = read_plain(folder / name, TABLE_BYTES)
    except FileError as fault:
        found.add(name, str(fault))
        return None
    if content.sha256 != record.sha256:
        found.add(name, f"has the sha256 {content.sha256}, but {SUBMISSION} says {record.sha256}")
        return None
    return content
