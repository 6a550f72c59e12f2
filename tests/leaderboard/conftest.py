"""A run of every strategy on the bundled corpus, its submissions, and nobody's own corpora."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import lm_eval
import numpy as np
import pytest
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from ambi_tasks.leaderboard.making import Details, make_submitter, submissions_of
from ambi_tasks.leaderboard.truth import board_corpora
from ambi_tasks.leaderboard.writing import write_submission
from ambi_tasks.plugin import tasks_path
from ambi_tasks.strategies import all_strategies
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import DrawOrder
from model_adapters.scripted import ScriptedBackend

DETAILS = Details(name="Scripted 1B", organization="Example Lab", parameters=10**9)
LABELS = ["neutral", "happy", "angry", "sad"]


@pytest.fixture(scope="session", autouse=True)
def no_corpora() -> Iterator[None]:
    """The user's own copies are not the tests'."""
    with pytest.MonkeyPatch.context() as patch:
        for name in board_corpora():
            patch.delenv(f"{name.upper()}_ROOT", raising=False)
        yield


def _answer(order: DrawOrder, index: int) -> str:
    """An answer that depends on what is asked and on the index; some cannot be read."""
    digest = hashlib.sha256(f"{order.key}{index}".encode()).digest()
    if digest[0] < 25:
        return "I would rather not say."
    if "from 0 (wrong throughout)" in order.conversation[-1].text:
        return str(digest[1] % 11)
    shares = np.random.default_rng(list(digest)).dirichlet(np.ones(4))
    return json.dumps(dict(zip(LABELS, shares.tolist(), strict=True)))


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all strategies on the bundled corpus, with answers from a script."""
    folder = tmp_path_factory.mktemp("results")
    tracker = EvaluationTracker(output_path=str(folder))
    results = lm_eval.simple_evaluate(
        model=AudioLM(ScriptedBackend(_answer, lambda _, text: -float(len(text)))),
        tasks=[f"ambi_demo_{name}" for name in all_strategies()],
        task_manager=TaskManager(
            include_path=tasks_path(), include_defaults=False, metadata={"draws": 4}
        ),
        evaluation_tracker=tracker,
        bootstrap_iters=10,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results, samples)
    for task, lines in samples.items():
        tracker.save_results_samples(task, lines)
    path = next(folder.rglob("results_*.json"))
    content = json.loads(path.read_text(encoding="utf-8"))
    content.setdefault("date", 1_767_323_045.0)
    content["config"]["adapter"] = "alm_hf"
    content["config"]["model_sha"] = "0" * 40
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def made_board(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with the submissions of that run."""
    board = tmp_path_factory.mktemp("board")
    submitter = make_submitter(name="Jane Doe", contact="jane@example.org")
    for submission, tables in submissions_of(finished_run, DETAILS, submitter):
        write_submission(board, submission, tables)
    return board


@pytest.fixture
def own_board(made_board: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may tamper with."""
    return shutil.copytree(made_board, tmp_path / "board")


@pytest.fixture
def entry(own_board: Path) -> Path:
    """The folder of one submission, which a test may tamper with."""
    return own_board / "submissions/Example-Lab__Scripted-1B/demo/walmv"
