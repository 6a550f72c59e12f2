"""A run of every strategy by the harness itself, with answers from a script."""

import hashlib
import json
import shutil
from pathlib import Path

import lm_eval
import numpy as np
import pytest
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from ambi_tasks.plugin import tasks_path
from ambi_tasks.strategies import all_strategies
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import DrawOrder
from model_adapters.scripted import ScriptedBackend
from tests.corpora.builders import write_demo

CLIPS = {
    "s1_a": ["happy", "sad", "sad"],
    "s1_b": ["neutral"] * 3,
    "s2_c": ["angry", "happy"],
    "s2_d": ["neutral", "neutral", "sad"],
}
_LABELS = ["neutral", "happy", "angry", "sad"]


def _answer(order: DrawOrder, index: int) -> str:
    """An answer that depends on what is asked and on the index; some cannot be read."""
    digest = hashlib.sha256(f"{order.key}{index}".encode()).digest()
    if digest[0] < 40:
        return "I would rather not say."
    if "from 0 (wrong throughout)" in order.conversation[-1].text:
        return str(digest[1] % 11)
    shares = np.random.default_rng(list(digest)).dirichlet(np.ones(4))
    return json.dumps(dict(zip(_LABELS, shares.tolist(), strict=True)))


@pytest.fixture(scope="session")
def harness_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all strategies on four clips."""
    root = write_demo(tmp_path_factory.mktemp("corpus") / "demo", CLIPS)
    folder = tmp_path_factory.mktemp("results")
    tracker = EvaluationTracker(output_path=str(folder))
    backend = ScriptedBackend(_answer, lambda _, text: -float(len(text)))
    results = lm_eval.simple_evaluate(
        model=AudioLM(backend),
        tasks=[f"ambi_demo_{name}" for name in all_strategies()],
        task_manager=TaskManager(
            include_path=tasks_path(),
            include_defaults=False,
            metadata={"demo_root": str(root), "draws": 6},
        ),
        evaluation_tracker=tracker,
        bootstrap_iters=100,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results, samples)
    for task, lines in samples.items():
        tracker.save_results_samples(task, lines)
    return folder


@pytest.fixture
def own_run(harness_run: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may tamper with."""
    return shutil.copytree(harness_run, tmp_path / "results")
