import numpy as np
import pytest
from hypothesis import given
from scipy.stats import pearsonr
from sklearn.metrics import r2_score

from ambi_tasks.metrics import r_squared

from .pairs import WEIGHTS, pairs


def reference(truth, prediction):
    if np.ptp(truth) < 1e-6 or np.ptp(prediction) < 1e-6:  # different votes differ by far more
        return 0.0
    return pearsonr(truth, prediction).statistic ** 2


@given(pair=pairs(min_classes=2))
def test_equals_scipy(pair):
    expected = [reference(*rows) for rows in zip(*pair, strict=True)]

    np.testing.assert_allclose(r_squared(*pair), expected, rtol=0, atol=1e-12)


@given(pair=pairs(WEIGHTS))
def test_symmetric(pair):
    np.testing.assert_array_equal(r_squared(*pair), r_squared(*reversed(pair)))


@pytest.mark.parametrize("classes", range(1, 12))
def test_exactly_zero_where_either_is_constant(classes):
    uniform = [[1 / classes] * classes]
    noisy = [[1 / classes + 1e-11 * (k % 2) for k in range(classes)]]
    certain = [[1.0] + [0.0] * (classes - 1)]

    for constant in (uniform, noisy):
        assert r_squared(constant, certain)[0] == 0
        assert r_squared(certain, constant)[0] == 0
        assert r_squared(constant, constant)[0] == 0


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        ([0.5, 0.5, 0.0], [0.5, 0.0, 0.5], 1 / 4),
        ([0.6, 0.3, 0.1], [0.6, 0.3, 0.1], 1),
        ([0.5, 0.0, 0.5, 0.0], [0.0, 0.0, 0.5, 0.5], 0),
        # The opposite ranking, and any two classes: the square forgets the sign.
        ([0.5, 0.3, 0.2], [1 / 6, 11 / 30, 14 / 30], 1),
        ([0.9, 0.1], [0.4, 0.6], 1),
    ],
)
def test_by_hand(truth, prediction, expected):
    assert r_squared([truth], [prediction])[0] == pytest.approx(expected, rel=0, abs=1e-12)


@given(pair=pairs(min_classes=2))
def test_determination_equals_sklearn(pair):
    expected = [0.0 if np.ptp(p) < 1e-6 else r2_score(p, q) for p, q in zip(*pair, strict=True)]

    np.testing.assert_allclose(r_squared(*pair, form="determination"), expected, rtol=0, atol=1e-12)


def test_determination_by_hand():
    value = r_squared([[1.0, 0.0]] * 3, [[1, 0], [0.5, 0.5], [0, 1]], form="determination")

    np.testing.assert_array_equal(value, [1, 0, -3])


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match=r"^form is 'other', but must be 'correlation' or"):
        r_squared([[1, 0]], [[0, 1]], form="other")
