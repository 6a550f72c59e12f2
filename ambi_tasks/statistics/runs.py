"""A run as statistics see it, and its scores with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ambi_tasks.labels import LabelRule
from ambi_tasks.metrics import Metric, all_metrics
from ambi_tasks.metrics.registry import Needs
from ambi_tasks.metrics.validation import Flags, Floats
from ambi_tasks.statistics.bootstrap import RESAMPLES, Clusters, ClusterSums, resample
from ambi_tasks.statistics.inference import LEVEL, Method, Score, intervals


@dataclass(frozen=True, slots=True)
class Run:
    """What a model predicted for utterances, beside what the annotators said.

    Attributes:
        name: What results call it.
        ids: (N,), the utterances, sorted: their order in a file changes nothing.
        speakers: (N,), names.
        rule: The label rule that made the truth.
        inputs: What metrics need -> their two arrays, N rows each: at least "distributions", the
            truth and the prediction.
    """

    name: str
    ids: NDArray[np.str_]
    speakers: NDArray[np.str_]
    rule: LabelRule
    inputs: Mapping[Needs, tuple[Floats, Floats]]
    _summed: dict[str, ClusterSums] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of(
        cls,
        name: str,
        *,
        ids: Sequence[str],
        speakers: Sequence[str],
        rule: LabelRule,
        inputs: Mapping[Needs, tuple[ArrayLike, ArrayLike]],
    ) -> "Run":
        """From utterances in any order.

        Args:
            name: What results call it.
            ids: (N,), each once.
            speakers: (N,).
            rule: The label rule that made the truth.
            inputs: See `Run`.

        Raises:
            ValueError: There are no utterances, one is there twice, or there are not as many
                speakers, or rows of an array, as utterances.
        """
        names, counts = np.unique(np.array(ids, dtype=np.str_), return_counts=True)
        if not names.size:
            raise ValueError(f"The run '{name}' has no utterances.")
        if counts.max() > 1:
            raise ValueError(
                f"The run '{name}' has the utterance '{names[counts.argmax()]}' twice."
            )
        arrays = {
            needs: (np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64))
            for needs, (one, two) in inputs.items()
        }
        lengths = [len(speakers), *(len(array) for pair in arrays.values() for array in pair)]
        if set(lengths) != {len(names)}:
            raise ValueError(
                f"The run '{name}' has {len(names)} utterances, but its speakers and arrays are of "
                f"the lengths {lengths}."
            )
        order = np.argsort(np.array(ids, dtype=np.str_))
        return cls(
            name,
            names,
            np.array(speakers, dtype=np.str_)[order],
            rule,
            {needs: (one[order], two[order]) for needs, (one, two) in arrays.items()},
        )

    def only(self, keep: Flags) -> "Run":
        """Some of its utterances.

        Args:
            keep: (N,), which.
        """
        return Run(
            self.name,
            self.ids[keep],
            self.speakers[keep],
            self.rule,
            {needs: (one[keep], two[keep]) for needs, (one, two) in self.inputs.items()},
        )

    def metrics(self, known: Mapping[str, Metric] | None = None) -> list[Metric]:
        """Those that can be computed of it: its arrays are there, and its classes fit.

        Args:
            known: The metrics to choose from, with their options; all by default.
        """
        return [
            metric
            for metric in (all_metrics() if known is None else known).values()
            if metric.needs in self.inputs and metric.misfit(self.rule.classes) is None
        ]

    def sums(self, metrics: Sequence[Metric]) -> list[ClusterSums]:
        """The metrics' statistics, added up by speaker.

        They are kept: to compute them is most of the work of scoring a run.

        Args:
            metrics: Those of `metrics`, or some of them.

        Raises:
            ValueError: An array is not what a metric asks for.
        """
        for metric in metrics:
            known = self._summed.get(metric.name)
            if known is None or known.metric != metric:  # other options
                self._summed[metric.name] = self._sum(metric)
        return [self._summed[metric.name] for metric in metrics]

    def _sum(self, metric: Metric) -> ClusterSums:
        known = next(iter(self._summed.values()), None)
        return ClusterSums.of(
            metric.name,
            metric.sufficient(*self.inputs[metric.needs], labels=self.rule.classes),
            Clusters.of(self.speakers) if known is None else known.clusters,
            metric,
        )


def score_run(
    run: Run,
    *,
    seed: int,
    metrics: Mapping[str, Metric] | None = None,
    resamples: int = RESAMPLES,
    method: Method = "percentile",
    level: float = LEVEL,
) -> dict[str, Score]:
    """Every metric of a run, with standard errors and intervals over resampled speakers.

    Args:
        run: What to score.
        seed: At least 0; equal runs and seeds give equal results.
        metrics: The metrics to choose from, with their options; all by default.
        resamples: At least 1.
        method: See `intervals`.
        level: Nominal coverage, in (0, 1).

    Returns:
        Metric -> score.

    Raises:
        ValueError: There is a single speaker, or a setting is out of range.

    >>> truth = [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    >>> run = Run.of(
    ...     "uniform", ids=["u", "v", "w"], speakers=["a", "b", "b"],
    ...     rule=LabelRule(("x", "y")), inputs={"distributions": (truth, [[0.5, 0.5]] * 3)},
    ... )
    >>> score = score_run(run, seed=0)["brier"]
    >>> round(score.value, 3), score.low, score.high
    (0.333, 0.25, 0.5)
    """
    drawn = resample(
        run.sums(run.metrics(metrics)), rng=np.random.default_rng(seed), resamples=resamples
    )
    return intervals(drawn, method=method, level=level)
