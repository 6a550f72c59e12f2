"""Coefficient of determination of each class's share over the utterances."""

import math

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import Floats, distributions

_CONSTANT = 1e-12
"""The largest variance of a share that counts as none: sums leave about 1e-16 of rounding noise,
and one vote of a hundred in one utterance of 200,000 makes 5e-10."""


def _statistics(truth: ArrayLike, prediction: ArrayLike) -> Floats:
    """Per utterance: 1, then p, p^2 and (p - q)^2 of each class; (N, 1 + 3 K)."""
    p, q = distributions(truth, prediction)
    return np.hstack([np.ones((len(p), 1)), p, p**2, (p - q) ** 2])


def _from_sums(sums: Floats) -> Floats:
    means, squares, errors = np.split(sums[..., 1:] / sums[..., :1], 3, axis=-1)
    variances = squares - means**2
    varying = variances > _CONSTANT
    explained = 1 - np.divide(errors, variances, out=np.ones_like(errors), where=varying)
    mean: Floats = explained.sum(axis=-1) / np.maximum(varying.sum(axis=-1), 1)
    return mean


@metric(
    name="r2_class",
    higher_is_better=True,
    bounds=(-math.inf, 1.0),
    level="corpus",
    statistics=_statistics,
    from_sums=_from_sums,
)
def class_determination(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Coefficient of determination: how much of a class's share the model foretells, over classes.

    R2_k = 1 - sum_i (p_ik - q_ik)^2 / sum_i (p_ik - mean_i p_ik)^2 over the utterances i, as the
    mean over the classes k whose share in the votes varies (by a variance above 1e-12). At most 1,
    higher is better, not bounded below: 0 for one who always predicts the corpus's mean
    distribution, negative for who does worse, and 0 where no share varies. Not symmetric.

    `r2` asks whether an utterance's classes have the right profile, this whether a class rises and
    falls with the utterances: a model deaf to the clips may have a high `r2`, but here at most 0.
    Rare classes count as much as frequent ones, and one that is predicted where it never occurs
    weighs heavily.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.

    Returns:
        One value of all utterances.

    Raises:
        ValueError: The arrays are not distributions of one shape.

    Source:
        S. Wright, "Correlation and causation", Journal of Agricultural Research 20(7), 1921, for
        the coefficient; the mean over classes is that of scikit-learn's
        `r2_score(..., multioutput="uniform_average")`, but for classes whose share is constant.

    >>> truth = [[1.0, 0.0], [0.0, 1.0]]
    >>> class_determination(truth, [[0.75, 0.25], [0.25, 0.75]])
    0.75
    >>> class_determination(truth, [[0.5, 0.5], [0.5, 0.5]])
    0.0
    """
    return float(_from_sums(_statistics(truth, prediction).sum(axis=0)))
