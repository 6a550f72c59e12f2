"""Writing a submission's folder."""

import hashlib
import platform
import re
from collections.abc import Mapping
from pathlib import Path

import numpy

import ambi_tasks
from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.board import SUBMISSIONS
from ambi_tasks.leaderboard.reading import SUBMISSION
from ambi_tasks.leaderboard.submission import Submission, TableRecord, submission_to_json


def table_record(content: bytes, rows: int) -> TableRecord:
    """What a submission says of a file beside it.

    Args:
        content: The packed file.
        rows: Utterances in it.
    """
    return TableRecord(sha256=hashlib.sha256(content).hexdigest(), rows=rows)


def own_software() -> dict[str, str]:
    """Library -> version, of what computes scores."""
    found = {
        "ambi_tasks": ambi_tasks.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }
    return {name: one_word(text) for name, text in found.items()}


def one_word(text: str) -> str:
    """A version or the like, with `-` for what may not stand in one.

    >>> one_word("commit 0a1b")
    'commit-0a1b'
    """
    return re.sub(r"[^A-Za-z0-9._+:/-]+", "-", text).strip("-") or "unknown"


def write_submission(board: Path, submission: Submission, tables: Mapping[str, bytes]) -> Path:
    """Write a submission to where it belongs; one that is there is replaced.

    Args:
        board: The folder that holds `submissions`.
        submission: What goes into its `submission.json`.
        tables: Name of a file beside it -> its bytes.

    Returns:
        The folder.

    Raises:
        UserError: It cannot be written.
    """
    folder = board / SUBMISSIONS / submission.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if old.is_file() and old.name not in {SUBMISSION, *tables}:
                old.unlink()
        for name, content in tables.items():
            (folder / name).write_bytes(content)
        (folder / SUBMISSION).write_text(submission_to_json(submission), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}).") from error
    return folder
