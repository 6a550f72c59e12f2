"""A bootstrap over clusters of any metric that is made of sums.

Utterances of one speaker are not independent, speakers are: a resample draws C of the C speakers
with replacement, each with all their utterances. With s_c the sums of a metric's additive
statistics over the utterances of speaker c, and w_c how often the speaker was drawn, the metric of
the resample is value(sum_c w_c s_c). So the utterances are added up once, and the resamples of all
metrics, and of all runs on the same utterances, are one matrix product: (resamples, C) times
(C, all statistics side by side).

What is made of it (standard errors, intervals, p-values) is in `inference`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ambi_tasks.metrics.validation import Floats

RESAMPLES = 10_000

_DRAWN_AT_ONCE = 2_000_000  # 16 MB of them: one speaker per utterance must fit in memory too


class FromSums(Protocol):
    """What makes a metric's value of sums of its statistics; see `metrics.Metric`."""

    def value(self, sums: Floats, /) -> Floats:
        """Sums (..., S) to values (...)."""
        ...


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which cluster each utterance is of.

    Attributes:
        names: (C,), sorted: the order of the utterances does not change a resample.
        position: (N,), the position in `names` of each utterance's cluster.
        sizes: (C,), how many utterances each has.
    """

    names: NDArray[np.generic]
    position: NDArray[np.intp]
    sizes: NDArray[np.intp]

    @classmethod
    def of(cls, clusters: ArrayLike) -> "Clusters":
        """From the names of the utterances' clusters.

        Args:
            clusters: (N,), such as speakers.

        Raises:
            ValueError: There are no utterances, or the names are not (N,).

        >>> Clusters.of(["b", "a", "b"]).sizes
        array([1, 2])
        """
        array = np.asarray(clusters)
        if array.ndim != 1 or array.size == 0:
            raise ValueError(
                f"clusters has the shape {array.shape}, but must be (N,) with N of at least 1."
            )
        names, position = np.unique(array, return_inverse=True)
        return cls(names, position, np.bincount(position))

    def sums(self, values: Floats) -> Floats:
        """Add up the rows of each cluster.

        Args:
            values: (N, M).

        Returns:
            (C, M).
        """
        count = len(self.names)
        columns = [np.bincount(self.position, column, minlength=count) for column in values.T]
        return np.stack(columns, axis=1)

    @property
    def effective(self) -> float:
        """How many clusters of one size are worth as much: (sum of sizes)^2 / sum of squares.

        C if all sizes are equal, down to 1 where one cluster holds nearly everything.

        Source:
            Kish's effective sample size: L. Kish, "Survey Sampling", Wiley, 1965. For clusters of
            unequal size: A. V. Carter, K. T. Schnepel, D. G. Steigerwald, "Asymptotic Behavior of a
            t-Test Robust to Cluster Heterogeneity", Review of Economics and Statistics 99(4), 2017.

        >>> Clusters.of(["a", "b", "b", "b"]).effective
        1.6
        """
        return float(self.sizes.sum() ** 2 / (self.sizes**2).sum())


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """One metric of one run, as far as resampling needs to know it.

    Attributes:
        name: What results call it.
        clusters: Of the utterances.
        sums: (C, S), the additive statistics of each cluster.
        metric: Makes values of sums.
    """

    name: str
    clusters: Clusters
    sums: Floats
    metric: FromSums

    @classmethod
    def of(
        cls, name: str, statistics: ArrayLike, clusters: Clusters, metric: FromSums
    ) -> "ClusterSums":
        """From statistics of utterances.

        Args:
            name: What results call the metric.
            statistics: (N, S), additive.
            clusters: Of the N utterances.
            metric: Makes values of their sums.

        Raises:
            ValueError: The statistics are not (N, S) of as many utterances, or not finite.
        """
        array = np.asarray(statistics, dtype=np.float64)
        utterances = len(clusters.position)
        if array.ndim != 2 or array.shape[1] == 0 or len(array) != utterances:  # noqa: PLR2004
            raise ValueError(
                f"The statistics of '{name}' have the shape {array.shape}, but must be "
                f"({utterances}, S) with S of at least 1: a row for each utterance of the clusters."
            )
        if not np.isfinite(array).all():
            raise ValueError(f"The statistics of '{name}' hold NaN or infinity.")
        return cls(name, clusters, clusters.sums(array), metric)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Values of M metrics: of the utterances, of resamples, and without one cluster.

    NaN stands for a value that there is not, such as a mean of nothing.

    Attributes:
        names: The metrics.
        effective: How many clusters there effectively are; see `Clusters.effective`.
        value: (M,), of all utterances.
        resampled: (R, M).
        jackknife: (C, M), of all clusters but one.
    """

    names: tuple[str, ...]
    effective: float
    value: Floats
    resampled: Floats
    jackknife: Floats

    def columns(self, start: int, stop: int) -> "Bootstrap":
        """The metrics from `start` up to, and without, `stop`."""
        return Bootstrap(
            self.names[start:stop],
            self.effective,
            self.value[start:stop],
            self.resampled[:, start:stop],
            self.jackknife[:, start:stop],
        )

    def minus(self, other: "Bootstrap") -> "Bootstrap":
        """Differences, resample by resample.

        Args:
            other: As many metrics, drawn in the same call of `resample`.
        """
        return Bootstrap(
            self.names,
            self.effective,
            self.value - other.value,
            self.resampled - other.resampled,
            self.jackknife - other.jackknife,
        )


