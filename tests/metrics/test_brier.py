import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import sqeuclidean
from sklearn.metrics import brier_score_loss

from ambi_tasks.metrics import brier_score

from .pairs import WEIGHTS, normal, pairs


@given(pair=pairs())
def test_equals_scipys_squared_distance(pair):
    expected = [sqeuclidean(*rows) for rows in zip(*pair, strict=True)]

    np.testing.assert_allclose(brier_score(*pair), expected, rtol=0, atol=1e-12)


@given(votes=st.lists(st.integers(1, 9), min_size=2, max_size=2), label=st.integers(0, 1))
def test_twice_sklearns_score_of_one_class_where_there_are_two(votes, label):
    prediction = normal([votes])
    half = brier_score_loss([label], prediction[:, 1], pos_label=1)

    value = brier_score(np.eye(2)[[label]], prediction)[0]
    assert value == pytest.approx(2 * half, rel=0, abs=1e-12)


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        ([1, 0], [0, 1], 2),
        ([0.5, 0.5], [1, 0], 0.5),
        ([0.5, 0.25, 0.25], [0.25, 0.5, 0.25], 0.125),
        ([1], [1], 0),
    ],
)
def test_by_hand(truth, prediction, expected):
    assert brier_score([truth], [prediction])[0] == expected


@given(pair=pairs(WEIGHTS))
def test_symmetric(pair):
    np.testing.assert_array_equal(brier_score(*pair), brier_score(*reversed(pair)))
