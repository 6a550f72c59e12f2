"""How a run's predictions are spread: confidence against correctness, entropy against entropy."""

from dataclasses import dataclass

import numpy as np

from ambi_tasks.metrics.rows import entropy
from ambi_tasks.metrics.validation import Floats
from ambi_tasks.report.logged_run import LoggedRun

ENTROPY_BINS = 8


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Utterances of similar confidence; see `metrics.ece`.

    Attributes:
        low: Lower edge, outside of the bin.
        high: Upper edge, inside.
        utterances: How many.
        confidence: Mean largest probability; NaN where there are none.
        correctness: Mean share of the annotators who agree (or as the metric's options say).
    """

    low: float
    high: float
    utterances: int
    confidence: float
    correctness: float


@dataclass(frozen=True, slots=True)
class EntropyBin:
    """Utterances of similar ambiguity.

    Attributes:
        low: Lower edge of the votes' entropy in bits, inside of the bin.
        high: Upper edge, outside but for the last bin.
        utterances: How many; at least one.
        votes: Mean entropy of the votes.
        prediction: Mean entropy of the predictions.
        lower: Lower quartile of the predictions' entropy.
        upper: Upper quartile.
    """

    low: float
    high: float
    utterances: int
    votes: float
    prediction: float
    lower: float
    upper: float


def reliability(run: LoggedRun) -> list[ConfidenceBin]:
    """The bins of the calibration error, with the options that the run was scored with.

    Args:
        run: Read from its log.
    """
    metric = run.metrics["ece"]
    bins = metric.options["bins"]
    sums = metric.sufficient(run.truth, run.prediction).sum(axis=0)
    sizes, confidence, correct = np.split(sums, 3)
    with np.errstate(invalid="ignore"):
        means = confidence / sizes, correct / sizes
    return [
        ConfidenceBin(
            n / bins, (n + 1) / bins, int(sizes[n]), float(means[0][n]), float(means[1][n])
        )
        for n in range(bins)
    ]


def entropies(run: LoggedRun) -> tuple[Floats, Floats]:
    """Entropy of the votes and of the prediction in bits, (N,) each.

    Args:
        run: Read from its log.
    """
    return entropy(run.truth), entropy(run.prediction)


def entropy_profile(run: LoggedRun) -> list[EntropyBin]:
    """Entropy of the predictions where the votes' entropy is in each of eighths of its range.

    Args:
        run: Read from its log.

    Returns:
        The bins that hold utterances.
    """
    votes, predicted = entropies(run)
    top = np.log2(run.truth.shape[1])
    edges = np.linspace(0, top, ENTROPY_BINS + 1)
    number = np.clip(np.searchsorted(edges, votes, side="right") - 1, 0, ENTROPY_BINS - 1)
    found = []
    for place in np.unique(number):
        inside = number == place
        lower, upper = np.quantile(predicted[inside], [0.25, 0.75])
        found.append(
            EntropyBin(
                low=float(edges[place]),
                high=float(edges[place + 1]),
                utterances=int(np.count_nonzero(inside)),
                votes=float(votes[inside].mean()),
                prediction=float(predicted[inside].mean()),
                lower=float(lower),
                upper=float(upper),
            )
        )
    return found
