"""Submissions of every version of the schema stay readable, and keep their scores."""

from pathlib import Path

import pytest

from ambi_tasks.leaderboard.board import find_submissions
from ambi_tasks.leaderboard.reading import read_submission
from ambi_tasks.leaderboard.submission import SCHEMA_VERSION
from ambi_tasks.leaderboard.validation import examine

FIXTURES = Path(__file__).parent / "fixtures"
KEPT = [
    folder
    for version in sorted(FIXTURES.glob("v*"))
    for model in sorted(version.iterdir())
    for folder in find_submissions(model)
]


def test_there_are_some_of_every_version():
    versions = {int(path.name[1:]) for path in FIXTURES.glob("v*")}
    assert versions == set(range(1, SCHEMA_VERSION + 1))
    for version in versions:
        kinds = {
            read_submission(folder).submission.kind
            for folder in KEPT
            if f"v{version}" in folder.parts
        }
        assert kinds == {"model", "reference"}


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: "/".join(folder.parts[-4:]))
def test_they_are_read_and_recomputed(folder):
    examined = examine(read_submission(folder))
    assert [str(one) for one in examined.findings] == []
    assert examined.entry.status == "recomputed"
