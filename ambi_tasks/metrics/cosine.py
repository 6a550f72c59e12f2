"""Cosine similarity."""

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import Floats, distributions


@metric(name="cosine", higher_is_better=True, bounds=(0.0, 1.0))
def cosine_similarity(truth: ArrayLike, prediction: ArrayLike) -> Floats:
    """Cosine of the angle between the two distributions as vectors.

    cos(p, q) = sum_k p_k q_k / sqrt(sum_k p_k^2 sum_k q_k^2). In [0, 1], higher is better: 1 for
    equal distributions, 0 for distributions that share no class. Symmetric. It is kind to flat
    predictions: the uniform one reaches 1 / sqrt(K) of any truth.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape.

    Source:
        The usual definition; common for distributions of emotion labels, as in X. Geng, "Label
        Distribution Learning", IEEE Transactions on Knowledge and Data Engineering 28(7), 2016.

    >>> cosine_similarity([[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.375, 0.5 + 0.125]])
    array([1.        , 0.51449576])
    """
    p, q = distributions(truth, prediction)
    lengths = np.sqrt((p**2).sum(axis=1)) * np.sqrt((q**2).sum(axis=1))
    # Rounding gives 1 + 2e-16 for some equal rows.
    similarity: Floats = np.minimum((p * q).sum(axis=1) / lengths, 1.0)
    return similarity
