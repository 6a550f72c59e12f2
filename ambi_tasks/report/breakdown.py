"""Scores of parts of a corpus: by ambiguity, by class, by group of speakers.

Parts are scored on the same resamples of all speakers, each with the utterances that fall into the
part (a domain, in the terms of survey sampling), so that a part's interval includes how many of
them the speakers happen to have.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ambi_tasks.metrics import Metric
from ambi_tasks.metrics.rows import most_probable
from ambi_tasks.metrics.validation import Flags, Floats
from ambi_tasks.report.comparable import Group
from ambi_tasks.report.logged_run import LoggedRun, Names
from ambi_tasks.report.naming import slugs
from ambi_tasks.statistics import Clusters, ClusterSums, Score, intervals, resample

STRATA = ("unanimous", "low", "medium", "high")

_MOST_VALUES = 8
_AT_ONCE = 8  # runs that are resampled together


@dataclass(frozen=True, slots=True)
class Part:
    """Some utterances.

    Attributes:
        name: What they have in common.
        keep: (N,), which.
    """

    name: str
    keep: Flags

    @property
    def size(self) -> int:
        """How many."""
        return int(np.count_nonzero(self.keep))


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The parts of a corpus by one criterion, scored.

    Attributes:
        by: The criterion.
        slug: The same as a part of file names.
        parts: In their order; each has utterances.
        scores: Run -> part -> metric -> score.
        note: What belongs to no part, and why; empty where nothing is left.
    """

    by: str
    slug: str
    parts: tuple[Part, ...]
    scores: Mapping[str, Mapping[str, Mapping[str, Score]]]
    note: str


def breakdowns(
    group: Group, metrics: Sequence[Metric], *, seed: int, resamples: int
) -> list[Breakdown]:
    """Score every part by every criterion.

    Args:
        group: Runs that compare.
        metrics: Of truth and prediction, with their options.
        seed: Of the resamples.
        resamples: Of the speakers.
    """
    criteria = list(_criteria(group.runs[0]))
    parts = [part for _, some, _ in criteria for part in some]
    scored: dict[str, list[dict[str, Score]]] = {}
    for start in range(0, len(group.runs), _AT_ONCE):
        runs = group.runs[start : start + _AT_ONCE]
        scored |= _score(runs, parts, metrics, seed, resamples)
    found, place = [], 0
    names = slugs([by for by, _, _ in criteria])
    for slug, (by, some, note) in zip(names, criteria, strict=True):
        places = range(place, place + len(some))
        by_run = {
            name: {part.name: values[n] for part, n in zip(some, places, strict=True)}
            for name, values in scored.items()
        }
        found.append(Breakdown(by, slug, tuple(some), by_run, note))
        place += len(some)
    return found


def _score(
    runs: Sequence[LoggedRun],
    parts: Sequence[Part],
    metrics: Sequence[Metric],
    seed: int,
    resamples: int,
) -> dict[str, list[dict[str, Score]]]:
    """Run -> for each part, metric -> score."""
    clusters = Clusters.of(runs[0].run.speakers)
    alone = len(clusters.names) == 1
    quantities = []
    for run in runs:
        for metric in metrics:
            quantities += [
                ClusterSums(metric.name, clusters, clusters.sums(statistics), metric)
                for statistics in _inside(run, metric, parts)
            ]
    if alone:
        values = [float(one.metric.value(one.sums.sum(axis=0))) for one in quantities]
        scores = [Score(value, math.nan, math.nan, math.nan) for value in values]
    else:
        scores = _intervals(
            quantities, [_effective(part, runs[0]) for part in parts], seed, resamples
        )
    of = iter(scores)
    return {
        run.run.name: _transposed([[next(of) for _ in parts] for _ in metrics], metrics)
        for run in runs
    }


def _intervals(
    quantities: Sequence[ClusterSums], effective: Sequence[float], seed: int, resamples: int
) -> list[Score]:
    """The score of each quantity, with the effective number of speakers of its part."""
    drawn = resample(quantities, rng=np.random.default_rng(seed), resamples=resamples)
    scores = []
    for number, quantity in enumerate(quantities):
        speakers = effective[number % len(effective)]
        column = replace(drawn.columns(number, number + 1), effective=speakers)
        if speakers > 1:
            scores.append(intervals(column)[quantity.name])
        else:  # one speaker says nothing about others
            scores.append(Score(float(column.value[0]), math.nan, math.nan, math.nan))
    return scores


def _transposed(
    by_metric: Sequence[Sequence[Score]], metrics: Sequence[Metric]
) -> list[dict[str, Score]]:
    return [
        {metric.name: one for metric, one in zip(metrics, row, strict=True)}
        for row in zip(*by_metric, strict=True)
    ]


def _inside(run: LoggedRun, metric: Metric, parts: Sequence[Part]) -> Iterator[Floats]:
    """What each part adds up, 0 for the utterances outside it."""
    labels = run.run.rule.classes
    whole = metric.sufficient(run.truth, run.prediction, labels=labels)
    for part in parts:
        statistics = np.where(part.keep[:, None], whole, 0.0)
        if metric.linearised:
            arrays = run.truth[part.keep], run.prediction[part.keep]
            statistics[part.keep] = metric.sufficient(*arrays, labels=labels)
        yield statistics


def _effective(part: Part, run: LoggedRun) -> float:
    return Clusters.of(run.run.speakers[part.keep]).effective


# --- criteria ------------------------------------------------------------------------------------


def _criteria(run: LoggedRun) -> Iterator[tuple[str, list[Part], str]]:
    """Each criterion with its parts, and a note."""
    strata = run.utterances.strata
    named = [*STRATA, *sorted(set(strata.tolist()).difference(STRATA))]
    yield "ambiguity", _parts(strata, named), ""
    yield "class", *_classes(run)
    for name, values in run.utterances.attributes.items():
        parts, note = _attribute(values)
        if len(parts) > 1:
            yield name, parts, note


def _parts(values: Names, names: Sequence[str]) -> list[Part]:
    made = [Part(str(name), values == name) for name in names]
    return [part for part in made if part.size]


def _classes(run: LoggedRun) -> tuple[list[Part], str]:
    """Utterances by the class that most annotators voted for."""
    chosen = most_probable(run.truth)
    unique = chosen.sum(axis=1) == 1
    made = [
        Part(label, unique & chosen[:, number]) for number, label in enumerate(run.run.rule.classes)
    ]
    tied = int(np.count_nonzero(~unique))
    note = f"In no part: {tied:,} with a tie between classes." if tied else ""
    return [part for part in made if part.size], note


def _attribute(values: Names) -> tuple[list[Part], str]:
    """Utterances by a value; numbers of many values, such as ages, by quarters."""
    names = sorted(set(values.tolist()))
    if len(names) <= _MOST_VALUES:
        return _parts(values, names), ""
    numbers = np.array([float(one) if _is_number(one) else math.nan for one in values.tolist()])
    unknown = int(np.isnan(numbers).sum())
    if unknown > len(values) / 2:
        return [], ""
    edges = np.unique(np.nanquantile(numbers, [0, 0.25, 0.5, 0.75, 1], method="nearest"))
    if len(edges) < 3:  # noqa: PLR2004
        return [], ""
    made = []
    for number, (low, high) in enumerate(pairwise(edges)):
        first = number == 0
        keep = (numbers >= low if first else numbers > low) & (numbers <= high)
        if keep.any():
            made.append(Part(f"{numbers[keep].min():g} to {numbers[keep].max():g}", keep))
    note = f"In no part: {unknown:,} without a number." if unknown else ""
    return made, note


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
