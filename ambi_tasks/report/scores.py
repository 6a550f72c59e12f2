"""The scores of runs that compare: intervals, ranks, floors, ceiling, skill."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ambi_tasks.metrics import Metric
from ambi_tasks.metrics.validation import Flags
from ambi_tasks.report.comparable import Group
from ambi_tasks.report.logged_run import LoggedRun
from ambi_tasks.report.logged_votes import LoggedVotes, logged_votes
from ambi_tasks.statistics import (
    Ranking,
    Run,
    Score,
    label_prior,
    rank_runs,
    score_run,
    skill_share,
    table_references,
    uniform,
)

MAIN = ("js", "bc", "r2", "acc", "f1_macro", "f1_weighted", "ece", "brier", "ent_corr", "parsed")
"""Metrics of the main table, in its order; ranks are by these."""

FLOOR, CEILING = "label_prior", "split_half"
"""Between which skill is measured; see docs/statistics.md."""

_SPLITS = 75_000
"""Splits of votes in all: 200 for each utterance of a small corpus, 10 of CREMA-D's."""


@dataclass(frozen=True, slots=True)
class References:
    """Floors and ceiling.

    Attributes:
        scores: `uniform`, `label_prior`, `split_half` -> metric -> score; those that there are.
        utterances: On how many utterances they are scored.
        note: What is left out of them, and why, in sentences; empty where nothing is.
    """

    scores: Mapping[str, Mapping[str, Score]]
    utterances: int
    note: str


@dataclass(frozen=True, slots=True)
class GroupScores:
    """All scores of a group.

    Attributes:
        order: Names of the runs, best first by the primary metric.
        ranking: Scores and ranks.
        references: Floors and ceiling.
        skill: Run -> metric -> share of the way from floor to ceiling, on the utterances of the
            references; only metrics that have one.
        note: Why there are no intervals and ranks; empty where there are.
    """

    order: tuple[str, ...]
    ranking: Ranking
    references: References
    skill: Mapping[str, Mapping[str, float]]
    note: str

    @property
    def runs(self) -> Mapping[str, Mapping[str, Score]]:
        """Run -> metric -> score."""
        return self.ranking.scores


def score_group(group: Group, primary: Metric, *, seed: int, resamples: int) -> GroupScores:
    """Score runs that compare.

    Args:
        group: The runs.
        primary: What they are ordered by.
        seed: Of resamples and splits.
        resamples: Of the speakers.
    """
    runs = [one.run for one in group.runs]
    note = ""
    if len(np.unique(runs[0].speakers)) > 1:
        ranking = rank_runs(
            runs,
            seed=seed,
            metrics=group.metrics,
            ranked={*MAIN, primary.name},
            resamples=resamples,
        )
    else:
        ranking = Ranking({run.name: _values(run, group.metrics) for run in runs}, {})
        note = (
            f"All utterances are of the speaker {runs[0].speakers[0]}: there are no intervals and "
            "no ranks, which need two speakers or more."
        )
    sign = -1 if primary.higher_is_better else 1
    values = {name: sign * scores[primary.name].value for name, scores in ranking.scores.items()}
    ordered = sorted(values, key=lambda name: (math.isnan(values[name]), values[name], name))
    votes = next(filter(None, map(logged_votes, group.runs)), None)
    references = _references(group, votes, seed=seed, resamples=resamples)
    kept = votes.kept if votes is not None and CEILING in references.scores else None
    skill = {
        one.run.name: _skill(one, group, ranking.scores[one.run.name], references, kept)
        for one in group.runs
    }
    return GroupScores(tuple(ordered), ranking, references, skill, note)


def compared_metrics(group: Group) -> list[Metric]:
    """The metrics of truth and prediction, with the group's options.

    Args:
        group: The runs.
    """
    run = group.runs[0].run
    return [one for one in run.metrics(group.metrics) if one.needs == "distributions"]


def _values(run: Run, metrics: Mapping[str, Metric]) -> dict[str, Score]:
    """Scores without intervals."""
    nothing = math.nan
    return {
        metric.name: Score(
            float(
                metric.value(
                    metric.sufficient(*run.inputs[metric.needs], labels=run.rule.classes).sum(
                        axis=0
                    )
                )
            ),
            nothing,
            nothing,
            nothing,
        )
        for metric in run.metrics(metrics)
    }


def _references(
    group: Group, votes: LoggedVotes | None, *, seed: int, resamples: int
) -> References:
    first = group.runs[0]
    metrics = compared_metrics(group)
    everybody = len(first.run.ids)
    if len(np.unique(first.run.speakers)) < 2:  # noqa: PLR2004
        scores = {"uniform": _values(_pretend(first, "uniform"), group.metrics)}
        return References(scores, everybody, "One speaker: there are no label prior and ceiling.")
    if votes is not None and len(np.unique(votes.table.speakers)) > 1:
        kept = len(votes.table.speakers)
        found = table_references(
            votes.table,
            first.run.rule,
            seed=seed,
            repetitions=max(10, min(200, _SPLITS // kept)),
            resamples=resamples,
            metrics=metrics,
        )
        chosen = {name: found.scores[name] for name in ("uniform", FLOOR, CEILING)}
        return References(chosen, kept, _left_out(votes, everybody))
    scores = {
        name: score_run(
            _pretend(first, name), seed=seed, metrics=group.metrics, resamples=resamples
        )
        for name in ("uniform", FLOOR)
    }
    why = (
        "the log does not have the votes"
        if votes is None
        else "no two speakers have utterances whose votes are known one by one"
    )
    return References(scores, everybody, f"There is no human ceiling: {why}.")


def _pretend(run: LoggedRun, name: str) -> Run:
    """A run that predicts a floor."""
    floor = uniform(run.truth) if name == "uniform" else label_prior(run.truth, run.run.speakers)
    return Run(
        name, run.run.ids, run.run.speakers, run.run.rule, {"distributions": (run.truth, floor)}
    )


def _left_out(votes: LoggedVotes, everybody: int) -> str:
    reasons = [
        f"{count:,} with {what}"
        for count, what in (
            (votes.alone, "a single annotator"),
            (votes.shared, "a vote shared among classes, which a log does not tell apart"),
        )
        if count
    ]
    if not reasons:
        return ""
    return (
        f"Floors, ceiling and skill are on {int(votes.kept.sum()):,} of {everybody:,} utterances; "
        f"without those {' and '.join(reasons)}."
    )


def _skill(
    run: LoggedRun,
    group: Group,
    scores: Mapping[str, Score],
    references: References,
    kept: Flags | None,
) -> dict[str, float]:
    """The run's skill by each metric, on the utterances of the references."""
    if kept is None:
        return {}
    found = {}
    for metric in compared_metrics(group):
        share = skill_share(
            scores[metric.name].value if kept.all() else _value(run, metric, kept),
            references.scores[FLOOR][metric.name].value,
            references.scores[CEILING][metric.name].value,
            higher_is_better=metric.higher_is_better,
        )
        if share is not None:
            found[metric.name] = share
    return found


def _value(run: LoggedRun, metric: Metric, kept: Flags) -> float:
    arrays = run.truth[kept], run.prediction[kept]
    sums = metric.sufficient(*arrays, labels=run.run.rule.classes).sum(axis=0)
    return float(metric.value(sums))
