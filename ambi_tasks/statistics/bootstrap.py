"""Percentile intervals by a bootstrap over clusters."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ambi_tasks.metrics.validation import Floats

_WEIGHTS_AT_ONCE = 2_000_000  # 16 MB of them: one speaker per utterance must fit in memory too


def clustered_intervals(
    values: ArrayLike,
    clusters: ArrayLike,
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> Floats:
    """Percentile intervals of the means of values that are not independent within clusters.

    Each resample draws C of the C clusters with replacement, each with all its utterances, and
    takes the mean over the utterances drawn: with s_c the sum of the values of cluster c, n_c its
    size and w_c how often it was drawn, sum_c w_c s_c / sum_c w_c n_c. The interval lies between
    the (1 - level) / 2 and (1 + level) / 2 quantiles of these means. All columns share the
    resamples.

    With few clusters percentile intervals are too short: in simulation about 84 % of 95 % intervals
    over 5 clusters hold the mean, 89 % over 10, 94 % over 40.

    Args:
        values: (N, M), one row per utterance, one column per quantity.
        clusters: (N,), the name of each utterance's cluster, such as its speaker.
        rng: Where the resamples come from.
        resamples: How many, at least 1.
        level: Share of the resampled means inside the interval, in (0, 1).

    Returns:
        (M, 2), the lower and the upper end for each column, each within the column's range.

    Raises:
        ValueError: The arrays do not fit together, hold a number that is not finite, or name a
            single cluster; or `resamples` or `level` is out of range.

    Source:
        B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993, for
        the percentile interval; A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their
        Application", Cambridge University Press, 1997, for resampling whole clusters.

    >>> clustered_intervals([[1.0], [1.0]], ["a", "b"], rng=np.random.default_rng(0))
    array([[1., 1.]])
    """
    array = np.asarray(values, dtype=np.float64)
    names = np.asarray(clusters)
    if array.ndim != 2 or array.size == 0 or names.shape != array.shape[:1]:  # noqa: PLR2004
        raise ValueError(
            f"values and clusters have the shapes {array.shape} and {names.shape}, but must be "
            "(N, M) and (N,) with N and M of at least 1."
        )
    if not np.isfinite(array).all():
        raise ValueError("values holds NaN or infinity.")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but must be at least 1.")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, but must lie between 0 and 1.")
    sums, sizes, _ = cluster_sums(array, names)
    if len(sizes) == 1:
        raise ValueError("clusters names a single cluster, so there is nothing to resample.")
    means = _resampled_means(sums, sizes, resamples, rng)
    ends: Floats = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0).T
    return ends


def cluster_sums(
    values: Floats, clusters: NDArray[np.generic]
) -> tuple[Floats, NDArray[np.intp], NDArray[np.intp]]:
    """Add up the rows of each cluster.

    Args:
        values: (N, M).
        clusters: (N,), names.

    Returns:
        The sums (C, M) and sizes (C,) of the clusters in the order of their names, and the position
        in that order of each row's cluster, (N,).
    """
    _, position = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(position)
    sums = np.zeros((len(sizes), values.shape[1]))
    np.add.at(sums, position, values)
    return sums, sizes, position


def _resampled_means(
    sums: Floats, sizes: NDArray[np.intp], resamples: int, rng: np.random.Generator
) -> Floats:
    """The mean over the utterances of each resample, (resamples, M)."""
    count = len(sizes)
    block = max(1, _WEIGHTS_AT_ONCE // count)
    means = []
    for start in range(0, resamples, block):
        drawn = min(block, resamples - start)
        weights = rng.multinomial(count, np.full(count, 1 / count), size=drawn).astype(np.float64)
        means.append((weights @ sums) / (weights @ sizes)[:, None])
    return np.concatenate(means)
