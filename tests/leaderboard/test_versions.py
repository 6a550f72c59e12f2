"""Submissions of every version of the schema stay readable, and keep their scores."""

import shutil
from pathlib import Path

import pytest

from ambi_tasks.leaderboard.board import find_submissions
from ambi_tasks.leaderboard.reading import read_submission
from ambi_tasks.leaderboard.submission import SCHEMA_VERSION
from ambi_tasks.leaderboard.validation import examine
from tests.leaderboard.tampering import content_of, edit, faults
from tests.leaderboard.test_board import BOARD

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


def test_fields_and_options_that_came_later_are_at_their_default(entry):
    fields = content_of(entry)["strategy"]["fields"]
    del fields["label_order"], fields["verifier_tokens"]
    edit(entry, "strategy.fields", fields)
    assert faults(entry) == []
    path = BOARD / "submissions/reference__uniform/crema_d/reference"
    other = shutil.copytree(path, entry.parents[2] / "reference__uniform/crema_d/reference")
    edit(other, "corpus.options", {})
    assert faults(other) == []
