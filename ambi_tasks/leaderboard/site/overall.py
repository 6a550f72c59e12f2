"""One number of several corpora: the mean skill of a model with a strategy.

Divergences of corpora with other classes and other annotators do not average; shares of the way
from floor to ceiling do.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ambi_tasks.leaderboard.site.standings import (
    CEILING,
    FLOOR,
    PRIMARY,
    Standing,
    Standings,
)
from ambi_tasks.leaderboard.truth import board_corpora
from ambi_tasks.statistics import Score

_NORMAL = 1.959963984540054  # the 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Overall:
    """A model with a strategy, over the corpora.

    Attributes:
        standings: Corpus -> its entry there, by default options and label rule.
        skill: Mean over these corpora, see `mean_skill`.
    """

    standings: Mapping[str, Standing]
    skill: Score

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
    return sorted(
        rows,
        key=lambda one: (
            -len(one.standings),
            math.isnan(one.skill.value),
            -one.skill.value,
            one.any.entry.key,
        ),
    )


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
        if {FLOOR, CEILING} <= set(group.references):
            floor, ceiling = (group.references[name].scores[PRIMARY] for name in (FLOOR, CEILING))
            errors.append(one.scores[PRIMARY].se / abs(ceiling.value - floor.value))
    value = math.fsum(shares) / len(shares)
    if math.isnan(value):
        return Score(math.nan, math.nan, math.nan, math.nan)
    se = math.sqrt(math.fsum(error**2 for error in errors)) / len(errors)
    return Score(value, value - _NORMAL * se, value + _NORMAL * se, se)
