"""A run that is killed anywhere, and repeated, ends as if it had not been killed.

Each run is a process of its own, forked from one that has read the libraries; it ends by SIGKILL.
"""

import json
import multiprocessing
import random
import re
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.killed_run import TASKS, Death, evaluate
from tests.test_task import demo_root

__all__ = ["demo_root"]  # a fixture

KILLS, RUNS = 20, 4
_TIMES = {"date", "start_time", "end_time", "total_evaluation_time_seconds"}
_MADE = {"stored", "drawn", "scored", "tokens", "seconds"}  # what a run found, and made itself


def run(folder: Path, corpus: Path, death: Death | float | None = None) -> int:
    """Evaluate in another process; returns its exit code."""
    folder.mkdir(exist_ok=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.adapters.killed_run"])
    process = context.Process(target=evaluate, args=(folder, corpus, death))
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def outcome(folder: Path) -> tuple[str, dict[str, bytes], dict[str, Any]]:
    """The results without times and without who drew; the sample logs; who drew."""
    (path,) = folder.glob("results/**/results_*.json")
    results = json.loads(path.read_text())
    made = {
        kind: {name: counts.pop(name) for name in _MADE & set(counts)}
        for kind in ("draws", "verdicts", "scores")
        if isinstance(counts := results["config"].get(kind), dict)
    }
    left = {name: value for name, value in results.items() if name not in _TIMES}
    logs = {
        re.sub(r"_\d{4}-.*", "", path.name): path.read_bytes()
        for path in folder.glob("results/**/samples_*.jsonl")
    }
    return json.dumps(left), logs, made


def notes(folder: Path) -> list[str]:
    """What was drawn or scored, in order."""
    path = folder / "notes"
    return path.read_text().splitlines() if path.exists() else []


def kept(folder: Path) -> int:
    """How many draws and scores the store holds."""
    path = folder / "cache" / "draws.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as store:
        tables = {name for (name,) in store.execute("SELECT name FROM sqlite_master")}
        if not {"draws", "scores"} <= tables:
            return 0
        counts = [
            store.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("draws", "scores")
        ]
        return int(sum(counts))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, demo_root: Path) -> Path:
    """A run that nobody kills."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder, demo_root) == 0
    return folder


def deaths(everything: int, chosen: random.Random) -> list[tuple[int, bool]]:
    """Where a run is to die again and again: before or behind a write, in their order."""
    places = sorted(chosen.sample(range(1, everything + 1), KILLS // RUNS))
    return [(place, chosen.random() < 0.5) for place in places]


@pytest.mark.parametrize("number", range(RUNS))
def test_kills_change_nothing(number: int, whole: Path, demo_root: Path, tmp_path: Path) -> None:
    expected, logs, made = outcome(whole)
    assert set(logs) == {f"samples_{task}" for task in TASKS}
    assert made["draws"]["stored"] == 0
    everything, killed = kept(whole), 0
    chosen = random.Random(number)
    for place, written in deaths(everything, chosen):
        finished, drawn = kept(tmp_path), notes(tmp_path)
        code = run(tmp_path, demo_root, Death(place - finished, written))
        assert code == -signal.SIGKILL
        assert kept(tmp_path) == place - (not written)
        _nothing_again(drawn, finished, tmp_path)
        killed += 1
    finished, drawn = kept(tmp_path), notes(tmp_path)
    if run(tmp_path, demo_root, chosen.uniform(0.1, 0.6)):  # at any moment, if it is not over then
        killed += 1
        _nothing_again(drawn, finished, tmp_path)
    finished, drawn = kept(tmp_path), notes(tmp_path)
    for path in tmp_path.glob("results/**/*.json*"):  # of a run that was over before its moment
        path.unlink()
    assert run(tmp_path, demo_root) == 0
    found, found_logs, found_made = outcome(tmp_path)
    assert found == expected
    assert found_logs == logs
    assert sum(one["stored"] for one in found_made.values()) == finished
    _nothing_again(drawn, finished, tmp_path)
    assert len(notes(tmp_path)) - len(drawn) == everything - finished
    assert sorted(set(notes(tmp_path))) == sorted(notes(whole))
    assert kept(tmp_path) == everything
    assert killed >= KILLS // RUNS
    assert not list(tmp_path.rglob("*.broken-*"))


def _nothing_again(drawn: list[str], finished: int, folder: Path) -> None:
    """What was kept is made no more; what a killed process had in its hands is.

    Args:
        drawn: The notes before the last run.
        finished: What was kept before it.
        folder: Of the runs.
    """
    counts = Counter(notes(folder)[len(drawn) :])
    assert not counts or max(counts.values()) == 1
    assert len(set(drawn) & set(counts)) <= len(set(drawn)) - finished
