"""Error of the entropy."""

import math

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.rows import entropy
from ambi_tasks.metrics.validation import Floats, distributions


@metric(name="ent_mae", higher_is_better=False, bounds=(0.0, math.inf))
def entropy_error(truth: ArrayLike, prediction: ArrayLike, *, base: float = 2.0) -> Floats:
    """Entropy error: how far the prediction is from being as ambiguous as the truth.

    |H(p) - H(q)| with H(p) = -sum_k p_k log p_k and 0 log 0 = 0; over a corpus, their mean is the
    mean absolute error. At least 0, lower is better; at most log K. Symmetric. It asks only how
    ambiguous an utterance is, not between which emotions: see `js` for that.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.
        base: Base of the logarithm, greater than 1; the default gives bits.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape, or `base` is not above 1.

    Source:
        The entropy is that of C. E. Shannon, "A Mathematical Theory of Communication", Bell System
        Technical Journal 27, 1948; the error is this benchmark's own.

    >>> entropy_error([[0.5, 0.5], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    array([1., 0.])
    """
    p, q = distributions(truth, prediction)
    error: Floats = np.abs(entropy(p, base=base) - entropy(q, base=base))
    return error
