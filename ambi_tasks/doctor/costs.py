"""What each strategy costs with a model, measured on clips, and so what each corpus would take."""

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.errors import UserError
from ambi_tasks.plugin import tasks_path
from ambi_tasks.strategies import all_strategies
from ambi_tasks.task import AmbiTask
from model_adapters.audio_lm import AudioLM

_EVERY = 0.01  # seconds between two looks at the memory


@dataclass(frozen=True, slots=True)
class Cost:
    """What a strategy costs with a model.

    Attributes:
        strategy: Its name.
        seconds: Per utterance; None where the model cannot run the strategy.
        tokens: Generated or scored per utterance.
        memory: Most memory of the GPUs meanwhile, or of this process where there is none; bytes.
        why_not: The sentence that says why the model cannot run it, empty where it can.
    """

    strategy: str
    seconds: float | None
    tokens: float = 0.0
    memory: int = 0
    why_not: str = ""


def measure(lm: AudioLM, clips: Sequence[Clip], labels: Sequence[str]) -> Iterator[Cost]:
    """Run each strategy's requests about clips, as its task makes them.

    Args:
        lm: The model, loaded, which keeps no draws: no strategy uses another's.
        clips: What it hears.
        labels: What it is asked about.

    Yields:
        The cost of each strategy, by name.
    """
    for name, task in _tasks().items():
        before = _tokens(lm)
        try:
            with _peak_memory() as peak:
                start = time.perf_counter()
                _run(lm, task, clips, labels)
                seconds = time.perf_counter() - start
        except UserError as error:
            yield Cost(name, None, why_not=str(error))
            continue
        tokens = (_tokens(lm) - before) / len(clips)
        yield Cost(name, seconds / len(clips), tokens, max(peak))


def corpus_sizes() -> dict[str, int]:
    """How many utterances each corpus has by its default options, where that is known."""
    sizes = {name: corpus.typical_utterances for name, corpus in all_corpora().items()}
    return {name: size for name, size in sorted(sizes.items()) if size is not None}


def _tasks() -> dict[str, AmbiTask]:
    manager = TaskManager(include_path=tasks_path(), include_defaults=False)
    names = {f"ambi_demo_{name}": name for name in sorted(all_strategies())}
    found: Mapping[str, AmbiTask] = manager.load(list(names))["tasks"]
    return {names[task]: made for task, made in found.items()}


def _run(lm: AudioLM, task: AmbiTask, clips: Sequence[Clip], labels: Sequence[str]) -> None:
    """Make a task's requests and let the model answer them, as the harness's runner does."""
    requests: list[Instance] = []
    for number, clip in enumerate(clips):
        document = {"labels": list(labels), "audio": clip.mapping()}
        meta = (task.config.task, number, task.config.repeats)
        text = task.doc_to_text(document)
        requests += task.construct_requests(document, text, metadata=meta)
    for kind in dict.fromkeys(request.request_type for request in requests):
        asked = [one for one in requests if one.request_type == kind]
        repeated = [one for one in asked for _ in range(one.repeats or 1)]
        answer: Any = getattr(lm, kind)
        for one, response in zip(repeated, answer(repeated, disable_tqdm=True), strict=True):
            one.resps.append(response)


def _tokens(lm: AudioLM) -> int:
    """Tokens that the model, and its verifier if it is another, have made so far."""
    info = lm.get_model_info()
    models = [info, info.get("verifier", {})]
    kinds = ("draws", "verdicts", "scores")
    return sum(model.get(kind, {}).get("tokens", 0) for model in models for kind in kinds)


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """Watch the memory; the list holds the peak in bytes once this ends."""
    torch = sys.modules.get("torch")  # an adapter that does without it is not made to load it
    devices = list(range(torch.cuda.device_count())) if torch and torch.cuda.is_available() else []
    if torch and devices and torch.cuda.is_initialized():
        for device in devices:
            torch.cuda.reset_peak_memory_stats(device)
        peak: list[int] = []
        yield peak
        peak.append(sum(torch.cuda.max_memory_reserved(device) for device in devices))
        return
    process, over = psutil.Process(), threading.Event()
    peak = [process.memory_info().rss]

    def watch() -> None:
        while not over.wait(_EVERY):
            peak[0] = max(peak[0], process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
