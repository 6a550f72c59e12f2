import math

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

from ambi_tasks.metrics import get_metric, wasserstein_distance
from ambi_tasks.metrics.wasserstein import _POSITIONS, _position

from .pairs import EMOTIONS, labels_of, pairs


def cheapest_plan(p, q, labels):
    """The linear programme over all plans, solved by scipy."""
    points = np.array([_position(label) for label in labels])
    count = len(points)
    rows = np.kron(np.eye(count), np.ones(count))
    columns = np.kron(np.ones(count), np.eye(count))
    found = linprog(
        cdist(points, points).ravel(),
        A_eq=np.vstack([rows, columns]),
        b_eq=np.concatenate([p, q]),
        method="highs-ds",
    )
    assert found.success
    return found.fun


@settings(max_examples=30)
@given(pair=pairs())
def test_equals_scipys_linear_programme(pair):
    labels = labels_of(pair[0])
    expected = [cheapest_plan(p, q, labels) for p, q in zip(*pair, strict=True)]

    values = wasserstein_distance(*pair, labels=labels)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_all_seven_emotions():
    votes = np.random.default_rng(3).multinomial(9, np.full(7, 1 / 7), size=(2, 20)) / 9
    values = wasserstein_distance(*votes, labels=EMOTIONS)

    expected = [cheapest_plan(p, q, EMOTIONS) for p, q in zip(*votes, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_between_certain_rows_it_is_the_distance_of_the_emotions():
    count = len(EMOTIONS)
    points = np.array([_position(label) for label in EMOTIONS])
    for k in range(count):
        values = wasserstein_distance(np.eye(count)[[k] * count], np.eye(count), labels=EMOTIONS)
        np.testing.assert_allclose(values, cdist(points[[k]], points)[0], rtol=0, atol=1e-12)


def test_by_hand():
    # Half stays; half goes from the origin to (0.81, 0.51).
    value = wasserstein_distance([[1, 0]], [[0.5, 0.5]], labels=["Neutral", "happy"])[0]

    assert value == pytest.approx(math.hypot(0.81, 0.51) / 2, rel=0, abs=1e-15)


@given(pair=pairs())
def test_symmetric(pair):
    labels = labels_of(pair[0])
    there = wasserstein_distance(*pair, labels=labels)

    np.testing.assert_allclose(
        wasserstein_distance(*reversed(pair), labels=labels), there, rtol=0, atol=1e-12
    )


def test_labels_of_one_emotion_are_one_place():
    labels = ["happy", "Happiness", "sad"]
    values = wasserstein_distance([[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]], labels=labels)

    assert values == pytest.approx([0, math.hypot(1.44, 0.78)], rel=0, abs=1e-12)


def test_the_docstring_names_every_position():
    text = " ".join(wasserstein_distance.__doc__.replace("-\n", "-").split())
    for name, (pleasure, arousal) in _POSITIONS.items():
        if name != "neutral":
            assert f"{name} ({pleasure:.2f}, {arousal:.2f})" in text


def test_a_label_without_a_position_is_no_guess():
    with pytest.raises(ValueError, match=r"^The label 'other' has no position of valence and arou"):
        wasserstein_distance([[1, 0]], [[0, 1]], labels=["sad", "other"])
    metric = get_metric("wasserstein")
    assert "'other' has no position" in metric.misfit(["sad", "other"])
    assert metric.misfit(["sad", "happy"]) is None
    assert get_metric("js").misfit(["sad", "other"]) is None


def test_labels_must_be_as_many_as_classes():
    with pytest.raises(ValueError, match=r"^There are 1 labels for 2 classes\.$"):
        wasserstein_distance([[1, 0]], [[0, 1]], labels=["sad"])
