"""Correlation of the entropies."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.rows import entropy
from ambi_tasks.metrics.validation import Floats, distributions

_DECIMALS = 9


def _grades(values: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Centred mid-ranks divided by N, and each value's place among the distinct ones.

    Values are rounded, so that those which differ by rounding alone are tied, as they are in exact
    arithmetic: the entropies of (0.2, 0.8) and (0.8, 0.2).
    """
    _, place, counts = np.unique(
        np.round(values, _DECIMALS), return_inverse=True, return_counts=True
    )
    below = np.cumsum(counts) - counts
    return ((below + counts / 2) / len(values) - 0.5)[place], place


def _mean_above(weights: Floats, place: NDArray[np.intp]) -> Floats:
    """(1/N) sum_j k(i, j) weights_j for each i, where k is 1 if i is below j, 1/2 if tied."""
    sums = np.bincount(place, weights)
    above: Floats = sums[::-1].cumsum()[::-1] - sums / 2
    return above[place] / len(weights)


def _statistics(truth: ArrayLike, prediction: ArrayLike) -> Floats:
    """(N, 2): rho plus the influence of each utterance on it, and 1; see `entropy_correlation`."""
    p, q = distributions(truth, prediction)
    (u, u_place), (v, v_place) = _grades(entropy(p)), _grades(entropy(q))
    a, b, c = (u * v).mean(), (u * u).mean(), (v * v).mean()
    ones = np.ones(len(u))
    if b == 0 or c == 0:
        return np.column_stack([0 * ones, ones])
    rho = a / np.sqrt(b * c)
    on_a = u * v + _mean_above(v, u_place) + _mean_above(u, v_place) - 3 * a
    on_b = u * u + 2 * _mean_above(u, u_place) - 3 * b
    on_c = v * v + 2 * _mean_above(v, v_place) - 3 * c
    influence = on_a / np.sqrt(b * c) - rho / 2 * (on_b / b + on_c / c)
    return np.column_stack([rho + influence, ones])


def _from_sums(sums: Floats) -> Floats:
    mean: Floats = sums[..., 0] / sums[..., 1]
    return mean


@metric(
    name="ent_corr",
    higher_is_better=True,
    bounds=(-1.0, 1.0),
    level="corpus",
    statistics=_statistics,
    from_sums=_from_sums,
    linearised=True,
)
def entropy_correlation(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Spearman correlation of the entropies: does the model know which utterances are ambiguous?

    rho = corr(rank H(p_i), rank H(q_i)) over the utterances i, with mid-ranks for ties (entropies
    that are equal to 9 decimals) and H(p) = -sum_k p_k log p_k. In [-1, 1], higher is better. 0
    where either entropy is constant, and for a single utterance. Symmetric.

    A rank correlation is no function of sums. Its statistics are therefore the linearisation
    rho + L_i, whose mean is exactly rho and whose resampled means vary, to first order, as rho
    resampled does; far from rho they may leave [-1, 1]. L_i is the empirical influence function of
    the grade correlation. With centred mid-grades u_i = F(x_i) - 1/2, where F(x) = P(X < x) +
    P(X = x) / 2 is that of the sample, v_i likewise, A = mean u v, B = mean u^2, C = mean v^2 and
    rho = A / sqrt(B C), adding mass at i changes A directly and through both grades:

    A_i = u_i v_i - A + (mean_j k(x_i, x_j) v_j - A) + (mean_j k(y_i, y_j) u_j - A),

    where k(x, y) is 1 if x < y, 1/2 if x = y, else 0; B_i and C_i are the same of (x, x) and
    (y, y); and L_i = A_i / sqrt(B C) - (rho / 2) (B_i / B + C_i / C).

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.

    Returns:
        One value of all utterances.

    Raises:
        ValueError: The arrays are not distributions of one shape.

    Source:
        C. Spearman, "The proof and measurement of association between two things", American Journal
        of Psychology 15(1), 1904. Influence functions: F. R. Hampel, "The influence curve and its
        role in robust estimation", Journal of the American Statistical Association 69, 1974; for
        rank correlations C. Croux, C. Dehon, "Influence functions of the Spearman and Kendall
        correlation measures", Statistical Methods & Applications 19, 2010.

    >>> truth = [[1.0, 0.0], [0.8, 0.2], [0.5, 0.5]]
    >>> entropy_correlation(truth, [[0.9, 0.1], [0.3, 0.7], [0.4, 0.6]])
    1.0
    >>> entropy_correlation(truth, [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    0.0
    """
    p, q = distributions(truth, prediction)
    (u, _), (v, _) = _grades(entropy(p)), _grades(entropy(q))
    spread = np.sqrt((u * u).sum()) * np.sqrt((v * v).sum())
    return float(np.clip((u * v).sum() / spread, -1, 1)) if spread > 0 else 0.0
