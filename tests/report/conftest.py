"""A run of every strategy on four clips."""

import shutil
from pathlib import Path

import pytest

from tests.corpora.builders import write_demo
from tests.scripted_run import run_all_strategies

CLIPS = {
    "s1_a": ["happy", "sad", "sad"],
    "s1_b": ["neutral"] * 3,
    "s2_c": ["angry", "happy"],
    "s2_d": ["neutral", "neutral", "sad"],
}


@pytest.fixture(scope="session")
def harness_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all strategies on four clips."""
    root = write_demo(tmp_path_factory.mktemp("corpus") / "demo", CLIPS)
    folder = tmp_path_factory.mktemp("results")
    run_all_strategies(folder, bootstrap_iters=100, demo_root=str(root), draws=6)
    return folder


@pytest.fixture
def own_run(harness_run: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may tamper with."""
    return shutil.copytree(harness_run, tmp_path / "results")
