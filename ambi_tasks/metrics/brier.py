"""Brier score."""

from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import Floats, distributions


@metric(name="brier", higher_is_better=False, bounds=(0.0, 2.0))
def brier_score(truth: ArrayLike, prediction: ArrayLike) -> Floats:
    """Brier score: squared distance between the distributions.

    Brier(p, q) = sum_k (q_k - p_k)^2. In [0, 2], lower is better: 0 for equal distributions, 2 for
    certainty of a wrong class where the annotators agree. Symmetric. Brier's original form, summed
    over the classes, with the annotators' distribution in place of the one outcome.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape.

    Source:
        G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
        Review 78(1), 1950.

    >>> brier_score([[0.5, 0.5], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    array([0.5, 2. ])
    """
    p, q = distributions(truth, prediction)
    squares: Floats = ((q - p) ** 2).sum(axis=1)
    return squares
