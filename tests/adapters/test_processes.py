"""Several processes evaluate as one does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TASKS = "ambi_demo_sc,ambi_demo_almv,ambi_demo_tlr"
# `--multi_gpu` is what makes it start two; without a GPU they run on the CPU.
LAUNCHER = (
    *("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"),
    *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m"),
)


def evaluate(folder: Path, *launcher: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Results, and every utterance's predictions, of five clips."""
    arguments = ["--tasks", TASKS, "--model", "alm_hf", "--model_args", "pretrained=demo"]
    arguments += ["--limit", "5", "--batch_size", "8", "--device", "cpu"]
    arguments += ["--log_samples", "--output_path", str(folder)]
    subprocess.run(
        [sys.executable, "-m", *launcher, "lm_eval", *arguments],
        check=True,
        capture_output=True,
        timeout=300,
        env={**os.environ, "AMBI_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
    )
    (results,) = folder.rglob("results_*.json")
    predictions = {
        (path.name.split("_2")[0], sample["doc"]["id"]): sample["doc"]["prediction"]
        for path in folder.rglob("samples_*.jsonl")
        for sample in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    }
    return json.loads(results.read_text(encoding="utf-8")), predictions


def test_two_processes_give_the_scores_of_one(tmp_path: Path) -> None:
    one, predictions = evaluate(tmp_path / "one")
    two, halved = evaluate(tmp_path / "two", *LAUNCHER)
    assert (one["config"]["processes"], two["config"]["processes"]) == (1, 2)
    assert predictions.keys() == halved.keys()
    assert len(predictions) == 3 * 5
    for name, prediction in predictions.items():
        assert halved[name] == pytest.approx(prediction, abs=1e-5), name  # float32
    for task, scores in one["results"].items():
        assert two["results"][task] == pytest.approx(scores, abs=1e-5), task
    # What fills up a rank is asked for as well, but shared.
    for kind in ("drawn", "tokens"):
        assert two["config"]["draws"][kind] == one["config"]["draws"][kind]
    assert two["config"]["scores"]["scored"] == one["config"]["scores"]["scored"] == 5 * 4
