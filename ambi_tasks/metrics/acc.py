"""Accuracy of the most probable class."""

from typing import Literal

from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.rows import most_probable
from ambi_tasks.metrics.validation import Floats, distributions


@metric(name="acc", higher_is_better=True, bounds=(0.0, 1.0))
def accuracy(
    truth: ArrayLike, prediction: ArrayLike, *, ties: Literal["expected", "first"] = "expected"
) -> Floats:
    """Accuracy: whether the prediction's most probable class is one of the truth's.

    acc(p, q) = |A(p) & A(q)| / |A(q)|, where A(.) is the set of the most probable classes: those
    within 1e-9 of the largest probability. In [0, 1], higher is better. Not symmetric.

    Where the annotators tie, each of their classes is right. Where the prediction ties, the default
    is the expected accuracy of a random choice among its classes: a uniform prediction scores
    |A(p)| / K, whatever the order of the labels.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.
        ties: What a tie in the prediction counts. "expected": the share of its classes that are
            right. "first": 0 or 1, by the class of the lowest index, as argmax does.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape, or `ties` is unknown.

    Source:
        The usual accuracy, on sets; "first" is that of scikit-learn's `accuracy_score` on argmax
        labels where the truth does not tie.

    >>> truth = [[0.5, 0.5, 0.0], [0.2, 0.7, 0.1]]
    >>> accuracy(truth, [[0.1, 0.9, 0.0], [0.4, 0.4, 0.2]])
    array([1. , 0.5])
    >>> accuracy(truth, [[0.1, 0.9, 0.0], [0.4, 0.4, 0.2]], ties="first")
    array([1., 0.])
    """
    if ties not in {"expected", "first"}:
        raise ValueError(f"ties is '{ties}', but must be 'expected' or 'first'.")
    p, q = distributions(truth, prediction)
    right, chosen = most_probable(p), most_probable(q)
    if ties == "first":
        chosen &= chosen.cumsum(axis=1) == 1  # only the first True of a row is its own count
    share: Floats = (right & chosen).sum(axis=1) / chosen.sum(axis=1)
    return share
