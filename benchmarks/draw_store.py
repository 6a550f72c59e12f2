"""What keeping a draw costs, beside what drawing it costs: `python benchmarks/draw_store.py`.

A model of the mid geometry (`benchmarks/engine.py`) draws answers to questions about clips, and
every draw is kept in each of three ways:

* ours: a commit without waiting for the disk, which a thread sees to once a second;
* waiting: `PRAGMA synchronous = FULL`, so that each commit waits for the disk;
* batches: the same, but a commit for every 16 draws, so that a killed process loses up to 15.

The three take turns within one run, order by order, so that they meet the same load. What is told
is the time within `DrawStore.keep` as a share of the whole.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from engine import GEOMETRIES, QUESTION, build, make_clips

from model_adapters.backend import Answer, Decoding, DrawOrder, Turn
from model_adapters.draw_store import DrawStore, Question
from model_adapters.huggingface.engine import Engine
from model_adapters.huggingface.families import family_of

BATCH = 16


@dataclass
class Way:
    """One way to keep draws.

    Attributes:
        store: Where they go.
        waits: Whether a commit waits for the disk.
        batch: Draws a commit.
        drawing: Seconds that drawing took, one entry an order.
        keeping: Seconds that keeping took, one entry a draw.
    """

    store: DrawStore
    waits: bool
    batch: int
    drawing: list[float] = field(default_factory=list)
    keeping: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection = self.store._connection  # noqa: SLF001
        if self.waits:
            self.connection.execute("PRAGMA synchronous = FULL")

    def keep(self, question: Question, index: int, answer: Answer) -> None:
        """Keep a draw, and note how long that took."""
        start = time.perf_counter()
        if self.batch > 1 and not self.connection.in_transaction:
            self.connection.execute("BEGIN IMMEDIATE")
        self.store.keep(question, index, answer)
        if self.batch > 1 and (index + 1) % self.batch == 0:
            self.connection.execute("COMMIT")
        self.keeping.append(time.perf_counter() - start)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Time the store of draws beside the drawing.")
    parser.add_argument("--geometry", choices=GEOMETRIES, default="mid")
    parser.add_argument("--questions", type=int, default=12, help="for each way")
    parser.add_argument("--draws", type=int, default=16, help="of a question")
    parser.add_argument("--tokens", type=int, default=32, help="of an answer")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a clip")
    parser.add_argument("--folder", type=Path, help="where the stores lie; a temporary folder")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        ways = {
            "ours": Way(DrawStore(folder / "ours", "f", "m"), waits=False, batch=1),
            "waiting": Way(DrawStore(folder / "waiting", "f", "m"), waits=True, batch=1),
            "batches": Way(DrawStore(folder / "batches", "f", "m"), waits=True, batch=BATCH),
        }
        for way, order, found in drawn(ways, folder, options):
            question = Question(f'{{"turns": [["user", "{QUESTION}", 1]], "clips": "{order.key}"}}')
            start = time.perf_counter()
            for _, index, answer in found:
                way.keep(question, index, answer)
            way.drawing.append(time.perf_counter() - start)
        report(ways, options)
        for way in ways.values():
            way.store.close()


def drawn(
    ways: dict[str, Way], folder: Path, options: argparse.Namespace
) -> Iterator[tuple[Way, DrawOrder, Iterator[tuple[int, int, Answer]]]]:
    """Each way in turn, with an order and its draws, which are made as they are taken."""
    model, processor = build(
        GEOMETRIES[options.geometry], options.device, getattr(torch, options.dtype)
    )
    engine = Engine(model, processor, family_of("qwen2_audio"), options.draws, "refuse")
    decoding = Decoding(do_sample=True, max_new_tokens=options.tokens)
    clips = make_clips(folder, options.questions + 1, options.seconds)
    for number, clip in enumerate(clips):
        for name, way in ways.items():
            order = DrawOrder(
                (Turn("user", QUESTION, (clip,)),),
                decoding,
                tuple(range(options.draws)),
                f"{name}/{number}",
            )
            if number:
                yield way, order, engine.draw([order])
            else:
                list(engine.draw([order]))  # warms up


def report(ways: dict[str, Way], options: argparse.Namespace) -> None:
    """Print the table."""
    where = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    print(
        f"{where}, {torch.get_num_threads()} threads, {options.dtype}, geometry "
        f"{options.geometry}; {options.questions} questions with {options.draws} draws of "
        f"{options.tokens} tokens for each way"
    )
    print(f"{'':9}{'ms a draw':>11}{'keeping, us: mean':>19}{'median':>9}{'p99':>9}{'share':>9}")
    for name, way in ways.items():
        keeping = np.array(way.keeping)
        whole = sum(way.drawing)
        print(
            f"{name:9}{1e3 * (whole - keeping.sum()) / len(keeping):11.1f}"
            f"{1e6 * keeping.mean():19.0f}{1e6 * np.median(keeping):9.0f}"
            f"{1e6 * np.quantile(keeping, 0.99):9.0f}{keeping.sum() / (whole - keeping.sum()):9.2%}"
        )


if __name__ == "__main__":
    main()
