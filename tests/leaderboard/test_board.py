"""The committed board: its schema, its entries, and what statistics read of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from ambi_tasks.leaderboard.board import read_board
from ambi_tasks.leaderboard.documentation import fields_markdown
from ambi_tasks.leaderboard.exports.readme_table import markdown_tables
from ambi_tasks.leaderboard.manifests import manifest_of
from ambi_tasks.leaderboard.scores import point_scores
from ambi_tasks.leaderboard.submission import SCHEMA_VERSION, json_schema
from ambi_tasks.leaderboard.truth import board_corpora

BOARD = Path(__file__).parents[2] / "leaderboard"
MANIFESTS = Path(__file__).parents[2] / "ambi_tasks/leaderboard/manifests.json"


@pytest.fixture(scope="module", autouse=True)
def no_corpora():
    """The user's own copies are not the tests'."""
    with pytest.MonkeyPatch.context() as patch:
        for name in board_corpora():
            patch.delenv(f"{name.upper()}_ROOT", raising=False)
        yield


def test_the_committed_schema_is_that_of_the_models():
    """After a change of the models: `ambi board schema > leaderboard/schema/v1.json`."""
    written = json.loads((BOARD / f"schema/v{SCHEMA_VERSION}.json").read_text(encoding="utf-8"))
    assert written == json_schema()


def test_the_committed_fields_are_those_of_the_models():
    """Likewise: `ambi board schema --markdown > leaderboard/schema/v1.md`."""
    written = (BOARD / f"schema/v{SCHEMA_VERSION}.md").read_text(encoding="utf-8")
    assert written == fields_markdown()


def test_every_field_is_documented():
    for name, part in json_schema()["$defs"].items():
        assert part["description"], name
        for field, said in part["properties"].items():
            # A description that repeats the one of the part itself is left out beside its $ref.
            assert said.get("description") or "$ref" in said, (name, field)


def test_every_committed_submission_is_read_without_a_fault():
    board = read_board(BOARD)
    assert board.refused == ()
    names = {entry.key.partition("/")[0] for entry in board.entries if entry.is_reference}
    assert names == {"reference__uniform", "reference__label_prior", "reference__split_half"}
    for entry in board.entries:
        open_votes = entry.submission.corpus.name == "demo"
        assert entry.status == ("recomputed" if open_votes else "self-reported")
        assert (entry.run is not None) == (open_votes and entry.predictions is not None)


def test_the_run_of_an_entry_has_the_scores_that_its_submission_says():
    runs = {entry.key: entry for entry in read_board(BOARD).entries if entry.run is not None}
    assert len(runs) >= 2
    for entry in runs.values():
        found = point_scores(entry.run)
        for metric, record in entry.submission.scores.items():
            assert found[metric] == pytest.approx(record.value, abs=1e-12, nan_ok=True), metric


def test_the_references_on_the_real_votes(real_root):
    board = read_board(BOARD, {"crema_d_root": str(real_root)}, thorough=False)
    assert board.refused == ()
    entries = {e.key.split("/")[0]: e for e in board.entries if "/crema_d/reference" in e.key}
    uniform, prior = entries["reference__uniform"].run, entries["reference__label_prior"].run
    assert len(uniform.ids) == 7441
    assert np.all(uniform.inputs["distributions"][1] == 1 / 6)
    assert point_scores(prior)["js"] < point_scores(uniform)["js"]
    ceiling = entries["reference__split_half"]
    assert ceiling.status == "self-reported"  # not computed again
    assert ceiling.submission.scores["js"].value < point_scores(prior)["js"]


def test_the_standings_of_the_readme_are_those_of_the_board(real_root):
    """After a change of the entries: `ambi board export -o DIR`, and put DIR/table.md there."""
    board = read_board(BOARD, {"crema_d_root": str(real_root)}, thorough=False)
    shown = (BOARD / "README.md").read_text(encoding="utf-8")
    _, _, rest = shown.partition("export` -->\n")
    table, _, _ = rest.partition("<!-- end -->")
    # The human ceiling takes a minute, and is computed again by `ambi validate` alone.
    assert table.replace("self-reported", "recomputed") == markdown_tables(board.entries).replace(
        "self-reported", "recomputed"
    )


def test_the_manifests_of_the_package_are_those_of_the_corpora(real_root):
    known = json.loads(MANIFESTS.read_text(encoding="utf-8"))
    found = manifest_of("crema_d", {"crema_d_root": str(real_root)}) | manifest_of("demo", {})
    assert known == found
