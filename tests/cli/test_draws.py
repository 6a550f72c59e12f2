"""`ambi draws`."""

import pyarrow.parquet
import pytest

from tests.adapters.test_store_upkeep import fill
from tests.cli.runner import ambi, assert_refused, rows


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))
    fill(tmp_path / "cache" / "draws.sqlite", "org/one", {0: "x", 1: "y"}, "old-fingerprint")
    return tmp_path / "cache"


def test_lists_what_is_kept(cache):
    result = ambi("draws")
    assert result.exit_code == 0
    assert any("org/one old-fingerpr 2 2 1 8" in row for row in rows(result.stdout))
    assert f"{cache / 'draws.sqlite'}: 0.0 MB." in result.stdout
    assert ambi("draws", "list").stdout == result.stdout


def test_exports_parquet(tmp_path):
    target = tmp_path / "draws.parquet"
    result = ambi("draws", "export", target)
    assert result.stdout == f"3 rows written to {target}.\n"
    table = pyarrow.parquet.read_table(target)
    assert table.column("text").to_pylist() == ["x", "y", "sad"]
    assert table.column("greedy").to_pylist() == [None, None, True]


def test_merges(tmp_path):
    fill(tmp_path / "other.sqlite", "org/two", {0: "z"})
    result = ambi("draws", "merge", tmp_path / "other.sqlite")
    assert result.stdout.startswith("2 added, 0 were here already; 0 are here with another content")


def test_prunes_only_when_told_twice(cache):
    fill(cache / "draws.sqlite", "org/two", {0: "z"})
    asked = ambi("draws", "prune", "--model", "org/two")
    assert asked.stdout.startswith("2 draws and scores of 1 fingerprint(s) would be deleted")
    assert "org/two" in ambi("draws").stdout
    assert "deleted." in ambi("draws", "prune", "--model", "org/two", "--yes").stdout
    assert "org/two" not in ambi("draws").stdout
    assert "org/one" in ambi("draws").stdout


def test_prunes_what_is_outdated(cache):
    fill(cache / "draws.sqlite", "org/one", {0: "x"}, "z-newer")  # after the old one, if at once
    result = ambi("draws", "prune", "--outdated", "--yes")
    assert result.stdout == "3 draws and scores of 1 fingerprint(s) deleted.\n"
    assert "z-newer" in ambi("draws").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prune",), "Say what may go"),
        (("prune", "--model", "org/ome"), "model 'org/ome'; did you mean 'org/one'"),
        (("export", "/nowhere/at/all.parquet"), "cannot be written"),
        (("merge", "/nowhere.sqlite"), "There is no store of draws at /nowhere.sqlite"),
        (("list", "--store", "/nowhere.sqlite"), "There is no store of draws"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(arguments, message):
    assert_refused(ambi("draws", *arguments), message)
