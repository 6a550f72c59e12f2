"""F1 of the most probable class, the mean over utterances' classes."""

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.f1_counts import Ties, class_counts, class_scores
from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import Floats


def _from_sums(sums: Floats) -> Floats:
    scores, _, true = class_scores(sums)
    total = true.sum(axis=-1)
    weighted: Floats = np.divide(
        (scores * true).sum(axis=-1), total, out=np.zeros_like(total), where=total > 0
    )
    return weighted


@metric(
    name="f1_weighted",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    level="corpus",
    statistics=class_counts,
    from_sums=_from_sums,
)
def weighted_f1(truth: ArrayLike, prediction: ArrayLike, *, ties: Ties = "expected") -> float:
    """Weighted F1: the F1 score of the most probable class, weighted by the classes' frequency.

    sum_k true_k F1_k / sum_k true_k with F1_k = 2 right_k / (predicted_k + true_k), counted over
    the utterances whose most probable class by the annotators is unique; the others are left out.
    In [0, 1], higher is better: frequent classes count more than rare ones. 0 where no utterance
    counts. Not symmetric; equal are probabilities within 1e-9 of each other.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.
        ties: What a tie in the prediction counts. "expected": one m-th of a prediction for each of
            the m most probable classes. "first": one for that of the lowest index, as argmax does.

    Returns:
        One value of all utterances.

    Raises:
        ValueError: The arrays are not distributions of one shape, or `ties` is unknown.

    Source:
        C. J. van Rijsbergen, "Information Retrieval", 2nd edition, Butterworths, 1979, for F;
        weights as in scikit-learn's `f1_score(..., average="weighted")`.

    >>> truth = [[0.8, 0.2], [0.6, 0.4], [0.5, 0.5]]
    >>> round(weighted_f1(truth, [[1.0, 0.0], [0.3, 0.7], [1.0, 0.0]]), 4)
    0.6667
    """
    return float(_from_sums(class_counts(truth, prediction, ties=ties).sum(axis=0)))
