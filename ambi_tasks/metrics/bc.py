"""Bhattacharyya coefficient."""

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import Floats, distributions


@metric(name="bc", higher_is_better=True, bounds=(0.0, 1.0))
def bhattacharyya(truth: ArrayLike, prediction: ArrayLike) -> Floats:
    """Bhattacharyya coefficient: how far two distributions overlap.

    BC(p, q) = sum_k sqrt(p_k q_k). In [0, 1], higher is better: 1 for equal distributions, 0 for
    distributions that share no class. Symmetric.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape.

    Source:
        A. Bhattacharyya, "On a measure of divergence between two statistical populations defined by
        their probability distributions", Bulletin of the Calcutta Mathematical Society 35, 1943.

    >>> bhattacharyya([[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.36, 0.64]])
    array([1. , 0.6])
    """
    p, q = distributions(truth, prediction)
    # Two roots rather than the root of the product, which underflows for the smallest numbers.
    overlap = (np.sqrt(p) * np.sqrt(q)).sum(axis=1)
    # Rounding gives 1 + 2e-16 for some equal rows.
    capped: Floats = np.minimum(overlap, 1.0)
    return capped
