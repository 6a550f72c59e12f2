"""Comparing runs on the same utterances: paired tests of every metric, Holm's correction, ranks.

Two runs on the same utterances share what makes them hard, so their difference is known better than
either. Each resample of the speakers is therefore scored for all runs at once, and differences are
taken resample by resample.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations

import numpy as np

from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule
from ambi_tasks.metrics import Metric
from ambi_tasks.metrics.validation import Flags, Floats
from ambi_tasks.statistics.bootstrap import RESAMPLES, Bootstrap, ClusterSums, resample
from ambi_tasks.statistics.inference import (
    LEVEL,
    Method,
    Score,
    Test,
    intervals,
    p_values,
    t_p_values,
)
from ambi_tasks.statistics.runs import Run

ALPHA = 0.05

_SAME_TRUTH = 1e-6
_EXAMPLES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """The first run minus the second, by one metric.

    Attributes:
        value: The difference.
        low: Lower end of its interval.
        high: Upper end.
        se: Its standard error.
        p: Two-sided p-value for no difference; see `p_values`.
        adjusted: The same after Holm's correction over all pairs of runs, by this metric.
    """

    value: float
    low: float
    high: float
    se: float
    p: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a run stands by one metric; see `rank_groups`.

    Attributes:
        name: The run.
        value: Its score.
        group: 1 for the best group.
        best: The rank it would have if all that cannot be told apart from it were worse.
        worst: If they were better.
    """

    name: str
    value: float
    group: int
    best: int
    worst: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs compared on the same utterances.

    Attributes:
        scores: Run -> metric -> score.
        differences: (first, second) run, in the order given -> metric -> difference.
        ranks: Metric -> the runs from best to worst.
        utterances: How many were compared.
        speakers: How many speakers they have.
        left_out: Run -> its utterances that another run lacks.
        resamples: R.
        seed: Where the resamples come from.
        method: Of the intervals and p-values.
        level: Of the intervals.
    """

    scores: Mapping[str, Mapping[str, Score]]
    differences: Mapping[tuple[str, str], Mapping[str, Difference]]
    ranks: Mapping[str, Sequence[Rank]]
    utterances: int
    speakers: int
    left_out: Mapping[str, int]
    resamples: int
    seed: int
    method: Method
    level: float


def compare_runs(
    runs: Sequence[Run],
    *,
    seed: int,
    metrics: Mapping[str, Metric] | None = None,
    common: bool = False,
    resamples: int = RESAMPLES,
    method: Method = "percentile",
    level: float = LEVEL,
    alpha: float = ALPHA,
) -> Comparison:
    """Compare every pair of runs by every metric that all of them have.

    Args:
        runs: Two or more, of different names.
        seed: At least 0; equal runs and seeds give equal results.
        metrics: The metrics to choose from, with their options; all by default.
        common: Compare on the utterances that all runs have, and count the others; otherwise runs
            on different utterances are refused.
        resamples: At least 1. No p-value can be smaller than about what `p_values` makes of
            1 / (resamples + 1).
        method: See `intervals`.
        level: Nominal coverage, in (0, 1).
        alpha: Largest corrected p-value that tells two runs apart in `ranks`.

    Raises:
        UserError: There are not two runs, two have the same name, they are of different label rules
            or utterances, or differ in the truth or the speaker of an utterance; or all their
            utterances are of one speaker.
        ValueError: A setting is out of range.
    """
    shared, left_out = align_runs(runs, common=common)
    speakers = len(np.unique(shared[0].speakers))
    if speakers == 1:
        raise UserError(
            f"All utterances are of the speaker '{shared[0].speakers[0]}', but comparing runs "
            "needs two or more speakers."
        )
    chosen = _shared_metrics(shared, metrics)
    drawn = _resample(shared, chosen, np.random.default_rng(seed), resamples)
    differences = _differences(drawn, method, level)
    scores = {name: intervals(one, method=method, level=level) for name, one in drawn.items()}
    return Comparison(
        scores=scores,
        differences=differences,
        ranks={
            metric.name: rank_groups(
                {name: by_metric[metric.name].value for name, by_metric in scores.items()},
                {pair: found[metric.name].adjusted for pair, found in differences.items()},
                higher_is_better=metric.higher_is_better,
                alpha=alpha,
            )
            for metric in chosen
        },
        utterances=len(shared[0].ids),
        speakers=speakers,
        left_out=left_out,
        resamples=resamples,
        seed=seed,
        method=method,
        level=level,
    )


@dataclass(frozen=True, slots=True)
class Ranking:
    """Runs ranked on the same utterances.

    Attributes:
        scores: Run -> metric -> score.
        ranks: Metric -> the runs from best to worst.
    """

    scores: Mapping[str, Mapping[str, Score]]
    ranks: Mapping[str, Sequence[Rank]]


def rank_runs(
    runs: Sequence[Run],
    *,
    seed: int,
    metrics: Mapping[str, Metric] | None = None,
    ranked: Collection[str] | None = None,
    resamples: int = RESAMPLES,
    method: Method = "percentile",
    level: float = LEVEL,
    alpha: float = ALPHA,
    test: Test = "resampled",
) -> Ranking:
    """The scores and ranks of `compare_runs`, to the same digits, without the pairs' intervals.

    Those are most of the work where there are many runs: of 50 there are 1225 pairs.

    Args:
        runs: As for `compare_runs`, and so for the others; one will do.
        seed: At least 0.
        metrics: The metrics to choose from.
        ranked: Names of those to rank by; all by default.
        resamples: At least 1.
        method: See `intervals`.
        level: Nominal coverage.
        alpha: Largest corrected p-value that tells two runs apart.
        test: `resampled`, as `compare_runs`; or `t`, see `t_p_values`, for more runs than so many
            resamples can tell apart.

    Raises:
        UserError: As for `compare_runs`, but for a single run.
        ValueError: A setting is out of range.
    """
    if len(runs) > 1:
        align_runs(runs)
    found = _shared_metrics(runs, metrics)
    first = [one for one in found if ranked is None or one.name in ranked]
    others = [one for one in found if one not in first]
    drawn = _resample(runs, [*first, *others], np.random.default_rng(seed), resamples)
    scores = {name: intervals(one, method=method, level=level) for name, one in drawn.items()}
    compared = {name: _by_metric(one.columns(0, len(first))) for name, one in drawn.items()}
    pairs = list(combinations(compared, 2))
    differences = (compared[one].minus(compared[other]) for one, other in pairs)
    p = [t_p_values(one) if test == "t" else p_values(one, method=method) for one in differences]
    ranks = {}
    for metric in first:
        corrected = holm([by_metric[metric.name] for by_metric in p])
        ranks[metric.name] = rank_groups(
            {name: by_metric[metric.name].value for name, by_metric in scores.items()},
            dict(zip(pairs, corrected, strict=True)),
            higher_is_better=metric.higher_is_better,
            alpha=alpha,
        )
    return Ranking(scores, ranks)


def align_runs(runs: Sequence[Run], *, common: bool = False) -> tuple[list[Run], dict[str, int]]:
    """The runs on the same utterances, refused where their scores do not compare.

    Args:
        runs: Two or more, of different names.
        common: Keep the utterances that all runs have; otherwise runs on different ones are
            refused.

    Returns:
        The runs, and run -> how many of its utterances were left out.

    Raises:
        UserError: As for `compare_runs`; the sentence says what differs.
    """
    _check_names(runs)
    _check_rules(runs)
    shared, left_out = _on_the_same_utterances(runs, common=common)
    _check_truth(shared)
    return shared, left_out


def holm(p: Sequence[float]) -> list[float]:
    """Holm's correction: p-values that keep the chance of any false positive at the level.

    With p_(1) <= ... <= p_(m), the corrected i-th is max over j <= i of min(1, (m - j + 1) p_(j)).
    Rejecting where it is at most alpha rejects any true hypothesis with probability alpha at most,
    whatever the dependence. NaN (a test that there is not) stays NaN and does not count.

    Args:
        p: In any order, each in [0, 1].

    Returns:
        In the same order.

    Raises:
        ValueError: One is not in [0, 1].

    Source:
        S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
        Statistics 6(2), 1979.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    values = np.array(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    if ((values[known] < 0) | (values[known] > 1)).any():
        raise ValueError(f"p-values lie in [0, 1], but these are {list(p)}.")
    order = known[np.argsort(values[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    values[order] = np.maximum.accumulate(np.minimum(factors * values[order], 1.0))
    return [float(value) for value in values]


def rank_groups(
    values: Mapping[str, float],
    adjusted: Mapping[tuple[str, str], float],
    *,
    higher_is_better: bool,
    alpha: float = ALPHA,
) -> list[Rank]:
    """Order runs, and say which part of the order the tests justify.

    Two runs are told apart if their corrected p-value is at most `alpha`. The first group is the
    best run with every run that is not told apart from it; of the others, the second group is made
    in the same way, and so on. Two runs of neighbouring groups may still not be told apart from
    each other; the rank interval says so: `best` is 1 + the number of better runs that are told
    apart from this one, `worst` is the number of runs - the worse ones that are.

    Args:
        values: Run -> score. Runs of equal scores come in the order of their names; those without
            a value (NaN) come last, and nothing is told apart from them.
        adjusted: Pair of runs, in either order -> corrected p-value.
        higher_is_better: The direction.
        alpha: In (0, 1).

    Returns:
        The runs from best to worst.

    Raises:
        ValueError: A pair is missing, or `alpha` is out of range.

    >>> p = {("a", "b"): 0.5, ("a", "c"): 0.01, ("b", "c"): 0.2}
    >>> for rank in rank_groups({"a": 0.9, "b": 0.8, "c": 0.7}, p, higher_is_better=True):
    ...     print(rank.name, rank.group, f"{rank.best}-{rank.worst}")
    a 1 1-2
    b 1 1-3
    c 2 2-3
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}, but must lie between 0 and 1.")
    sign = -1 if higher_is_better else 1
    unknown = sorted(name for name, value in values.items() if math.isnan(value))
    known = sorted(set(values).difference(unknown), key=lambda name: (sign * values[name], name))
    order = [*known, *unknown]
    apart = {frozenset(pair): _p_of(adjusted, *pair) <= alpha for pair in combinations(order, 2)}
    ranks = []
    group, leader = 0, ""
    for place, name in enumerate(order):
        if not leader or apart[frozenset((leader, name))]:
            group, leader = group + 1, name
        better = sum(apart[frozenset((name, other))] for other in order[:place])
        worse = sum(apart[frozenset((name, other))] for other in order[place + 1 :])
        ranks.append(Rank(name, values[name], group, 1 + better, len(order) - worse))
    return ranks


def _p_of(adjusted: Mapping[tuple[str, str], float], one: str, other: str) -> float:
    for pair in ((one, other), (other, one)):
        if pair in adjusted:
            return adjusted[pair]
    raise ValueError(f"There is no p-value of '{one}' and '{other}'.")


def _by_metric(drawn: Bootstrap) -> Bootstrap:
    """The same with the values of a metric side by side in memory, which is twice as fast."""
    return replace(drawn, resampled=np.asfortranarray(drawn.resampled))


def _shared_metrics(runs: Sequence[Run], metrics: Mapping[str, Metric] | None) -> list[Metric]:
    """Those that can be computed of every run."""
    return [
        metric
        for metric in runs[0].metrics(metrics)
        if all(metric.needs in run.inputs for run in runs)
    ]


def _resample(
    runs: Sequence[Run], metrics: Sequence[Metric], rng: np.random.Generator, resamples: int
) -> dict[str, Bootstrap]:
    sums: list[ClusterSums] = [one for run in runs for one in run.sums(metrics)]
    drawn = resample(sums, rng=rng, resamples=resamples)
    width = len(metrics)
    return {
        run.name: drawn.columns(number * width, (number + 1) * width)
        for number, run in enumerate(runs)
    }


def _differences(
    drawn: Mapping[str, Bootstrap], method: Method, level: float
) -> dict[tuple[str, str], dict[str, Difference]]:
    found: dict[tuple[str, str], dict[str, tuple[Score, float]]] = {}
    for first, second in combinations(drawn, 2):
        difference = drawn[first].minus(drawn[second])
        scores = intervals(difference, method=method, level=level)
        p = p_values(difference, method=method)
        found[first, second] = {name: (score, p[name]) for name, score in scores.items()}
    names = next(iter(drawn.values())).names
    corrected = {
        name: dict(zip(found, holm([one[name][1] for one in found.values()]), strict=True))
        for name in names
    }
    return {
        pair: {
            name: Difference(**asdict(score), p=p, adjusted=corrected[name][pair])
            for name, (score, p) in by_metric.items()
        }
        for pair, by_metric in found.items()
    }


# --- what can be compared ------------------------------------------------------------------------


def _check_names(runs: Sequence[Run]) -> None:
    if len(runs) < 2:  # noqa: PLR2004
        raise UserError(f"Comparing needs two runs or more, not {len(runs)}.")
    names = [run.name for run in runs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"Two of the runs are called '{twice[0]}': rename one.")


def _check_rules(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        differing = list(_differing_fields(first.rule, run.rule))
        if differing:
            raise UserError(
                f"'{first.name}' and '{run.name}' are of different label rules, so their scores do "
                f"not compare: {'; '.join(differing)}."
            )


def _differing_fields(one: LabelRule, other: LabelRule) -> Iterator[str]:
    for field in fields(one):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if ours != theirs:
            yield f"{field.name} is {ours!r} in the one, {theirs!r} in the other"


def _on_the_same_utterances(
    runs: Sequence[Run], *, common: bool
) -> tuple[list[Run], dict[str, int]]:
    shared = set(runs[0].ids.tolist()).intersection(*(run.ids.tolist() for run in runs[1:]))
    names = np.array(sorted(shared), dtype=np.str_)
    kept = [np.isin(run.ids, names) for run in runs]
    left_out = {
        run.name: int(np.count_nonzero(~keep)) for run, keep in zip(runs, kept, strict=True)
    }
    if not shared:
        raise UserError(f"The runs {', '.join(map(repr, left_out))} have no utterance in common.")
    if any(left_out.values()) and not common:
        raise UserError(_unequal(runs, kept, len(shared)))
    return [run.only(keep) for run, keep in zip(runs, kept, strict=True)], left_out


def _unequal(runs: Sequence[Run], kept: Sequence[Flags], shared: int) -> str:
    others = []
    for run, keep in zip(runs, kept, strict=True):
        if alone := run.ids[~keep].tolist():
            examples = ", ".join(alone[:_EXAMPLES_SHOWN])
            others.append(f"'{run.name}' has {len(alone)} more (for example {examples})")
    return (
        f"The runs are not on the same utterances: they have {shared} in common; "
        f"{'; '.join(others)}. Evaluate them on the same ones, or compare on the common ones alone."
    )


def _check_truth(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        for what, differs in (
            ("the annotators' distribution", _differing_rows(_truth(first), _truth(run))),
            ("the speaker", first.speakers != run.speakers),
        ):
            if differs.any():
                raise UserError(
                    f"'{first.name}' and '{run.name}' differ in {what} of "
                    f"{np.count_nonzero(differs)} utterances (for example "
                    f"'{first.ids[differs][0]}'), so they are of different copies of the corpus."
                )


def _truth(run: Run) -> Floats:
    return run.inputs["distributions"][0]


def _differing_rows(one: Floats, other: Floats) -> Flags:
    differs: Flags = np.abs(one - other).max(axis=1) > _SAME_TRUTH
    return differs
