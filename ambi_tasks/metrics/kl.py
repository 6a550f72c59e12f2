"""Kullback-Leibler divergence of smoothed distributions."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.rows import log2_of
from ambi_tasks.metrics.validation import Floats, distributions


@metric(name="kl", higher_is_better=False, bounds=(0.0, math.inf))
def kl_divergence(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    base: float = 2.0,
    smoothing: float = 0.01,
    direction: Literal["forward", "reverse"] = "forward",
) -> Floats:
    """Kullback-Leibler divergence: what it costs to take the prediction for the truth.

    KL(p || q) = sum_k p'_k log(p'_k / q'_k), where both are first mixed with the uniform
    distribution, p' = (1 - s) p + s / K with s = `smoothing`: without that, one class that an
    annotator chose and the model ruled out makes the value infinite. At least 0, lower is better: 0
    for equal distributions, at most log(1 + K (1 - s) / s). Not symmetric. The value depends on
    `smoothing`, so compare only where it is the same.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.
        base: Base of the logarithm, greater than 1; the default gives bits.
        smoothing: The weight s of the uniform distribution, above 0 and at most 1.
        direction: "forward": KL(p || q), which punishes ruling out what annotators chose.
            "reverse": KL(q || p), which punishes choosing what no annotator chose.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape, or an option is out of range.

    Source:
        S. Kullback, R. A. Leibler, "On information and sufficiency", The Annals of Mathematical
        Statistics 22(1), 1951. Mixing with the uniform distribution is Jelinek-Mercer smoothing;
        its weight here is this benchmark's own.

    >>> kl_divergence([[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]], smoothing=0.5)
    array([0.        , 0.79248125])
    """
    log_base = log2_of(base)
    if not 0 < smoothing <= 1:
        raise ValueError(f"smoothing is {smoothing}, but must be above 0 and at most 1.")
    if direction not in {"forward", "reverse"}:
        raise ValueError(f"direction is '{direction}', but must be 'forward' or 'reverse'.")
    p, q = (
        (1 - smoothing) * rows + smoothing / rows.shape[1]
        for rows in distributions(truth, prediction)
    )
    if direction == "reverse":
        p, q = q, p
    bits = (p * np.log2(p / q)).sum(axis=1)
    # Rounding leaves about -1e-17 for nearly equal rows.
    divergence: Floats = np.maximum(bits, 0.0) / log_base
    return divergence
