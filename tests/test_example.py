"""The example package, installed beside ours, brings its model without a line of ours changed."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_install import REPOSITORY, Environment, installed, wheel

__all__ = ["installed", "wheel"]  # fixtures

EXAMPLE = REPOSITORY / "examples" / "own_model"
TASKS = ("--tasks", "ambi_demo_direct,ambi_demo_tlr", "--limit", "2")


@pytest.fixture(scope="module")
def environment(installed: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("example")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(EXAMPLE)], check=True, capture_output=True, timeout=300)
    (built,) = folder.glob("*.whl")
    installed.pip("install", "--no-deps", "--no-index", str(built))
    return installed


def evaluate(environment: Environment, folder: Path, *model: str) -> tuple[Any, list[str]]:
    """Run two tasks; what the results say, and the greedy answers."""
    run = environment.lm_eval(
        *TASKS, *model, "--log_samples", "--output_path", str(folder), OMP_NUM_THREADS="1"
    )
    assert run.returncode == 0, run.stderr
    (results,) = folder.rglob("results_*.json")
    (samples,) = folder.rglob("samples_ambi_demo_direct_*.jsonl")
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    return json.loads(results.read_text()), [one["doc"]["draws"][0]["text"] for one in lines]


@pytest.fixture(scope="module")
def by_adapter(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, list[str]]:
    return evaluate(environment, tmp_path_factory.mktemp("a"), "--model", "alm_example")


def test_an_adapter_of_another_package(by_adapter: tuple[Any, list[str]]) -> None:
    results, answers = by_adapter
    assert results["config"]["adapter"] == "alm_example"
    assert results["config"]["doctor"] == {"verdict": "not examined"}
    assert results["results"]["ambi_demo_direct"]["parsed,none"] == 1.0
    assert results["results"]["ambi_demo_tlr"]["js,none"] < 0.33
    assert len(set(answers)) == 2


def test_a_family_of_another_package(
    environment: Environment, by_adapter: tuple[Any, list[str]], tmp_path: Path
) -> None:
    """It runs the same weights by our engine, so that it must say the same."""
    checkpoint = tmp_path / "checkpoint"
    made = environment.call(
        [str(environment.python), "-m", "ambi_example.checkpoint", str(checkpoint)]
    )
    assert made.returncode == 0, made.stderr
    assert json.loads((checkpoint / "config.json").read_text())["model_type"] == "ambi_example"
    results, answers = evaluate(
        environment,
        tmp_path / "results",
        *("--model", "alm_hf", "--model_args", f"pretrained={checkpoint},device=cpu"),
    )
    assert results["config"]["model_type"] == "ambi_example"
    assert answers == by_adapter[1]
    for task in ("ambi_demo_direct", "ambi_demo_tlr"):
        expected = by_adapter[0]["results"][task]["js,none"]
        assert results["results"][task]["js,none"] == pytest.approx(expected, abs=1e-5)


def test_it_passes_the_conformance_suite_on_itself(environment: Environment) -> None:
    command = ["-m", "pytest", "-p", "no:cacheprovider", "--pyargs", "model_adapters.conformance"]
    run = environment.call(
        [str(environment.python), *command, "--adapter", "alm_example"], OMP_NUM_THREADS="1"
    )
    assert run.returncode == 0, run.stdout
    assert re.search(r"= \d+ passed, 2 skipped", run.stdout), run.stdout


def test_the_guide_and_the_readme_show_what_is_there() -> None:
    guide = (REPOSITORY / "docs" / "adding_a_model.md").read_text(encoding="utf-8")
    assert "examples/own_model" in guide
    project = (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
    for block in re.findall(r"^```toml\n(.*?)^```$", guide, flags=re.MULTILINE | re.DOTALL):
        assert all(line in project for line in block.splitlines()), block