def resample(
    quantities: Sequence[ClusterSums], *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Bootstrap:
    """Resample clusters, for all quantities alike.

    Args:
        quantities: Of the same clusters; one or more.
        rng: Where the resamples come from. Which clusters are drawn depends on its state, on C and
            on `resamples` alone.
        resamples: R, at least 1.

    Returns:
        Values with all that intervals and tests are made of.

    Raises:
        ValueError: There are no quantities, they are of different clusters or of a single one, or
            `resamples` is out of range.

    Source:
        A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge
        University Press, 1997, for resampling whole clusters.

    >>> from ambi_tasks.metrics import get_metric
    >>> brier, clusters = get_metric("brier"), Clusters.of(["a", "b", "b"])
    >>> statistics = brier.sufficient([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], [[0.5, 0.5]] * 3)
    >>> sums = ClusterSums.of("brier", statistics, clusters, brier)
    >>> drawn = resample([sums], rng=np.random.default_rng(0), resamples=4)
    >>> drawn.value, drawn.jackknife[:, 0]
    (array([0.33333333]), array([0.25, 0.5 ]))
    """
    if not quantities:
        raise ValueError("There are no quantities, so there is nothing to resample.")
    first = quantities[0]
    for one in quantities:
        same = np.array_equal(one.clusters.names, first.clusters.names)
        if not (same and np.array_equal(one.clusters.sizes, first.clusters.sizes)):
            raise ValueError(f"'{first.name}' and '{one.name}' are of different clusters.")
    sums = np.hstack([one.sums for one in quantities])
    total = sums.sum(axis=0)
    blocks = resampled_sums(sums, rng=rng, resamples=resamples)
    return Bootstrap(
        names=tuple(one.name for one in quantities),
        effective=first.clusters.effective,
        resampled=np.concatenate([_values(quantities, block) for block in blocks]),
        value=_values(quantities, total[None])[0],
        jackknife=_values(quantities, total - sums),
    )


def resampled_sums(sums: Floats, *, rng: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """The sums over each resample of clusters, in blocks that fit in memory.

    Args:
        sums: (C, S), over the utterances of each cluster.
        rng: Where the resamples come from.
        resamples: R, at least 1.

    Yields:
        (B, S), R rows in all.

    Raises:
        ValueError: There is a single cluster, or `resamples` is out of range.
    """
    count = len(sums)
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but must be at least 1.")
    if count == 1:
        raise ValueError("There is a single cluster, so there is nothing to resample.")
    block = max(1, _DRAWN_AT_ONCE // count)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        # Counting draws is several times faster than drawing multinomial counts.
        drawn = rng.integers(count, size=(size, count))
        drawn += np.arange(size)[:, None] * count
        weights = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        yield weights.astype(np.float64) @ sums


def _values(quantities: Sequence[ClusterSums], sums: Floats) -> Floats:
    """Each quantity's value of its columns of the sums, (..., M)."""
    ends = np.cumsum([one.sums.shape[1] for one in quantities])
    parts = np.split(sums, ends[:-1], axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 is NaN, and means what it should
        columns = [one.metric.value(part) for one, part in zip(quantities, parts, strict=True)]
    return np.stack(columns, axis=-1)
