"""Scores of all utterances together, and their standard errors.

The harness hands an aggregation the values of one metric, one per utterance, gathered from all
processes. A corpus metric's "value" of an utterance is therefore the `Pair` that its function
needs: the same object for all of them, so that it is gathered once. In a log it is the word `doc`:
what it holds stands there, in the fields `soft_label`, `prediction`, `speaker` and `id`.

The harness knows standard errors of means alone, and writes N/A otherwise. Those of corpus metrics
are metrics of their own, `<name>_se`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ambi_tasks.metrics import Metric
from ambi_tasks.statistics.bootstrap import Clusters, ClusterSums, resample
from ambi_tasks.statistics.inference import intervals

ERROR = "_se"
"""Ends the names of the standard errors of corpus metrics."""

RESAMPLES, SEED = 1000, 1234

NOT_AVAILABLE = "N/A"
"""As the harness writes it."""


class Pair(str):
    """Truth and prediction of an utterance, as a string that a log can hold.

    Attributes:
        id: The utterance.
        speaker: Who speaks.
        labels: Names of the classes.
        truth: The soft label.
        prediction: The model's distribution.
    """

    LOGGED = "doc"

    id: str
    speaker: str
    labels: tuple[str, ...]
    truth: tuple[float, ...]
    prediction: tuple[float, ...]

    def __new__(
        cls,
        name: str,
        speaker: str,
        labels: Sequence[str],
        truth: Sequence[float],
        prediction: Sequence[float],
    ) -> "Pair":
        """Make one of its attributes."""
        self = super().__new__(cls, cls.LOGGED)
        self.id, self.speaker, self.labels = name, speaker, tuple(labels)
        self.truth, self.prediction = tuple(truth), tuple(prediction)
        return self

    # Processes of a run send their pairs to the first one.
    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.id, self.speaker, self.labels, self.truth, self.prediction


@dataclass(frozen=True, eq=False)  # the harness looks it up by its hash
class CorpusScore:
    """A corpus metric as an aggregation of the harness.

    Attributes:
        metric: The metric.
    """

    metric: Metric

    def __call__(self, pairs: Sequence[Pair]) -> float:
        """The metric's value.

        Args:
            pairs: One or more, in any order: it does not change even the last digit.
        """
        truth, prediction, pairs = _arrays(pairs)
        return float(self.metric.compute(truth, prediction, labels=pairs[0].labels))


@dataclass(frozen=True, eq=False)  # the harness looks it up by its hash
class CorpusError:
    """The standard error of a corpus metric, as an aggregation of the harness.

    It comes from resampled speakers (`statistics.bootstrap`), since utterances of one speaker are
    not independent, with a fixed seed.

    Attributes:
        metric: The metric.
    """

    metric: Metric

    def __call__(self, pairs: Sequence[Pair]) -> float | str:
        """The standard error; N/A where all utterances are of one speaker.

        Args:
            pairs: One or more, in any order.
        """
        truth, prediction, pairs = _arrays(pairs)
        clusters = Clusters.of([pair.speaker for pair in pairs])
        if len(clusters.names) == 1:
            return NOT_AVAILABLE
        name = self.metric.name
        statistics = self.metric.sufficient(truth, prediction, labels=pairs[0].labels)
        sums = ClusterSums.of(name, statistics, clusters, self.metric)
        drawn = resample([sums], rng=np.random.default_rng(SEED), resamples=RESAMPLES)
        return intervals(drawn)[name].se


def corpus_aggregations(metrics: Mapping[str, Metric]) -> dict[str, CorpusScore | CorpusError]:
    """Name of a score or standard error of the corpus -> what makes it of pairs.

    Args:
        metrics: Of which those of corpora are taken.
    """
    found: dict[str, CorpusScore | CorpusError] = {}
    for metric in metrics.values():
        if metric.level == "corpus":
            found[metric.name] = CorpusScore(metric)
            found[metric.name + ERROR] = CorpusError(metric)
    return found


def _arrays(pairs: Sequence[Pair]) -> tuple[Any, Any, list[Pair]]:
    """Truth and prediction, (N, K), in the order of the utterances' names."""
    ordered = sorted(pairs, key=lambda pair: pair.id)
    return (
        np.array([pair.truth for pair in ordered]),
        np.array([pair.prediction for pair in ordered]),
        ordered,
    )
