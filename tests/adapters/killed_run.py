"""A whole evaluation in a process of its own, which may kill itself at a draw. For `test_kill`."""

import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lm_eval
import scipy.special  # noqa: F401
import transformers  # noqa: F401
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager
from torch.utils import collect_env

import ambi_tasks.statistics
import ambi_tasks.task  # noqa: F401
from ambi_tasks.plugin import tasks_path
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import Answer, Capabilities, DrawOrder, Score, ScoreOrder
from model_adapters.draw_store import DrawStore
from model_adapters.noise import uniform
from model_adapters.scripted import ScriptedBackend

TASKS = ["ambi_demo_sc", "ambi_demo_walmv", "ambi_demo_tlr"]
LABELS = ("neutral", "happy", "angry", "sad")


@dataclass(frozen=True)
class Death:
    """Where a process kills itself.

    Attributes:
        writes: After so many draws and scores.
        written: Behind the last one's write, or in front of it.
    """

    writes: int
    written: bool


class Worker(ScriptedBackend):
    """Answers by counter-based noise, and notes whatever it is made to draw or score."""

    capabilities = Capabilities(beams=True, draw_log_likelihood=True, log_likelihood=True)

    def __init__(self, notes: Path) -> None:
        super().__init__(self.write, lambda turns, text: -1.0 - uniform(str(turns), 0, len(text)))
        self._notes = notes.open("a", encoding="utf-8")

    def fingerprint(self) -> str:
        return "worker"

    def write(self, order: DrawOrder, index: int) -> str:
        if "<task>" in order.conversation[-1].text:
            return str(round(10 * uniform(order.key, index, 0)))
        shares = [uniform(order.key, index, step) + 0.01 for step in range(len(LABELS))]
        values = {n: round(p / sum(shares), 4) for n, p in zip(LABELS, shares, strict=True)}
        return json.dumps(values)

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        for position, index, answer in super().draw(orders):
            self._note(orders[position].key, index)
            yield position, index, answer

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        for position, scores in super().log_likelihoods(orders):
            for text in orders[position].continuations:
                self._note(str(orders[position].conversation), text)
            yield position, scores

    def _note(self, *what: object) -> None:
        self._notes.write(json.dumps(what) + "\n")
        self._notes.flush()


def kill_at(death: Death) -> None:
    """Let this process kill itself, as `kill -9` would."""
    written = itertools.count(1)

    def counting(keep: Callable[..., None]) -> Callable[..., None]:
        def counted(*arguments: Any) -> None:
            last = next(written) == death.writes
            if last and not death.written:
                os.kill(os.getpid(), signal.SIGKILL)
            keep(*arguments)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)

        return counted

    for name in ("keep", "keep_score"):
        setattr(DrawStore, name, counting(getattr(DrawStore, name)))


def evaluate(folder: Path, corpus: Path, death: Death | float | None) -> None:
    """Run three strategies as `lm_eval --log_samples --output_path` does.

    Args:
        folder: Gets the `cache`, the `results`, and `notes` of what was drawn.
        corpus: The demo corpus, or one in its place.
        death: Where to die, or after how many seconds; None to live.
    """
    os.environ["AMBI_CACHE"] = str(folder / "cache")
    if isinstance(death, Death):
        kill_at(death)
    elif death is not None:
        threading.Timer(death, os.kill, (os.getpid(), signal.SIGKILL)).start()
    collect_env.get_pretty_env_info = lambda: ""  # asks programs of the system, for seconds
    tracker = EvaluationTracker(output_path=str(folder / "results"))
    manager = TaskManager(
        include_path=tasks_path(), include_defaults=False, metadata={"demo_root": str(corpus)}
    )
    results = lm_eval.simple_evaluate(
        model=AudioLM(Worker(folder / "notes")),
        tasks=TASKS,
        task_manager=manager,
        evaluation_tracker=tracker,
        log_samples=True,
        bootstrap_iters=0,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results, samples)
    for name, one in samples.items():
        tracker.save_results_samples(name, one)
