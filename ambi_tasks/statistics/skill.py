"""Scores beside what hears nothing and what people reach."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ambi_tasks.metrics import get_metric
from ambi_tasks.statistics.inference import SAME, Score
from ambi_tasks.statistics.references import ReferenceScores

Floor: TypeAlias = Literal["uniform", "label_prior"]
Ceiling: TypeAlias = Literal["split_half", "fresh_panel"]


@dataclass(frozen=True, slots=True)
class PlacedScore:
    """A score with its floors, its ceiling and its skill.

    Attributes:
        score: The run's.
        uniform: The floor that says all classes are equally likely; None where there is none.
        label_prior: The floor that says what people tend to vote; likewise.
        ceiling: What people reach; likewise.
        floor: Which floor the skill is from.
        skill: See `skill_share`.
    """

    score: Score
    uniform: Score | None
    label_prior: Score | None
    ceiling: Score | None
    floor: Floor
    skill: float | None


def skill_share(
    score: float, floor: float, ceiling: float, *, higher_is_better: bool
) -> float | None:
    """The score as a share of the way from floor to ceiling.

    (score - floor) / (ceiling - floor), whichever the direction, since both differences change
    their signs with it. 0 at the floor, 1 at the ceiling; below 0 and above 1 outside. Higher is
    better.

    Args:
        score: Of a run.
        floor: Of a prediction that hears nothing.
        ceiling: Of people.
        higher_is_better: The metric's direction.

    Returns:
        The share; None where the ceiling is not better than the floor by more than 1e-12, or a
        number is not finite.

    Source:
        Skill scores of weather forecasts: A. H. Murphy, "Skill Scores Based on the Mean Square
        Error and Their Relationships to the Correlation Coefficient", Monthly Weather Review
        116(12), 1988; here people take the place of the perfect forecast.

    >>> skill_share(0.75, floor=1.0, ceiling=0.5, higher_is_better=False)
    0.5
    >>> skill_share(0.75, floor=1.0, ceiling=0.5, higher_is_better=True) is None
    True
    """
    way = ceiling - floor if higher_is_better else floor - ceiling
    if not (way > SAME and math.isfinite(way) and math.isfinite(score)):
        return None
    return (score - floor) / (ceiling - floor)


def place_scores(
    scores: Mapping[str, Score],
    references: ReferenceScores,
    *,
    floor: Floor = "label_prior",
    ceiling: Ceiling = "split_half",
) -> dict[str, PlacedScore]:
    """Put the floors, the ceiling and the skill beside every score.

    Args:
        scores: Metric -> score of a run.
        references: Of the same corpus under the same label rule, and of the same utterances: it
            leaves out those with one annotator, so a run should too (see docs/ceiling.md).
        floor: The floor that skill counts from.
        ceiling: The reference that has a skill of 1.

    Returns:
        Metric -> what stands beside it; a metric that does not compare distributions has no floor,
        ceiling and skill.
    """
    placed = {}
    for name, score in scores.items():
        beside = {
            reference: by_metric.get(name) for reference, by_metric in references.scores.items()
        }
        low, high = beside[floor], beside[ceiling]
        placed[name] = PlacedScore(
            score=score,
            uniform=beside["uniform"],
            label_prior=beside["label_prior"],
            ceiling=high,
            floor=floor,
            skill=None
            if low is None or high is None
            else skill_share(
                score.value,
                low.value,
                high.value,
                higher_is_better=get_metric(name).higher_is_better,
            ),
        )
    return placed
