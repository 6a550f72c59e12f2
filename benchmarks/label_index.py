"""How long the index of a large corpus takes to build and to open, and in how much memory.

    python benchmarks/label_index.py [--turns 200000]

It writes a look-alike of MSP-Podcast 1.12 (label tables alone, invented votes) into a temporary
folder and opens its index twice, each time in a process of its own: the first builds it.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WORKERS = 6
EMOTIONS = ("Neutral", "Happy", "Angry", "Sad", "Surprise", "Contempt", "Other-Confused")
SHARES = (0.4, 0.2, 0.1, 0.1, 0.08, 0.06, 0.06)
TURNS_PER_PODCAST = 100


def write_corpus(root: Path, turns: int) -> None:
    """Write the tables of a release with so many turns, all of them in Test1."""
    labels = root / "Labels"
    labels.mkdir(parents=True)
    votes = np.random.default_rng(0).choice(len(EMOTIONS), p=SHARES, size=(turns, WORKERS))
    with (
        (labels / "labels_detailed.csv").open("w", newline="") as detailed,
        (labels / "labels_consensus.csv").open("w", newline="") as consensus,
    ):
        detail, turn_rows = csv.writer(detailed), csv.writer(consensus)
        detail.writerow(["FileName", "EmoDetail"])
        turn_rows.writerow(["FileName", "EmoClass", "SpkrID", "Gender", "Split_Set"])
        for turn in range(turns):
            name = f"MSP-PODCAST_{turn // TURNS_PER_PODCAST:04d}_{turn % TURNS_PER_PODCAST:04d}.wav"
            turn_rows.writerow([name, "N", turn // TURNS_PER_PODCAST, "Female", "Test1"])
            for worker, vote in enumerate(votes[turn]):
                rating = f"WORKER{worker:08d}; {EMOTIONS[vote]}; ; A:4.0; V:4.0; D:4.0;"
                detail.writerow([name, rating])
    (root / "Audios").mkdir()


def open_index(root: Path) -> None:
    """Open the index in this process and print what it took."""
    from ambi_tasks.corpora import get_corpus  # noqa: PLC0415 - imports are not what is measured
    from ambi_tasks.label_index import label_index  # noqa: PLC0415

    corpus = get_corpus("msp_podcast")
    before, start = _peak_mb(), time.perf_counter()
    index = label_index(corpus, root, corpus.chosen_options({}), corpus.chosen_rule({}))
    seconds = time.perf_counter() - start
    print(f"{len(index.rows)} rows, {seconds:.2f} s, {_peak_mb() - before:.0f} MB more")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=200_000)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.open:
        open_index(arguments.open)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "release"
        write_corpus(root, arguments.turns)
        environment = {**os.environ, "AMBI_CACHE": str(Path(folder) / "cache")}
        for label in ("built", "opened"):
            command = [sys.executable, __file__, "--open", str(root)]
            printed = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=True
            )
            print(f"{label}: {printed.stdout.strip()}")
        size = sum(p.stat().st_size for p in Path(folder, "cache").rglob("*") if p.is_file())
        print(f"on disk: {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
