"""What several metrics compute of each row of an array of distributions."""

import numpy as np

from ambi_tasks.metrics.validation import SAME, Flags, Floats


def most_probable(p: Floats) -> Flags:
    """The classes within `SAME` of the largest probability of their row, (N, K).

    Args:
        p: (N, K).

    >>> most_probable(np.array([[0.3, 0.1 + 0.2, 0.4], [0.5, 0.5, 0.0]]))
    array([[False, False,  True],
           [ True,  True, False]])
    """
    top: Flags = p >= p.max(axis=1, keepdims=True) - SAME
    return top


def entropy(p: Floats, *, base: float = 2.0) -> Floats:
    """Shannon entropy of each row, -sum_k p_k log p_k with 0 log 0 = 0, (N,).

    Args:
        p: (N, K), rows that sum to 1.
        base: Base of the logarithm.

    Raises:
        ValueError: `base` is not above 1.

    >>> entropy(np.array([[0.5, 0.5], [1.0, 0.0]]))
    array([1., 0.])
    """
    log_base = log2_of(base)
    bits = -(p * np.log2(p, out=np.zeros_like(p), where=p > 0)).sum(axis=1)
    # Rounding leaves -1e-16 for some certain rows, and the minus makes -0.0 of 0.
    positive: Floats = np.maximum(bits, 0.0) / log_base
    return positive


def log2_of(base: float) -> float:
    """The base of a logarithm, in bits.

    Args:
        base: Greater than 1.

    Raises:
        ValueError: It is not, or is infinite.
    """
    if not 1 < base < np.inf:
        raise ValueError(f"base is {base}, but must be a finite number above 1.")
    return float(np.log2(base))
