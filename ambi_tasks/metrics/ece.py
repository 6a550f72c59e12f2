"""Expected calibration error."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.rows import most_probable
from ambi_tasks.metrics.validation import SAME, Floats, distributions

Correctness = Literal["soft", "hard"]

_MOST_BINS = 1000


def _statistics(
    truth: ArrayLike, prediction: ArrayLike, *, bins: int = 10, correctness: Correctness = "soft"
) -> Floats:
    """Per utterance and bin: whether it falls there, its confidence, its correctness; (N, 3 B)."""
    if not 1 <= bins <= _MOST_BINS:
        raise ValueError(f"bins is {bins}, but must be between 1 and {_MOST_BINS}.")
    if correctness not in {"soft", "hard"}:
        raise ValueError(f"correctness is '{correctness}', but must be 'soft' or 'hard'.")
    p, q = distributions(truth, prediction)
    chosen = most_probable(q)
    right = p if correctness == "soft" else most_probable(p)
    correct = (right * chosen).sum(axis=1) / chosen.sum(axis=1)
    confidence = q.max(axis=1)
    # A confidence on an edge, give or take rounding, belongs to the bin below.
    number = np.clip(np.ceil(confidence * bins - SAME) - 1, 0, bins - 1)
    inside = number[:, None] == np.arange(bins)
    return np.hstack([inside, inside * confidence[:, None], inside * correct[:, None]])


def _from_sums(sums: Floats) -> Floats:
    sizes, confidence, correct = np.split(sums, 3, axis=-1)
    error: Floats = np.abs(confidence - correct).sum(axis=-1) / sizes.sum(axis=-1)
    return error


@metric(
    name="ece",
    higher_is_better=False,
    bounds=(0.0, 1.0),
    level="corpus",
    statistics=_statistics,
    from_sums=_from_sums,
)
def expected_calibration_error(
    truth: ArrayLike, prediction: ArrayLike, *, bins: int = 10, correctness: Correctness = "soft"
) -> float:
    """Expected calibration error: how far confidence is from what annotators confirm.

    ECE = sum_b n_b / N |mean confidence in b - mean correctness in b| over `bins` bins b of equal
    width in (0, 1], closed above. Confidence is the largest probability of q; correctness is the
    share p of the annotators who chose that class. In [0, 1], lower is better. Where the most
    probable class of q ties (within 1e-9), correctness is the mean over the tied classes.

    A model can be calibrated and know nothing: always predicting the corpus's mean distribution has
    an error near 0. And as absolute values of noisy means, the bins' errors are overestimated where
    bins hold few utterances.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.
        bins: Number of bins, 1 to 1000.
        correctness: "soft": as above. "hard": whether the class is one of the truth's most probable
            ones, as in `acc`.

    Returns:
        One value of all utterances.

    Raises:
        ValueError: The arrays are not distributions of one shape, or an option is out of range.

    Source:
        M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining Well Calibrated Probabilities Using
        Bayesian Binning", AAAI 2015, and C. Guo et al., "On Calibration of Modern Neural Networks",
        ICML 2017, for "hard"; soft correctness is this benchmark's own.

    >>> truth = [[0.75, 0.25], [1.0, 0.0]]
    >>> expected_calibration_error(truth, [[0.875, 0.125], [0.625, 0.375]])
    0.25
    >>> expected_calibration_error(truth, [[0.875, 0.125], [0.625, 0.375]], bins=1)
    0.125
    >>> expected_calibration_error(truth, [[0.875, 0.125], [0.0, 1.0]], correctness="hard")
    0.5625
    """
    statistics = _statistics(truth, prediction, bins=bins, correctness=correctness)
    return float(_from_sums(statistics.sum(axis=0)))
