"""Overlap of the two most probable classes."""

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import SAME, Flags, Floats, distributions


@metric(name="top2", higher_is_better=True, bounds=(0.0, 1.0))
def top2_overlap(truth: ArrayLike, prediction: ArrayLike) -> Floats:
    """How many of the prediction's two most probable classes are among the truth's two.

    |T(p) & T(q)| / 2, where T(.) is the set of the two most probable classes. In [0, 1], higher is
    better. Not symmetric where probabilities tie; equal are those within 1e-9 of each other.

    Where the truth's two are not unique, every choice of them is right, and the one nearest to the
    prediction's counts: where the annotators agree on one class, any second class will do. Where
    the prediction's are not, the value is the mean over all choices, which is independent of the
    order of the labels. So with K classes the uniform prediction scores 1/2 + 1/K where the
    annotators agree. With one or two classes the value is always 1.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape.

    Source:
        This benchmark's own. Without ties it is the recall of the two most probable classes, as
        scikit-learn's `recall_score(..., average="samples")` has it.

    >>> truth = [[0.5, 0.4, 0.1], [1.0, 0.0, 0.0]]
    >>> top2_overlap(truth, [[0.1, 0.3, 0.6], [0.1, 0.3, 0.6]])
    array([0.5, 0.5])
    >>> top2_overlap([[1.0, 0.0, 0.0]], [[0.9, 0.1, 0.0]])
    array([1.])
    """
    p, q = distributions(truth, prediction)
    count = p.shape[1]
    if count == 1:
        return np.ones(len(p))
    pairs = np.zeros((count * (count - 1) // 2, count))
    for row, pair in zip(pairs, combinations(range(count), 2), strict=True):
        row[list(pair)] = 1
    right, chosen = _top_pairs(p), _top_pairs(q)
    overlap = pairs @ pairs.T / 2
    best = np.zeros(right.shape)
    for column, shared in enumerate(overlap):
        np.maximum(best, right[:, column, None] * shared, out=best)
    mean: Floats = (best * chosen).sum(axis=1) / chosen.sum(axis=1)
    return mean


def _top_pairs(p: Floats) -> Flags:
    """Which pairs of classes may be called the two most probable, (N, pairs)."""
    second = np.sort(p, axis=1)[:, -2, None]
    may, must = p >= second - SAME, p > second + SAME
    first, other = np.array(list(combinations(range(p.shape[1]), 2))).T
    whole: Flags = must[:, first].astype(int) + must[:, other] == must.sum(axis=1, keepdims=True)
    return may[:, first] & may[:, other] & whole
