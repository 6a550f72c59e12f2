import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from ambi_tasks.metrics import jensen_shannon

from .pairs import WEIGHTS, normal, pairs

close = pytest.approx


@given(pair=pairs(), base=st.sampled_from([2.0, np.e, 10.0]))
def test_equals_scipy(pair, base):
    distance = jensenshannon(*pair, base=base, axis=1)

    np.testing.assert_allclose(
        jensen_shannon(*pair, base=base), np.nan_to_num(distance) ** 2, rtol=0, atol=1e-12
    )


@given(pair=pairs())
def test_the_root_is_scipys_distance(pair):
    # The root of a rounding error of 1e-16 is 1e-8, so the squares are compared.
    root = jensen_shannon(*pair, root=True)

    np.testing.assert_array_equal(root, np.sqrt(jensen_shannon(*pair)))
    assert np.all(np.isfinite(root))


def test_by_hand():
    # m = (3/4, 1/4): KL(p || m) = log2(4/3); KL(q || m) = (log2(2/3) + log2(2)) / 2.
    expected = (np.log2(4 / 3) + (np.log2(2 / 3) + 1) / 2) / 2

    assert jensen_shannon([[1, 0]], [[0.5, 0.5]])[0] == close(expected, rel=0, abs=1e-15)


@given(pair=pairs(WEIGHTS))
def test_symmetric(pair):
    np.testing.assert_array_equal(jensen_shannon(*pair), jensen_shannon(*reversed(pair)))


@given(pair=pairs(WEIGHTS))
def test_exactly_zero_for_equal_rows_and_never_negative_near_them(pair):
    truth, _ = pair
    nearly = normal(truth * (1 + 1e-15 * np.arange(truth.shape[1])))

    assert not jensen_shannon(truth, truth).any()
    assert np.all(jensen_shannon(truth, nearly, root=True) >= 0)


def test_the_upper_bound_follows_the_base():
    assert jensen_shannon([[1, 0]], [[0, 1]], base=4)[0] == 0.5


def test_the_smallest_float_does_not_overflow():
    assert jensen_shannon([[5e-324, 1.0]], [[0.0, 1.0]])[0] == 0


@pytest.mark.parametrize("base", [1, 0, -2, 0.5, np.inf, np.nan])
def test_a_base_of_no_use_is_refused(base):
    with pytest.raises(ValueError, match=r"^base is .*, but must be a finite number above 1\.$"):
        jensen_shannon([[1, 0]], [[0, 1]], base=base)
