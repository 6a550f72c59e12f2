"""What quality costs, and which entries nobody betters at their cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from ambi_tasks.leaderboard.site.standings import PRIMARY, Standing, value_of
from ambi_tasks.leaderboard.submission import ModelSubmission
from ambi_tasks.metrics import get_metric

Unit: TypeAlias = Literal["draws", "tokens"]

UNITS: tuple[Unit, ...] = get_args(Unit)


def cost_of(submission: ModelSubmission) -> dict[Unit, float | None]:
    """What an utterance took, on average.

    Args:
        submission: Of a model.

    Returns:
        `draws`: candidates (answers, beams or read-outs); `tokens`: generated, a verifier's
        included; None where the adapter does not know.
    """
    utterances = submission.corpus.utterances
    tokens = submission.compute.tokens
    return {
        "draws": submission.parsing.draws / utterances,
        "tokens": None if tokens is None else tokens / utterances,
    }


@dataclass(frozen=True, slots=True)
class Point:
    """An entry in the plane of cost and quality.

    Attributes:
        key: Of the entry.
        cost: Per utterance.
        value: Of `PRIMARY`.
    """

    key: str
    cost: float
    value: float


def points_of(models: Sequence[Standing], unit: Unit) -> list[Point]:
    """The entries whose cost and quality are known.

    Args:
        models: That compare.
        unit: Of the cost.
    """
    found = []
    for one in models:
        cost, value = cost_of(one.model)[unit], value_of(one.scores, PRIMARY)
        if cost is not None and value == value:  # noqa: PLR0124 - NaN
            found.append(Point(one.entry.key, cost, value))
    return found


def pareto_front(points: Sequence[Point], *, higher_is_better: bool | None = None) -> list[Point]:
    """The points than which none is better without costing more, nor cheaper without being worse.

    Args:
        points: In any order.
        higher_is_better: Direction of the values; None for that of `PRIMARY`.

    Returns:
        By rising cost, and so by rising quality; of equal points the first by key.

    >>> cheap, dear, worse = Point("a", 1, 0.3), Point("b", 9, 0.2), Point("c", 9, 0.4)
    >>> [one.key for one in pareto_front([worse, dear, cheap], higher_is_better=False)]
    ['a', 'b']
    """
    if higher_is_better is None:
        higher_is_better = get_metric(PRIMARY).higher_is_better
    sign = -1 if higher_is_better else 1
    front: list[Point] = []
    for point in sorted(points, key=lambda one: (one.cost, sign * one.value, one.key)):
        if not front or sign * point.value < sign * front[-1].value:
            front.append(point)
    return front


def fronts(models: Sequence[Standing]) -> Mapping[Unit, list[Point]]:
    """The Pareto front by each unit of cost, of those that take part in ranks.

    Args:
        models: That compare.
    """
    chosen = [one for one in models if not one.apart]
    return {unit: pareto_front(points_of(chosen, unit)) for unit in UNITS}
