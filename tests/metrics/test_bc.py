import math

import numpy as np
import pytest
from hypothesis import given

from ambi_tasks.metrics import bhattacharyya

from .pairs import WEIGHTS, pairs


@given(pair=pairs())
def test_equals_the_sum_in_plain_python(pair):
    expected = [
        math.fsum(math.sqrt(p * q) for p, q in zip(*rows, strict=True))
        for rows in zip(*pair, strict=True)
    ]

    np.testing.assert_allclose(bhattacharyya(*pair), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        ([0.25, 0.75], [0.25, 0.75], 1),
        ([1, 0, 0], [0, 0.5, 0.5], 0),
        ([1, 0], [0.25, 0.75], 0.5),
        ([0.5, 0.5, 0], [0, 0.5, 0.5], 0.5),
        ([1], [1], 1),
    ],
)
def test_by_hand(truth, prediction, expected):
    assert bhattacharyya([truth], [prediction])[0] == pytest.approx(expected, rel=0, abs=1e-15)


@given(pair=pairs(WEIGHTS))
def test_symmetric(pair):
    np.testing.assert_array_equal(bhattacharyya(*pair), bhattacharyya(*reversed(pair)))
