"""A run of every strategy by the harness itself, with answers from a script."""

import hashlib
import json
from pathlib import Path
from typing import Any

import lm_eval
import numpy as np
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from ambi_tasks.plugin import tasks_path
from ambi_tasks.strategies import all_strategies
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import DrawOrder
from model_adapters.scripted import ScriptedBackend

_LABELS = ["neutral", "happy", "angry", "sad"]


def scripted_answer(order: DrawOrder, index: int) -> str:
    """An answer that depends on what is asked and on the index; some cannot be read."""
    digest = hashlib.sha256(f"{order.key}{index}".encode()).digest()
    if digest[0] < 40:
        return "I would rather not say."
    if "from 0 (wrong throughout)" in order.conversation[-1].text:
        return str(digest[1] % 11)
    shares = np.random.default_rng(list(digest)).dirichlet(np.ones(4))
    return json.dumps(dict(zip(_LABELS, shares.tolist(), strict=True)))


def run_all_strategies(folder: Path, *, bootstrap_iters: int, **metadata: Any) -> None:
    """Evaluate the demo tasks, and write what the harness writes.

    Args:
        folder: Where to.
        bootstrap_iters: Of the harness.
        metadata: As `--metadata`.
    """
    tracker = EvaluationTracker(output_path=str(folder))
    backend = ScriptedBackend(scripted_answer, lambda _, text: -float(len(text)))
    results = lm_eval.simple_evaluate(
        model=AudioLM(backend),
        tasks=[f"ambi_demo_{name}" for name in all_strategies()],
        task_manager=TaskManager(
            include_path=tasks_path(), include_defaults=False, metadata=metadata
        ),
        evaluation_tracker=tracker,
        bootstrap_iters=bootstrap_iters,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results, samples)
    for task, lines in samples.items():
        tracker.save_results_samples(task, lines)
