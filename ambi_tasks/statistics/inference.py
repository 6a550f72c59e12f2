"""Standard errors, intervals and p-values of what was resampled.

The plain intervals are the bootstrap's two classical ones. Let G be the distribution of a metric's
resampled values and alpha a tail, such as 0.025:

* percentile: G^-1(alpha) is the lower end;
* BCa: G^-1(Phi(b + (b + z) / (1 - a (b + z)))) with z = Phi^-1(alpha), the bias
  b = Phi^-1(G(value)) and the acceleration a from the jackknife over clusters.

Both are too short where clusters are few or of unequal size, so by default z is *widened*: instead
of Phi^-1(alpha) it is sqrt(E / (E - 1)) times the alpha quantile of Student's t of E - 1 degrees of
freedom, with E the effective number of clusters (`Clusters.effective`). For a mean over clusters of
one size that makes the width of the percentile interval the one of the t interval. With many
clusters it changes nothing. Coverage was measured by benchmarks/coverage.py; see
docs/statistics.md.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from ambi_tasks.metrics.validation import Floats
from ambi_tasks.statistics.bootstrap import Bootstrap

Method: TypeAlias = Literal["percentile", "bca"]
Test: TypeAlias = Literal["resampled", "t"]

LEVEL = 0.95

SAME = 1e-12
"""Values of a metric that differ by no more differ by rounding alone."""


@dataclass(frozen=True, slots=True)
class Score:
    """A value with its uncertainty; NaN where there is none to tell.

    Attributes:
        value: Of the utterances themselves.
        low: Lower end of the interval.
        high: Upper end.
        se: Standard error: the standard deviation of the resampled values, times
            sqrt(E / (E - 1)), since resamples scatter too little by about that factor. For a mean
            over utterances that are clusters of their own it is the usual s / sqrt(N).
    """

    value: float
    low: float
    high: float
    se: float


def intervals(
    drawn: Bootstrap,
    *,
    method: Method = "percentile",
    level: float = LEVEL,
    widened: bool = True,
) -> dict[str, Score]:
    """The interval and the standard error of each metric.

    Resamples in which a metric has no value are left out of its interval. Where all resampled
    values are equal (to 1e-12) the interval has no width.

    Args:
        drawn: What was resampled.
        method: See the module.
        level: Nominal coverage, in (0, 1).
        widened: Make up for few clusters; see the module.

    Returns:
        Metric -> score.

    Raises:
        ValueError: `method` or `level` is out of range.

    Source:
        B. Efron, "Better Bootstrap Confidence Intervals", Journal of the American Statistical
        Association 82, 1987, for BCa. T. C. Hesterberg, "What Teachers Should Know About the
        Bootstrap", The American Statistician 69(4), 2015, for widening (there with the number of
        observations for E).
    """
    _check_method(method)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, but must lie between 0 and 1.")
    tails = ((1 - level) / 2, (1 + level) / 2)
    found = {}
    for name, value, resampled, jackknife in _columns(drawn):
        if math.isnan(value) or not resampled.size:
            found[name] = Score(value, math.nan, math.nan, math.nan)
            continue
        curve = _Curve.of(value, resampled, jackknife, drawn.effective, method, widened=widened)
        low, high = np.quantile(resampled, [curve.level(tail) for tail in tails])
        found[name] = Score(value, float(low), float(high), _standard_error(resampled, drawn))
    return found


def p_values(
    difference: Bootstrap, *, method: Method = "percentile", widened: bool = True
) -> dict[str, float]:
    """Two-sided p-values for differences that truly are 0, from the same resamples as intervals.

    With l = (#{d* <= 0} + 1) / (R + 1) and u = (#{d* >= 0} + 1) / (R + 1) over the R resampled
    differences d*, the widened percentile's is

        p = min(1, 2 T(sqrt((E - 1) / E) Phi^-1(min(l, u))))

    with T the distribution function of Student's t of E - 1 degrees of freedom; without widening,
    min(1, 2 min(l, u)). BCa's is likewise found by asking at which level the end of the interval
    reaches 0. So p < 0.05 says that the 95 % interval excludes 0, but for the 1 added to the counts
    (which keeps p above 0). Differences of at most 1e-12 are taken for 0, which counts on both
    sides: two equal runs have p = 1.

    Args:
        difference: Of two runs; see `Bootstrap.minus`.
        method: As for `intervals`.
        widened: As for `intervals`.

    Returns:
        Metric -> p, in (0, 1]; NaN where a run has no value.

    Raises:
        ValueError: `method` is unknown.

    Source:
        A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge
        University Press, 1997, chapter 4, for counts with 1 added and tests by inverted intervals.
    """
    _check_method(method)
    found = {}
    for name, value, resampled, jackknife in _columns(difference):
        if math.isnan(value) or not resampled.size:
            found[name] = math.nan
            continue
        curve = _Curve.of(
            value, resampled, jackknife, difference.effective, method, widened=widened
        )
        count = len(resampled)
        below = (np.count_nonzero(resampled <= SAME) + 1) / (count + 1)
        above = (np.count_nonzero(resampled >= -SAME) + 1) / (count + 1)
        most = count / (count + 1)
        one_sided = min(curve.tail(min(below, most)), 1 - curve.tail(max(1 - above, 1 - most)))
        found[name] = min(1.0, 2 * one_sided)
    return found


def t_p_values(difference: Bootstrap) -> dict[str, float]:
    """Two-sided p-values for differences that truly are 0, by Student's t.

        p = 2 T(-|d| / se)

    with T the distribution function of Student's t of E - 1 degrees of freedom and se as in
    `Score`. `p_values` cannot be below what so many resamples can show, which Holm's correction
    over the pairs of some twenty runs lifts above any level; this has no such limit, and rests on
    the resampled differences being about normal instead. For a mean over clusters of one size that
    are utterances of their own it is the usual paired t test.

    Args:
        difference: Of two runs; see `Bootstrap.minus`.

    Returns:
        Metric -> p, in [0, 1]: 1 for a difference of at most 1e-12, 0 for another one that is the
        same in all resamples; NaN where a run has no value.

    Source:
        T. J. DiCiccio, B. Efron, "Bootstrap Confidence Intervals", Statistical Science 11(3), 1996,
        for the standard interval with a bootstrapped error, of which this is the inverse.
    """
    from scipy.special import stdtr  # noqa: PLC0415 - a third of a second

    found = {}
    for name, value, resampled, _ in _columns(difference):
        if math.isnan(value) or not resampled.size:
            found[name] = math.nan
        elif abs(value) <= SAME:
            found[name] = 1.0
        else:
            se = _standard_error(resampled, difference)
            ratio = abs(value) / se if se > SAME else math.inf
            found[name] = float(2 * stdtr(difference.effective - 1, -ratio))
    return found


@dataclass(frozen=True, slots=True)
class _Curve:
    """Which quantile of the resampled values is the end of an interval with a given tail.

    Attributes:
        bias: b; 0 for the percentile interval.
        acceleration: a, likewise.
        effective: E, None where nothing is widened.
    """

    bias: float
    acceleration: float
    effective: float | None

    @classmethod
    def of(
        cls,
        value: float,
        resampled: Floats,
        jackknife: Floats,
        effective: float,
        method: Method,
        *,
        widened: bool,
    ) -> "_Curve":
        used = effective if widened else None
        if method == "percentile":
            return cls(0.0, 0.0, used)
        return cls(_bias(value, resampled), _acceleration(jackknife), used)

    def level(self, tail: float) -> float:
        """The quantile's level for a tail; both in [0, 1]."""
        from scipy.special import ndtr, ndtri, stdtrit  # noqa: PLC0415 - a third of a second

        if self.effective is None:
            z = float(ndtri(tail))
        else:
            z = float(stdtrit(self.effective - 1, tail)) * self._widening(self.effective)
        shifted = self.bias + z
        slope = 1 - self.acceleration * shifted
        if slope <= 0:
            return float(shifted > 0)
        return float(ndtr(self.bias + shifted / slope))

    def tail(self, level: float) -> float:
        """The inverse of `level`."""
        from scipy.special import ndtr, ndtri, stdtr  # noqa: PLC0415

        shifted = float(ndtri(level)) - self.bias
        slope = 1 + self.acceleration * shifted
        if slope <= 0:
            return float(shifted > 0)
        z = shifted / slope - self.bias
        if self.effective is None:
            return float(ndtr(z))
        return float(stdtr(self.effective - 1, z / self._widening(self.effective)))

    @staticmethod
    def _widening(effective: float) -> float:
        return math.sqrt(effective / (effective - 1))


def _columns(drawn: Bootstrap) -> list[tuple[str, float, Floats, Floats]]:
    """Name, value, and the resampled and jackknife values that there are, of each metric."""
    return [
        (name, float(value), resampled[~np.isnan(resampled)], jackknife[~np.isnan(jackknife)])
        for name, value, resampled, jackknife in zip(
            drawn.names, drawn.value, drawn.resampled.T, drawn.jackknife.T, strict=True
        )
    ]


def _bias(value: float, resampled: Floats) -> float:
    """The b of BCa: the normal score of the share of resampled values below, ties by half."""
    from scipy.special import ndtri  # noqa: PLC0415

    below = np.count_nonzero(resampled < value - SAME)
    same = np.count_nonzero(np.abs(resampled - value) <= SAME)
    # 1/2 and 1 are added so that b is finite where all lie on one side.
    return float(ndtri((below + same / 2 + 0.5) / (len(resampled) + 1)))


def _acceleration(jackknife: Floats) -> float:
    """The a of BCa: sum d^3 / (6 (sum d^2)^(3/2)), d the jackknife's mean minus its values."""
    off = jackknife.mean() - jackknife
    square = float((off**2).sum())
    if square <= SAME**2 * len(off):
        return 0.0
    return float((off**3).sum() / (6 * square**1.5))


def _standard_error(resampled: Floats, drawn: Bootstrap) -> float:
    if len(resampled) == 1:
        return math.nan
    inflation = math.sqrt(drawn.effective / (drawn.effective - 1))
    return float(resampled.std(ddof=1)) * inflation


def _check_method(method: str) -> None:
    if method not in get_args(Method):
        raise ValueError(f"method is '{method}', but must be 'percentile' or 'bca'.")
