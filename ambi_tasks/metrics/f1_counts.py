"""What both F1 scores count."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.rows import most_probable
from ambi_tasks.metrics.validation import Floats, distributions

Ties = Literal["expected", "first"]


def class_counts(truth: ArrayLike, prediction: ArrayLike, *, ties: Ties = "expected") -> Floats:
    """Per utterance and class: rightly predicted, predicted, true; (N, 3 K).

    Args:
        truth: (N, K); where its most probable class is not unique, all counts are 0.
        prediction: (N, K).
        ties: What a tie in the prediction counts. "expected": one m-th of a prediction for each of
            the m most probable classes. "first": one for that of the lowest index, as argmax does.

    Raises:
        ValueError: The arrays are not distributions of one shape, or `ties` is unknown.
    """
    if ties not in {"expected", "first"}:
        raise ValueError(f"ties is '{ties}', but must be 'expected' or 'first'.")
    p, q = distributions(truth, prediction)
    true, chosen = most_probable(p), most_probable(q)
    if ties == "first":
        chosen &= chosen.cumsum(axis=1) == 1  # only the first True of a row is its own count
    unique = true.sum(axis=1, keepdims=True) == 1
    predicted = chosen / chosen.sum(axis=1, keepdims=True)
    counts: Floats = np.hstack([predicted * true, predicted, true]) * unique
    return counts


def class_scores(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """F1, predictions and true utterances of each class, (..., K) each.

    F1_k = 2 right_k / (predicted_k + true_k), and 0 where a class is neither predicted nor true.

    Args:
        sums: Of the counts, (..., 3 K).
    """
    right, predicted, true = np.split(sums, 3, axis=-1)
    both = predicted + true
    return np.divide(2 * right, both, out=np.zeros_like(both), where=both > 0), predicted, true
