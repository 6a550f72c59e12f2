"""Squared correlation over the classes of an utterance."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import SAME, Floats, distributions


@metric(name="r2", higher_is_better=True, bounds=(0.0, 1.0))
def r_squared(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    form: Literal["correlation", "determination"] = "correlation",
) -> Floats:
    """Squared Pearson correlation between truth and prediction over the classes of one utterance.

    R2(p, q) = cov(p, q)^2 / (var(p) var(q)), and 0 where either is constant. In [0, 1], higher is
    better. Symmetric.

    A row is constant if its largest and smallest probability differ by at most 1e-9: the deviations
    of a uniform row are rounding noise, and correlate at random. A constant truth hence gives 0
    even to the perfect prediction. The square forgets the sign: the opposite ranking can give 1,
    and with two classes every pair of rows that are not constant does.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.
        form: "correlation": as above. "determination": the coefficient of determination over the
            classes, 1 - sum_k (p_k - q_k)^2 / sum_k (p_k - 1/K)^2, and 0 where p is constant; not
            bounded below, negative where the uniform distribution is the better prediction.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape, or `form` is unknown.

    Source:
        As in X. Hong et al., "AER-LLM: Ambiguity-aware Emotion Recognition Leveraging Large
        Language Models", arXiv:2409.18339.

    >>> r_squared([[0.6, 0.3, 0.1], [1 / 3, 1 / 3, 1 / 3]], [[0.6, 0.3, 0.1], [0.5, 0.5, 0.0]])
    array([1., 0.])
    """
    if form not in {"correlation", "determination"}:
        raise ValueError(f"form is '{form}', but must be 'correlation' or 'determination'.")
    p, q = distributions(truth, prediction)
    p_off, q_off = p - p.mean(axis=1, keepdims=True), q - q.mean(axis=1, keepdims=True)
    if form == "determination":
        error, spread = ((p - q) ** 2).sum(axis=1), (p_off**2).sum(axis=1)
        unexplained: Floats = np.divide(
            error, spread, out=np.ones(len(p)), where=np.ptp(p, axis=1) > SAME
        )
        return 1 - unexplained
    covariance = (p_off * q_off).sum(axis=1)
    variances = (p_off**2).sum(axis=1) * (q_off**2).sum(axis=1)
    varying = (np.ptp(p, axis=1) > SAME) & (np.ptp(q, axis=1) > SAME)
    squared: Floats = np.divide(covariance**2, variances, out=np.zeros(len(p)), where=varying)
    # Rounding gives 1 + 2e-16 for some perfectly correlated rows.
    capped: Floats = np.minimum(squared, 1.0)
    return capped
