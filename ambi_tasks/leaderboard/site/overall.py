"""One number of several corpora: the mean skill of a model with a strategy.

Divergences of corpora with other classes and other annotators do not average; shares of the way
from floor to ceiling do.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import get_args

import numpy as np
from scipy.special import stdtr

from ambi_tasks.leaderboard.site.standings import (
    CEILING,
    FLOOR,
    PRIMARY,
    Standing,
    Standings,
    value_of,
)
from ambi_tasks.leaderboard.submission import Reference
from ambi_tasks.leaderboard.truth import board_corpora
from ambi_tasks.statistics import Rank, Score, holm, rank_groups
from ambi_tasks.statistics.inference import SAME

_NORMAL = 1.959963984540054  # the 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Overall:
    """A model with a strategy, over the corpora.

    Attributes:
        standings: Corpus -> its entry there, by default options and label rule.
        skill: Mean over these corpora, see `mean_skill`.
        rank: Among those on all corpora whose scores were recomputed, see `overall_ranks`.
    """

    standings: Mapping[str, Standing]
    skill: Score
    rank: Rank | None = None

    @property
    def any(self) -> Standing:
        """One of its entries, for what all of them share."""
        return next(iter(self.standings.values()))

    @property
    def apart(self) -> str:
        """Why it takes no part in ranks on one of them; empty where it does."""
        return next((one.apart for one in self.standings.values() if one.apart), "")

    @property
    def verified(self) -> bool:
        """Whether the scores on all its corpora were recomputed."""
        return all(one.entry.status == "recomputed" for one in self.standings.values())


def is_demonstration(corpus: str) -> bool:
    """Whether a corpus is for trying the software, and says nothing of models.

    Args:
        corpus: Name of one of the board.
    """
    return board_corpora()[corpus].bundled_root is not None


def main_standings(found: Sequence[Standings]) -> dict[str, Standings]:
    """Corpus -> those of its default options and label rule that have most models.

    Args:
        found: In the order of `standings.standings`.
    """
    main: dict[str, Standings] = {}
    for one in found:
        if one.is_default and not is_demonstration(one.corpus.name):
            main.setdefault(one.corpus.name, one)
    return main


def overall(found: Sequence[Standings]) -> list[Overall]:
    """Every model with each strategy, over the corpora that it has entries on.

    Args:
        found: In the order of `standings.standings`.

    Returns:
        Those on most corpora first, and then the best first: means over other corpora do not
        compare.
    """
    main = main_standings(found)
    together: dict[tuple[str, str], dict[str, Standing]] = {}
    for corpus, group in main.items():
        for one in group.models:
            maker, _, rest = one.entry.key.partition("/")
            together.setdefault((maker, rest.partition("/")[2]), {})[corpus] = one
    rows = [
        Overall(by_corpus, mean_skill([(one, main[name]) for name, one in by_corpus.items()]))
        for by_corpus in together.values()
    ]
    ranks = overall_ranks(rows, {name: group for name, group in main.items() if group.models})
    return sorted(
        (replace(row, rank=ranks.get(row.any.entry.key)) for row in rows),
        key=lambda one: (
            -len(one.standings),
            math.isnan(one.skill.value),
            -one.skill.value,
            one.any.entry.key,
        ),
    )


def overall_references(found: Sequence[Standings]) -> list[Overall]:
    """Floors and ceiling over the corpora that have entries, where all of these have them.

    Args:
        found: In the order of `standings.standings`.
    """
    groups = {name: group for name, group in main_standings(found).items() if group.models}
    shared = [
        reference
        for reference in get_args(Reference)
        if groups and all(reference in group.references for group in groups.values())
    ]
    return [
        Overall(
            {name: group.references[reference] for name, group in groups.items()},
            mean_skill([(group.references[reference], group) for group in groups.values()]),
        )
        for reference in shared
    ]


def way(group: Standings) -> float:
    """How far it is from floor to ceiling by `PRIMARY`; NaN where one of them is not there.

    Args:
        group: Entries that compare.
    """
    if not {FLOOR, CEILING} <= set(group.references):
        return math.nan
    floor, ceiling = (value_of(group.references[name].scores, PRIMARY) for name in (FLOOR, CEILING))
    return abs(ceiling - floor)


def overall_ranks(rows: Sequence[Overall], main: Mapping[str, Standings]) -> dict[str, Rank]:
    """Rank groups by mean skill, among those that are recomputed and take part on all corpora.

    With d the difference of two means over n corpora, v_i the variance of the paired difference on
    corpus i over the square of the way from floor to ceiling, and E_i its effective speakers,

        p = 2 T(-|d| / sqrt(sum v_i / n^2)),    (sum v_i)^2 / sum (v_i^2 / (E_i - 1)) degrees

    of freedom, corrected by Holm over all pairs. Of one corpus these are its own ranks.

    Args:
        rows: In any order.
        main: Corpus -> its entries; all corpora that count.

    Returns:
        Key of the row's first entry -> rank.

    Source:
        F. E. Satterthwaite, "An Approximate Distribution of Estimates of Variance Components",
        Biometrics Bulletin 2(6), 1946, for the degrees of freedom.
    """
    errors = {name: group.errors for name, group in main.items() if group.errors is not None}
    chosen = [
        row
        for row in rows
        if set(row.standings) == set(main) == set(errors)
        and all(one.entry.key in errors[name].place for name, one in row.standings.items())
        and not math.isnan(row.skill.value)
    ]
    if not chosen:
        return {}
    names = [row.any.entry.key for row in chosen]
    values = np.array([row.skill.value for row in chosen])
    total = np.zeros((len(chosen), len(chosen)))
    by_degrees = np.zeros_like(total)
    for corpus, group in main.items():
        variance = errors[corpus].paired([row.standings[corpus].entry.key for row in chosen])
        variance /= way(group) ** 2
        total += variance
        by_degrees += variance**2 / (errors[corpus].effective - 1)
    off = np.abs(values[:, None] - values[None, :])
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stdtr(total**2 / by_degrees, -off / (np.sqrt(total) / len(main)))
    p = np.where(off <= SAME, 1.0, np.where(total <= SAME**2, 0.0, p))
    pairs = list(combinations(range(len(chosen)), 2))
    corrected = holm([float(p[pair]) for pair in pairs])
    ranks = rank_groups(
        dict(zip(names, values.tolist(), strict=True)),
        {
            (names[one], names[other]): value
            for (one, other), value in zip(pairs, corrected, strict=True)
        },
        higher_is_better=True,
    )
    return {rank.name: rank for rank in ranks}


def mean_skill(placed: Sequence[tuple[Standing, Standings]]) -> Score:
    """The mean of skills by `PRIMARY`, with an interval.

    Corpora have different speakers, so their errors are independent: se = sqrt(sum se_i^2) / n,
    with se_i the standard error of the score on corpus i over the way from floor to ceiling there.
    The interval is mean -+ 1.96 se. Floor and ceiling are taken as known; their own errors are the
    same for all entries.

    Args:
        placed: An entry on each corpus, and those that it stands among.

    Returns:
        NaN where a corpus has no skill; without an interval where one has no standard error.
    """
    shares, errors = [], []
    for one, group in placed:
        shares.append(one.skill.get(PRIMARY, math.nan))
        errors.append(one.scores[PRIMARY].se / way(group) if PRIMARY in one.scores else math.nan)
    value = math.fsum(shares) / len(shares)
    if math.isnan(value):
        return Score(math.nan, math.nan, math.nan, math.nan)
    se = math.sqrt(math.fsum(error**2 for error in errors)) / len(errors)
    return Score(value, value - _NORMAL * se, value + _NORMAL * se, se)
