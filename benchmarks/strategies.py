"""What the eight strategies cost together: `python benchmarks/strategies.py`.

They share their draws, so a run of the whole group should cost little more than what it cannot do
without: one pool of sampled draws, one of beams, one answer that reasons, and one verifier pass.
Both sides run here, one after the other in each round, on the same clips with nothing kept between
them; the seconds are those that the backend works, and the rounds' least is what is compared.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import lm_eval
import torch
from lm_eval.tasks import TaskManager

from ambi_tasks.plugin import tasks_path
from ambi_tasks.strategies import all_strategies
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import Answer, Backend, Capabilities, DrawOrder, Score, ScoreOrder
from model_adapters.huggingface import HuggingFaceBackend

_Found = TypeVar("_Found")

PARTS = {
    "one sampled pool": ("sc", "draws"),
    "one beam pool": ("bon", "draws"),
    "one reasoned answer": ("cot", "draws"),
    "one verifier pass": ("almv", "verdicts"),
}
"""Part -> the strategy that needs it, and what of that strategy's work it is."""


class TimedBackend(Backend):
    """Another backend, with a clock.

    Attributes:
        seconds: Time worked, by kind: the first call for draws is for candidates, the second for
            verdicts.
    """

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self._calls = iter(("draws", "verdicts"))
        self.seconds: dict[str, float] = defaultdict(float)

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        """Those of the other backend."""
        return self._inner.capabilities

    @property
    def model_name(self) -> str:
        """The other backend's."""
        return self._inner.model_name

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """Time the other backend."""
        return self._timed(next(self._calls), self._inner.draw(orders))

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        """Time the other backend."""
        return self._timed("scores", self._inner.log_likelihoods(orders))

    def _timed(self, kind: str, found: Iterable[_Found]) -> Iterator[_Found]:
        iterator = iter(found)
        while True:
            start = time.perf_counter()
            one = next(iterator, None)
            self.seconds[kind] += time.perf_counter() - start
            if one is None:
                return
            yield one


def measure(
    strategies: Iterable[str], backend: Backend, manager: TaskManager, limit: int | None
) -> dict[str, float]:
    """Evaluate strategies on the demo corpus and time the backend.

    Returns:
        Seconds by kind of work.
    """
    timed = TimedBackend(backend)
    lm_eval.simple_evaluate(
        model=AudioLM(timed, keep_draws=False),
        tasks=[f"ambi_demo_{name}" for name in strategies],
        task_manager=manager,
        bootstrap_iters=0,
        limit=limit,
        verbosity="ERROR",
    )
    return timed.seconds


def one_round(run: Callable[[Iterable[str]], dict[str, float]]) -> dict[str, float]:
    """Time the parts one by one, and all strategies together."""
    alone = {part: run([name])[kind] for part, (name, kind) in PARTS.items()}
    return alone | {"all eight together": sum(run(all_strategies()).values())}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Time the strategies' shared draws.")
    parser.add_argument("--pretrained", default="demo", help="as in --model_args")
    parser.add_argument("--device", default=None, help="as for lm_eval")
    parser.add_argument("--batch-size", type=int, default=16, help="as for lm_eval")
    parser.add_argument("--limit", type=int, default=None, help="clips")
    parser.add_argument("--rounds", type=int, default=3, help="of which the least counts")
    options = parser.parse_args()
    backend = HuggingFaceBackend(
        pretrained=options.pretrained, device=options.device, batch_size=options.batch_size
    )
    manager = TaskManager(include_path=tasks_path(), include_defaults=False)

    def run(strategies: Iterable[str]) -> dict[str, float]:
        return measure(strategies, backend, manager, options.limit)

    run(["direct"])  # loads the weights
    rounds: list[dict[str, Any]] = [one_round(run) for _ in range(options.rounds)]
    least = {name: min(one[name] for one in rounds) for name in rounds[0]}
    total = sum(least[part] for part in PARTS)
    threads = torch.get_num_threads()
    print(f"{options.pretrained}, batch size {options.batch_size}, {threads} threads; seconds:")
    for name, seconds in {**least, "the four parts": total}.items():
        print(f"  {name:<22}{seconds:8.2f}")
    print(f"all eight / four parts: {least['all eight together'] / total:.2f}")


if __name__ == "__main__":
    main()
