"""The metrics outside the harness: `evaluate.load` on a path, without a network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ambi_tasks
from ambi_tasks.metrics import all_metrics
from tests.cli.runner import ambi

LOAD = """
import json
import socket
import sys

def refuse(*args, **kwargs):
    raise OSError("there is no network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse

import evaluate

folder, inputs = sys.argv[1], json.loads(sys.argv[2])
found = {}
for name, (references, predictions, options) in inputs.items():
    module = evaluate.load(f"{folder}/{name}")
    found[name] = [
        module.compute(predictions=predictions, references=references, **options),
        module.description,
        module.citation,
    ]
loaded = evaluate.combine([f"{folder}/js", f"{folder}/bc"])
found["combined"] = loaded.compute(predictions=[[0.5, 0.5]], references=[[1.0, 0.0]])
print(json.dumps(found))
"""

TRUTH = [[0.75, 0.25, 0.0], [1.0, 0.0, 0.0], [0.25, 0.25, 0.5]]
PREDICTION = [[0.5, 0.25, 0.25], [0.75, 0.0, 0.25], [0.125, 0.5, 0.375]]
LABELS = ["neutral", "happy", "sad"]
OPTIONS = {"ece": {"bins": 5}, "js": {"root": True}, "wasserstein": {"labels": LABELS}}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What every module gives in an interpreter that cannot reach anything."""
    inputs = {
        name: (TRUTH, PREDICTION, OPTIONS.get(name, {}))
        if metric.needs == "distributions"
        else ([4, 5, 6], [3, 5, 0], {})
        for name, metric in all_metrics().items()
    }
    folder = ambi("metrics-path").stdout.strip()
    root = Path(ambi_tasks.__file__).parents[1]
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-c", LOAD, folder, json.dumps(inputs)],
        env={**os.environ, "HF_HOME": str(home), "PYTHONPATH": str(root)},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("metric", all_metrics().values(), ids=lambda metric: metric.name)
def test_a_module_gives_what_the_function_gives(found, metric):
    values, description, citation = found[metric.name]
    arrays = (TRUTH, PREDICTION) if metric.needs == "distributions" else ([3, 5, 0], [4, 5, 6])
    expected = np.mean(metric.function(*arrays, **OPTIONS.get(metric.name, {})))

    assert values == {metric.name: pytest.approx(expected, rel=0, abs=1e-12)}
    assert metric.function.__doc__.startswith(description.split("\n")[0])
    assert citation


def test_modules_combine(found):
    assert set(found["combined"]) == {"js", "bc"}
