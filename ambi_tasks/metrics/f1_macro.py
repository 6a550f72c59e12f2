"""F1 of the most probable class, the mean over classes."""

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.f1_counts import Ties, class_counts, class_scores
from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import Floats


def _from_sums(sums: Floats) -> Floats:
    scores, predicted, true = class_scores(sums)
    classes = (predicted + true > 0).sum(axis=-1)
    macro: Floats = scores.sum(axis=-1) / np.maximum(classes, 1)
    return macro


@metric(
    name="f1_macro",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    level="corpus",
    statistics=class_counts,
    from_sums=_from_sums,
)
def macro_f1(truth: ArrayLike, prediction: ArrayLike, *, ties: Ties = "expected") -> float:
    """Macro F1: the F1 score of the most probable class, as the mean over the classes.

    F1_k = 2 right_k / (predicted_k + true_k), counted over the utterances whose most probable class
    by the annotators is unique; the others are left out. The mean is over the classes that are
    predicted or true at least once. In [0, 1], higher is better: rare classes count as much as
    frequent ones. 0 where no utterance counts. Not symmetric where probabilities tie; equal are
    those within 1e-9 of each other.

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
        C. J. van Rijsbergen, "Information Retrieval", 2nd edition, Butterworths, 1979, for F; mean
        and classes as in scikit-learn's `f1_score(..., average="macro")`.

    >>> truth = [[0.8, 0.2], [0.6, 0.4], [0.5, 0.5]]
    >>> round(macro_f1(truth, [[1.0, 0.0], [0.3, 0.7], [1.0, 0.0]]), 4)
    0.3333
    """
    return float(_from_sums(class_counts(truth, prediction, ties=ties).sum(axis=0)))
