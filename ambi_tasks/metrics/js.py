"""Jensen-Shannon divergence."""

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.rows import log2_of
from ambi_tasks.metrics.validation import Floats, distributions


@metric(name="js", higher_is_better=False, bounds=(0.0, 1.0))
def jensen_shannon(
    truth: ArrayLike, prediction: ArrayLike, *, base: float = 2.0, root: bool = False
) -> Floats:
    """Jensen-Shannon divergence: how far both distributions are from their mean.

    JS(p, q) = (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2 and 0 log 0 = 0. In [0, 1], lower
    is better: 0 for equal distributions, 1 for distributions that share no class. Symmetric.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.
        base: Base of the logarithm, greater than 1; the upper bound is the logarithm of 2 in it.
        root: Give the square root, the Jensen-Shannon distance, which is a metric in the
            mathematical sense.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape, or `base` is not above 1.

    Source:
        J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information
        Theory 37(1), 1991.

    >>> jensen_shannon([[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]])
    array([0., 1.])
    """
    log_base = log2_of(base)
    p, q = distributions(truth, prediction)
    bits = (_bits_from_mean(p, q) + _bits_from_mean(q, p)) / 2
    # Rounding leaves about -1e-17 for nearly equal rows, of which the root would be NaN.
    divergence: Floats = np.clip(bits, 0.0, 1.0) / log_base
    return np.sqrt(divergence) if root else divergence


def _bits_from_mean(p: Floats, q: Floats) -> Floats:
    """KL(p || (p + q) / 2) of each row, in bits."""
    # 2p / (p + q) rather than p / m: halving the smallest float gives 0.
    ratio = np.divide(2 * p, p + q, out=np.ones_like(p), where=p > 0)
    bits: Floats = (p * np.log2(ratio)).sum(axis=1)
    return bits
