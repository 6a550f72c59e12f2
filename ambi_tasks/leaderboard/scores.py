"""The scores of a run as submissions have them: values, intervals, strata."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np

from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.submission import ScoreRecord, Stratum
from ambi_tasks.leaderboard.truth import Truth
from ambi_tasks.statistics import Run, score_run

ScoresOf: TypeAlias = Callable[[Entry], Mapping[str, ScoreRecord]]
"""Where the scores of an entry come from: `entry_scores`, or what was computed already."""

SEED = 1234
"""Of the intervals of submissions, unless they name another."""

STRATA: tuple[Stratum, ...] = ("unanimous", "low", "medium", "high")


def point_scores(run: Run) -> dict[str, float]:
    """Every metric's value, without an interval, by the metrics' default options.

    Args:
        run: What to score.

    Returns:
        Metric -> value; NaN where a metric has none.
    """
    return {
        metric.name: float(
            metric.value(
                metric.sufficient(*run.inputs[metric.needs], labels=run.rule.classes).sum(axis=0)
            )
        )
        for metric in run.metrics()
    }


def score_records(run: Run, *, seed: int = SEED) -> dict[str, ScoreRecord]:
    """Every metric with its interval over resampled speakers; without one for a single speaker.

    Args:
        run: What to score.
        seed: Of the resamples.
    """
    if len(np.unique(run.speakers)) == 1:
        return {
            name: ScoreRecord(value=None if value != value else value)  # noqa: PLR0124 - NaN
            for name, value in point_scores(run).items()
        }
    return {name: ScoreRecord.of(score) for name, score in score_run(run, seed=seed).items()}


def entry_scores(entry: Entry) -> Mapping[str, ScoreRecord]:
    """The scores of an entry: computed here where the votes are at hand, else its own.

    Args:
        entry: Of a board.
    """
    run = entry.run
    return entry.submission.scores if run is None else score_records(run)


def stratum_records(
    run: Run, truth: Truth, *, seed: int = SEED
) -> Iterator[tuple[Stratum, dict[str, ScoreRecord]]]:
    """The same for each stratum of ambiguity that has utterances.

    Args:
        run: What to score.
        truth: Of the same utterances.
        seed: Of the resamples.
    """
    for stratum in STRATA:
        keep = truth.strata == stratum
        if keep.any():
            yield stratum, score_records(run.only(keep), seed=seed)
