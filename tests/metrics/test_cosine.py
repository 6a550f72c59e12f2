import numpy as np
import pytest
from hypothesis import given
from scipy.spatial.distance import cosine

from ambi_tasks.metrics import cosine_similarity

from .pairs import WEIGHTS, pairs


@given(pair=pairs())
def test_equals_scipy(pair):
    expected = [1 - cosine(*rows) for rows in zip(*pair, strict=True)]

    np.testing.assert_allclose(cosine_similarity(*pair), expected, rtol=0, atol=1e-12)


@given(pair=pairs(WEIGHTS))
def test_symmetric(pair):
    np.testing.assert_array_equal(cosine_similarity(*pair), cosine_similarity(*reversed(pair)))


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        ([1, 0], [0, 1], 0),
        ([1, 0], [0.5, 0.5], 1 / np.sqrt(2)),
        ([1, 0, 0, 0], [0.25] * 4, 0.5),
        ([0.5, 0.5, 0], [0, 0.5, 0.5], 0.5),
        ([1], [1], 1),
    ],
)
def test_by_hand(truth, prediction, expected):
    assert cosine_similarity([truth], [prediction])[0] == pytest.approx(expected, rel=0, abs=1e-15)
