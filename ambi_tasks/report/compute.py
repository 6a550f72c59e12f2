"""What quality costs: draws, generated tokens and seconds of each run, and the curves of pools."""

from dataclasses import dataclass

import numpy as np

from ambi_tasks.metrics import Metric
from ambi_tasks.report.collector import without_collector
from ambi_tasks.report.curve import Point, curve, why_no_curve
from ambi_tasks.report.logged_pool import read_logged_pool, settings_of
from ambi_tasks.report.logged_run import LoggedRun

_SUBSETS = 32
"""Choices of draws per utterance: with thousands of utterances more say nothing more."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took for an utterance, on average.

    Attributes:
        candidates: Draws, beams or read-outs.
        tokens: Generated, verdicts included; None where the log does not say.
        seconds: Of answering and scoring, see `TaskLog.work`; None where that is.
    """

    candidates: float
    tokens: float | None
    seconds: float | None

    def seconds_of(self, draws: int) -> float | None:
        """The share of so many draws: a lower bound, since a clip is read once for all of them."""
        return None if self.seconds is None else draws / self.candidates * self.seconds


def cost(run: LoggedRun) -> Cost:
    """What a run took.

    Args:
        run: Read from its log.
    """
    tokens = float(run.utterances.tokens.mean())
    work = run.log.work
    return Cost(
        candidates=float(run.utterances.candidates.mean()),
        tokens=None if np.isnan(tokens) else tokens,
        seconds=None if work is None else work / len(run.run.ids),
    )


def curve_of(run: LoggedRun, metric: Metric, *, seed: int) -> list[Point]:
    """The curve of a run's sampled draws; empty where there is none (`curve.why_no_curve`).

    Args:
        run: Read from its log.
        metric: What to score, with its options; those of a corpus have no curve.
        seed: Of the choices of draws.
    """
    if metric.level != "utterance" or why_no_curve(settings_of(run)):
        return []
    with without_collector():
        pool = read_logged_pool(run)
    return curve(pool, [metric], seed, subsets=_SUBSETS)
