"""How long the intervals of all metrics take, against the harness's bootstrap, and in what memory.

    python benchmarks/resampling.py [--harness-resamples 200]

Everything runs on one core, each part in a process of its own; seconds are those that the process
computes, so that what else the machine does counts on neither side:

* all metrics of distributions, 10,000 resamples of speakers, on as many utterances as MSP-Podcast's
  Test1 has, from the two arrays to the intervals;
* the standard error of F1, the one metric that both have, by the harness's `bootstrap_stderr` and
  by ours, both resampling single utterances of two classes (the harness's F1 has no more). The
  harness takes minutes for 10,000 resamples, so it makes fewer unless told otherwise, and is
  compared by its time for one. That both compute the same is shown on the harness's own resamples;
* the largest memory with 200,000 utterances, and more than it had before.
"""

import argparse
import contextlib
import io
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from ambi_tasks.labels import LabelRule
from ambi_tasks.metrics.f1_counts import class_counts, class_scores
from ambi_tasks.metrics.validation import Floats
from ambi_tasks.statistics import Clusters, ClusterSums, Run, intervals, resample, score_run

LABELS = ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
TEST1, SPEAKERS = 30_647, 1000
LARGE, MANY_SPEAKERS = 200_000, 2000
RESAMPLES = 10_000
HEARD = 0.7


def a_run(utterances: int, speakers: int, labels: tuple[str, ...] = LABELS) -> Run:
    """Votes and predictions at random, near each other."""
    rng = np.random.default_rng(0)
    opinion = rng.dirichlet([0.6] * len(labels), size=utterances)
    votes = rng.multinomial(5, opinion) / 5
    prediction = 0.5 * opinion + 0.5 * rng.dirichlet([0.6] * len(labels), size=utterances)
    return Run.of(
        "simulated",
        ids=[f"{number:06d}" for number in range(utterances)],
        speakers=[f"{one:06d}" for one in np.arange(utterances) % speakers],
        rule=LabelRule(labels),
        inputs={"distributions": (votes, prediction)},
    )


class PositiveF1:
    """F1 of the second of two classes, as the harness has it, from our statistics of F1."""

    def value(self, sums: Floats, /) -> Floats:
        """Sums (..., 6) to F1."""
        return class_scores(sums)[0][..., 1]


def all_metrics_together(utterances: int = TEST1, speakers: int = SPEAKERS) -> None:
    """Time `score_run`."""
    run = a_run(utterances, speakers)

    def score() -> None:
        score_run(run, seed=0, resamples=RESAMPLES)

    first = least_time(score, rounds=1)  # with tables that are made once
    print(
        f"all {len(run.metrics())} metrics, {len(LABELS)} classes, {utterances} utterances of "
        f"{speakers} speakers, {RESAMPLES} resamples: {first:.2f} s, then "
        f"{least_time(score, rounds=3):.2f} s"
    )


def f1_by_both(harness_resamples: int) -> None:
    """Time both bootstraps on the same utterances."""
    from lm_eval.api.metrics import bootstrap_stderr, f1_score  # noqa: PLC0415 - slow to import

    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=TEST1)
    prediction = np.where(rng.random(TEST1) < HEARD, truth, rng.integers(2, size=TEST1))
    statistics = class_counts(np.eye(2)[truth], np.eye(2)[prediction])
    items = list(zip(truth.tolist(), prediction.tolist(), strict=True))

    def harness(resamples: int) -> float:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return float(bootstrap_stderr(f1_score, items, resamples))

    same = 20
    draws = random.Random(0)  # noqa: S311 - as the harness draws
    weights = [
        np.bincount(draws.choices(range(TEST1), k=TEST1), minlength=TEST1) for _ in range(same)
    ]
    ours_on_theirs = PositiveF1().value(np.array(weights) @ statistics).std(ddof=1)
    print(
        f"standard error of F1 on the harness's own {same} resamples: "
        f"harness {harness(same):.15f}, ours {ours_on_theirs:.15f}"
    )
    start = time.process_time()
    error = harness(harness_resamples)
    per_resample = (time.process_time() - start) / harness_resamples
    print(
        f"harness: {1000 * per_resample:.1f} ms a resample over {harness_resamples}, so "
        f"{RESAMPLES * per_resample:.0f} s for {RESAMPLES}; standard error {error:.5f}"
    )
    for unit, clusters in (
        ("utterances", np.arange(TEST1)),
        (f"{SPEAKERS} speakers", np.arange(TEST1) % SPEAKERS),
    ):

        def ours(clusters: Floats = clusters) -> float:
            sums = ClusterSums.of("f1", statistics, Clusters.of(clusters), PositiveF1())
            drawn = resample([sums], rng=np.random.default_rng(0), resamples=RESAMPLES)
            return intervals(drawn)["f1"].se

        seconds = least_time(ours, rounds=2)
        print(
            f"ours, {RESAMPLES} resamples of {unit}: {seconds:.2f} s, "
            f"{RESAMPLES * per_resample / seconds:.0f} times as fast; standard error {ours():.5f}"
        )


def memory(utterances: int = LARGE, speakers: int = MANY_SPEAKERS) -> None:
    """Print the largest memory of this process."""
    run = a_run(utterances, speakers)
    before = peak_mb()
    start = time.process_time()
    score_run(run, seed=0, resamples=RESAMPLES)
    seconds = time.process_time() - start
    print(
        f"{utterances} utterances of {speakers} speakers, {len(LABELS)} classes: "
        f"{peak_mb():.0f} MB at most, {peak_mb() - before:.0f} MB more than with the data alone; "
        f"{seconds:.1f} s"
    )


def least_time(work: Callable[[], object], rounds: int) -> float:
    """Seconds of the fastest of some rounds."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def peak_mb() -> float:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PARTS: dict[str, Callable[[int], None]] = {
    "speed": lambda _: all_metrics_together(),
    "f1": f1_by_both,
    "memory": lambda _: memory(),
}


def main() -> None:
    """Measure all, or in a child process one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--harness-resamples", type=int, default=200, help="at most 1000, or n000")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        PARTS[options.part](options.harness_resamples)
        return
    one_core = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "DISABLE_MULTIPROC": "1"}
    for part in PARTS:
        command = [sys.executable, __file__, "--part", part]
        command += ["--harness-resamples", str(options.harness_resamples)]
        subprocess.run(command, env={**os.environ, **one_core}, check=True)


if __name__ == "__main__":
    main()
