"""What a store holds, another machine's store, and what is deleted."""

import json
import sqlite3
from pathlib import Path

import pytest

from ambi_tasks.errors import UserError
from model_adapters.backend import Answer, Score
from model_adapters.draw_store import DrawStore, Question
from model_adapters.store_upkeep import Merged, answers, holdings, merge, open_store, prune

QUESTIONS = [Question(json.dumps({"turns": [["user", text, 1]]})) for text in ("a", "b")]


def fill(path: Path, model: str, texts: dict[int, str], fingerprint: str = "") -> None:
    """Draws of the first question, and a score of the second."""
    store = DrawStore(path, fingerprint or f"{model}-1", model)
    for index, text in texts.items():
        store.keep(QUESTIONS[0], index, Answer(text, -1.5 * index, 3, "length"))
    store.keep_score(QUESTIONS[1], "sad", Score(-0.25, 2, greedy=True))
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(tmp_path / "draws.sqlite", "one", {0: "x", 1: "y"})
    fill(tmp_path / "draws.sqlite", "two", {0: "z"})
    return tmp_path / "draws.sqlite"


def test_what_is_held(path: Path) -> None:
    with open_store(path) as connection:
        found = {one.model: one for one in holdings(connection)}
    assert set(found) == {"one", "two"}
    one = found["one"]
    assert (one.fingerprint, one.questions, one.draws, one.scores) == ("one-1", 2, 2, 1)
    assert one.tokens == 2 * 3 + 2
    assert one.first <= one.last


def test_every_row_comes_out(path: Path) -> None:
    with open_store(path) as connection:
        rows = list(answers(connection, "one"))
        everything = list(answers(connection, None))
    assert len(everything) == 5
    assert [(row["kind"], row["draw_index"], row["text"]) for row in rows] == [
        ("draw", 0, "x"),
        ("draw", 1, "y"),
        ("score", None, "sad"),
    ]
    assert rows[1]["question"] == QUESTIONS[0].content
    assert (rows[1]["log_likelihood"], rows[1]["tokens"]) == (-1.5, 3)
    assert (rows[1]["finish_reason"], rows[1]["greedy"]) == ("length", None)
    assert (rows[2]["log_likelihood"], rows[2]["greedy"]) == (-0.25, True)


def test_another_machines_store_is_added(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    fill(other, "one", {1: "y", 2: "new"})
    fill(other, "three", {0: "w"})
    before = other.read_bytes()
    with open_store(path) as connection:
        assert merge(connection, other) == Merged(added=3, known=2, differing=0)
        assert {one.model for one in holdings(connection)} == {"one", "two", "three"}
        assert merge(connection, other) == Merged(added=0, known=5, differing=0)
    assert other.read_bytes() == before
    found = DrawStore(path, "one-1", "one").finished(QUESTIONS[0], range(9))
    assert {index: answer.text for index, answer in found.items()} == {0: "x", 1: "y", 2: "new"}


def test_a_draw_that_differs_stays_as_it_is(path: Path, tmp_path: Path) -> None:
    fill(tmp_path / "other.sqlite", "one", {0: "otherwise", 1: "y"})
    with open_store(path) as connection:
        found = merge(connection, tmp_path / "other.sqlite")
    assert found == Merged(added=0, known=2, differing=1)
    kept = DrawStore(path, "one-1", "one").finished(QUESTIONS[0], [0])
    assert kept[0].text == "x"


def test_what_is_pruned_is_gone_and_the_rest_is_not(path: Path) -> None:
    with open_store(path) as connection:
        assert prune(connection, ["one-1"]) == 3
        assert [one.model for one in holdings(connection)] == ["two"]
    assert DrawStore(path, "one-1", "one").finished(QUESTIONS[0], range(9)) == {}
    assert len(DrawStore(path, "two-1", "two").finished(QUESTIONS[0], range(9))) == 1


@pytest.mark.parametrize("content", [None, b"no database" * 99, "foreign", "older"])
def test_what_is_no_store_is_refused_and_left_alone(
    path: Path, tmp_path: Path, content: bytes | str | None
) -> None:
    other = tmp_path / "other.sqlite"
    if isinstance(content, bytes):
        other.write_bytes(content)
    elif content:
        with sqlite3.connect(other) as foreign:
            foreign.execute("CREATE TABLE draws (something TEXT)")
            foreign.execute(f"PRAGMA user_version = {3 if content == 'foreign' else 2}")
        foreign.close()
    before = other.read_bytes() if other.exists() else None
    message = "There is no store" if content is None else "cannot be used as a store of draws"
    with open_store(path) as connection:
        with pytest.raises(UserError, match=message):
            merge(connection, other)
        assert len(holdings(connection)) == 2
    assert (other.read_bytes() if other.exists() else None) == before
