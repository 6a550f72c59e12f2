"""Hypothesis strategies for pairs of truth and prediction."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]

# Votes: ties, zeros and constant rows are frequent, and no two shares are nearly equal, so that
# independent references agree to 1e-12.
VOTES = st.integers(0, 9)
# Anything a softmax may give, down to the smallest float.
WEIGHTS = st.floats(0, 1) | st.sampled_from([0.0, 5e-324, 1e-300, 1e-12, 1.0])


@st.composite
def pairs(draw, numbers=VOTES, min_classes=1):
    """(truth, prediction), both (N, K)."""
    rows = draw(st.integers(1, 4))
    classes = draw(st.integers(min_classes, 6))
    row = st.lists(numbers, min_size=classes, max_size=classes).filter(lambda r: sum(r) > 1e-6)
    table = st.lists(row, min_size=rows, max_size=rows)
    return normal(draw(table)), normal(draw(table))


def normal(table) -> NDArray[np.float64]:
    array = np.array(table, dtype=np.float64)
    return array / array.sum(axis=1, keepdims=True)


EMOTIONS = ["neutral", "happy", "angry", "sad", "fear", "disgust", "surprise"]


def labels_of(array) -> list[str]:
    """Names of as many classes as the array has."""
    return EMOTIONS[: array.shape[1]]


@st.composite
def corpora(draw, numbers=VOTES, min_classes=1):
    """(truth, prediction) of up to 30 utterances: some scores are of many together."""
    classes = draw(st.integers(min_classes, 6))
    row = st.lists(numbers, min_size=classes, max_size=classes).filter(lambda r: sum(r) > 1e-6)
    rows = draw(st.lists(st.tuples(row, row), min_size=1, max_size=30))
    return normal([truth for truth, _ in rows]), normal([prediction for _, prediction in rows])
