"""Made-up corpora with speakers, and means as metrics."""

from dataclasses import dataclass

import numpy as np

from ambi_tasks.statistics import Clusters, ClusterSums

LABELS = ("neutral", "happy", "angry", "sad")


def rng(seed=0):
    return np.random.default_rng(seed)


@dataclass(frozen=True)
class Mean:
    """The simplest metric: statistics are the value and 1."""

    def value(self, sums, /):
        return sums[..., 0] / sums[..., 1]


def mean_of(values, clusters, name="mean"):
    values = np.array(values, dtype=float)
    statistics = np.stack([values, np.ones_like(values)], axis=1)
    return ClusterSums.of(name, statistics, Clusters.of(clusters), Mean())


def corpus(speakers, seed, skill=1.0):
    """Truth, prediction (N, 4) and speakers (N,): who express, and are heard, differently."""
    noise = rng(seed)
    speaker = np.repeat(np.arange(speakers), noise.integers(5, 16, speakers))
    count = len(speaker)
    own, heard = noise.standard_normal((speakers, 4)), noise.standard_normal(speakers) / 2 + skill
    meant = own[speaker] + 1.5 * noise.standard_normal((count, 4))
    votes = noise.integers(3, 10, count)
    truth = noise.multinomial(votes, _softmax(meant)) / votes[:, None]
    prediction = _softmax(heard[speaker][:, None] * meant + noise.standard_normal((count, 4)))
    return truth, prediction, speaker


def _softmax(scores):
    exponentials = np.exp(scores)
    return exponentials / exponentials.sum(axis=1, keepdims=True)
