"""Quality against the number of draws, from a run with the most draws alone.

A run of N sampled draws holds the runs of 1, 2, 4, ... draws: draw i does not depend on how many
were asked for. So the score of n draws is that of the first n; and, with less noise, the mean of
the scores of many choices of n out of the N. Every draw is read once; choices are weighed and
mixed many at a time.

Beams have no curve: the beams of a search of width n are not the best n of a wider one.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ambi_tasks.errors import UserError
from ambi_tasks.metrics import Metric, all_metrics, get_metric
from ambi_tasks.metrics.validation import Floats
from ambi_tasks.prediction import Candidate
from ambi_tasks.report.sample_log import LoggedUtterance
from ambi_tasks.scoring import read_candidates
from ambi_tasks.strategies import Strategy, StrategyFields
from ambi_tasks.strategies.evidence import Evidence

SUBSETS = 128
"""Choices of n draws per utterance: all of them where there are no more, else so many at random."""

_CELLS = 4_000_000
"""Numbers in the largest array; utterances are worked through in portions of such a size."""

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Point:
    """The scores of n draws.

    Attributes:
        metric: Which score.
        draws: n.
        tokens: Generated tokens per utterance, on average: n / N of those of the N draws and of the
            verdicts on them; None where the log does not have them.
        prefix: The mean score of each utterance's first n draws.
        subset: The mean score over choices of n draws, and over utterances.
        subsets: How many choices per utterance.
        exhaustive: Whether these are all there are; at random otherwise.
        utterances: How many utterances.
    """

    metric: str
    draws: int
    tokens: float | None
    prefix: float
    subset: float
    subsets: int
    exhaustive: bool
    utterances: int


@dataclass(frozen=True, slots=True)
class Pool:
    """The sampled draws of a task, read: U utterances, N draws, K classes.

    Attributes:
        strategy: What combines them.
        settings: What is set of it.
        labels: Names of the classes, (K,).
        truth: (U, K).
        contributions: What each draw puts into the mixture, (U, N, K); 0 where it is not readable.
        evidence: By which the strategy weighs them, (U, N).
        tokens: Generated for each draw, its verdict included, (U, N); None where not known.
    """

    strategy: Strategy[Any]
    settings: StrategyFields
    labels: tuple[str, ...]
    truth: Floats
    contributions: Floats
    evidence: Evidence
    tokens: Floats | None

    @property
    def draws(self) -> int:
        """N."""
        return int(self.evidence.readable.shape[1])


def why_no_curve(settings: StrategyFields) -> str | None:
    """Why a task has no curve, as the end of a sentence; None if it has one.

    Args:
        settings: What is set of its strategy.
    """
    if settings.mode == "beam":
        return (
            "its candidates are the beams of one search, and a search of n beams is no part of a "
            "wider one"
        )
    if settings.mode == "none":
        return "nothing is drawn"
    if settings.pool == 1:
        return "there is one answer to each utterance"
    return None


def curve_metrics(names: Sequence[str]) -> list[Metric]:
    """The metrics of these names.

    Raises:
        UserError: There is none of a name, or it does not score the prediction of an utterance.
    """
    found = [get_metric(name) for name in dict.fromkeys(names)]
    for metric in found:
        if not _has_curve(metric):
            known = [one.name for one in all_metrics().values() if _has_curve(one)]
            raise UserError(
                f"'{metric.name}' does not score predictions one by one, so it has no curve; there "
                f"are curves of: {', '.join(known)}."
            )
    return found


def _has_curve(metric: Metric) -> bool:
    return metric.needs == "distributions" and metric.level == "utterance"


def draw_counts(draws: int) -> list[int]:
    """1, 2, 4, ... and N itself.

    >>> draw_counts(6)
    [1, 2, 4, 6]
    """
    return [2**power for power in range(draws.bit_length()) if 2**power < draws] + [draws]


def read_pool(utterances: Iterable[LoggedUtterance]) -> Pool:
    """Read all draws of a task.

    Args:
        utterances: Its log; one or more, of a strategy that has a curve.

    Raises:
        UserError: Utterances differ in strategy, labels or number of draws, or the strategy cannot
            weigh the draws of one.
    """
    first: LoggedUtterance | None = None
    evidence: list[Evidence] = []
    rows: list[tuple[Floats, ...]] = []
    for utterance in utterances:
        first = first or utterance
        candidates = read_candidates(utterance.record, utterance.settings)
        _check_alike(first, utterance)
        evidence.append(_weighable(utterance, candidates))
        rows.append(_row(utterance, candidates))
    assert first is not None
    truth, contributions, tokens = (np.stack(column) for column in zip(*rows, strict=True))
    return Pool(
        strategy=first.strategy,
        settings=first.settings,
        labels=tuple(first.record["labels"]),
        truth=truth,
        contributions=contributions,
        evidence=Evidence.stack(evidence),
        tokens=None if np.isnan(tokens).any() else tokens,
    )


def curve(
    pool: Pool, metrics: Sequence[Metric], seed: int, *, subsets: int | None = None
) -> list[Point]:
    """Score 1, 2, 4, ..., N draws.

    Args:
        pool: The draws.
        metrics: What to score.
        seed: Of the choices at random; equal pools and seeds give equal numbers.
        subsets: Choices of n draws per utterance, at most; `SUBSETS` by default.
    """
    subsets = SUBSETS if subsets is None else subsets
    points = []
    for count in draw_counts(pool.draws):
        every = math.comb(pool.draws, count)
        prefix = _scores(pool, metrics, _prefix(pool, count))
        subset = _scores(pool, metrics, _subsets(pool, count, seed, subsets))
        points += [
            Point(
                metric=metric.name,
                draws=count,
                tokens=_mean_tokens(pool, count),
                prefix=prefix[metric.name],
                subset=subset[metric.name],
                subsets=min(every, subsets),
                exhaustive=every <= subsets,
                utterances=len(pool.truth),
            )
            for metric in metrics
        ]
    order = [metric.name for metric in metrics]
    return sorted(points, key=lambda point: (order.index(point.metric), point.draws))


# --- reading -------------------------------------------------------------------------------------


def _check_alike(first: LoggedUtterance, other: LoggedUtterance) -> None:
    """Refuse what cannot stand in one array, or be averaged."""
    one, two = first.record, other.record
    for name, same in (
        ("strategy", one["strategy"] == two["strategy"]),
        ("list of labels", one["labels"] == two["labels"]),
        ("number of draws", len(one["draws"]) == len(two["draws"])),
    ):
        if not same:
            raise UserError(f"{other.where}: its {name} is not that of {first.where}.")


def _weighable(utterance: LoggedUtterance, candidates: Sequence[Candidate]) -> Evidence:
    """The evidence of the draws, refused where the strategy cannot weigh by it."""
    evidence = Evidence.of(candidates)
    try:
        utterance.strategy.weights(evidence, utterance.settings)
    except UserError as error:
        raise UserError(f"{utterance.where}: {error}") from error
    return evidence


def _generated(record: Mapping[str, Any], index: int) -> float:
    """Tokens of a draw and of the verdict on it; NaN where one of them is not known.

    A verdict by probabilities generates none.
    """
    answers = [record["draws"][index]]
    verdict = record["verdicts"][index] if record.get("verdicts") else None
    if verdict is not None and "text" in verdict:
        answers.append(verdict)
    counts = [answer.get("tokens") for answer in answers]
    return math.nan if None in counts else float(sum(counts))


def _row(utterance: LoggedUtterance, candidates: Sequence[Candidate]) -> tuple[Floats, ...]:
    """One utterance of a `Pool`: its truth, contributions and tokens."""
    nothing = (0.0,) * len(utterance.record["labels"])
    contribution = utterance.settings.contribution
    columns: tuple[Any, ...] = (
        utterance.record["soft_label"],
        [
            nothing if one.distribution is None else contribution(one.distribution)
            for one in candidates
        ],
        [_generated(utterance.record, index) for index in range(len(candidates))],
    )
    return tuple(np.array(column, dtype=float) for column in columns)


def _mean_tokens(pool: Pool, count: int) -> float | None:
    if pool.tokens is None:
        return None
    return float(pool.tokens.sum(axis=1).mean()) * count / pool.draws


# --- choosing ------------------------------------------------------------------------------------


def _portion(pool: Pool, choices: int, count: int) -> int:
    """How many utterances fit into one portion."""
    per_utterance = choices * max(pool.draws, count * pool.truth.shape[1])
    return max(1, int(_CELLS // per_utterance))


def _prefix(pool: Pool, count: int) -> Iterator[tuple[slice, Indices]]:
    """The first draws: utterances, and (their number, 1, n) indices of draws."""
    everyone = len(pool.truth)
    yield slice(0, everyone), np.broadcast_to(np.arange(count), (everyone, 1, count))


def _subsets(pool: Pool, count: int, seed: int, subsets: int) -> Iterator[tuple[slice, Indices]]:
    """Choices of draws: utterances, and (their number, choices, n) indices of draws.

    All choices, or some at random, which may repeat; indices are in ascending order.
    """
    every = math.comb(pool.draws, count)
    choices = min(every, subsets)
    step = _portion(pool, choices, count)
    fixed = np.array(list(combinations(range(pool.draws), count))) if every <= subsets else None
    random = np.random.default_rng([seed, count])
    for start in range(0, len(pool.truth), step):
        part = slice(start, min(start + step, len(pool.truth)))
        size = part.stop - part.start
        if fixed is not None:
            yield part, np.broadcast_to(fixed, (size, *fixed.shape))
        else:
            lots = random.random((size, choices, pool.draws))
            yield part, np.sort(lots.argpartition(count, axis=-1)[..., :count], axis=-1)


# --- combining and scoring -----------------------------------------------------------------------


def _scores(
    pool: Pool, metrics: Sequence[Metric], chosen: Iterable[tuple[slice, Indices]]
) -> dict[str, float]:
    """Mean over choices and utterances of each metric."""
    values: dict[str, list[Floats]] = {metric.name: [] for metric in metrics}
    for part, indices in chosen:
        predictions = predict(pool, part, indices)
        utterances, choices, classes = predictions.shape
        truth = np.repeat(pool.truth[part], choices, axis=0)
        for metric in metrics:
            found = metric.compute(truth, predictions.reshape(-1, classes), labels=pool.labels)
            values[metric.name].append(found.reshape(utterances, choices).mean(axis=1))
    return {name: float(np.concatenate(found).mean()) for name, found in values.items()}


def predict(pool: Pool, part: slice, indices: Indices) -> Floats:
    """What the strategy makes of chosen draws, as `strategies.combine` would.

    Args:
        pool: All draws.
        part: Which utterances, P.
        indices: Which draws of each of them, (P, choices, n).

    Returns:
        (P, choices, K).
    """
    rows = np.arange(len(pool.truth))[part, None, None]
    weights = pool.strategy.weights(pool.evidence[rows, indices], pool.settings)
    mixed: Floats = np.einsum("pcn,pcnk->pck", weights, pool.contributions[rows, indices])
    total = mixed.sum(axis=-1, keepdims=True)
    uniform = np.full_like(mixed, 1 / mixed.shape[-1])
    predicted: Floats = np.divide(mixed, total, out=uniform, where=total > 0)
    return predicted
