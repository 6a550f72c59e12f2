import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.metrics import mean_absolute_error

from ambi_tasks.metrics import entropy_error

from .pairs import WEIGHTS, pairs


@given(pair=pairs(), base=st.sampled_from([2.0, np.e, 10.0]))
def test_equals_scipys_entropies_and_sklearns_mean_error(pair, base):
    truth, prediction = (entropy(rows, base=base, axis=1) for rows in pair)
    values = entropy_error(*pair, base=base)

    np.testing.assert_allclose(values, np.abs(truth - prediction), rtol=0, atol=1e-12)
    mean = mean_absolute_error(truth, prediction)
    assert values.mean() == pytest.approx(mean, rel=0, abs=1e-12)


@given(pair=pairs(WEIGHTS))
def test_symmetric_and_at_most_the_largest_entropy(pair):
    values = entropy_error(*pair)

    np.testing.assert_array_equal(values, entropy_error(*reversed(pair)))
    assert np.all(values <= np.log2(pair[0].shape[1]) + 1e-12)


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [([1, 0, 0, 0], [0.25] * 4, 2), ([0.5, 0.5], [0, 1], 1), ([0.2, 0.8], [0.8, 0.2], 0)],
)
def test_by_hand(truth, prediction, expected):
    assert entropy_error([truth], [prediction])[0] == pytest.approx(expected, rel=0, abs=1e-15)


@pytest.mark.parametrize("base", [1, 0, -2, np.inf, np.nan])
def test_a_base_of_no_use_is_refused(base):
    with pytest.raises(ValueError, match=r"^base is .*, but must be a finite number above 1\.$"):
        entropy_error([[1, 0]], [[0, 1]], base=base)
