import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from ambi_tasks.metrics import kl_divergence

from .pairs import WEIGHTS, pairs


def smooth(rows, weight):
    return (1 - weight) * rows + weight / rows.shape[1]


@given(
    pair=pairs(), base=st.sampled_from([2.0, np.e, 10.0]), weight=st.sampled_from([0.01, 0.5, 1])
)
def test_equals_scipys_relative_entropy_of_smoothed_rows(pair, base, weight):
    truth, prediction = (smooth(rows, weight) for rows in pair)
    options = {"base": base, "smoothing": weight}

    forward = entropy(truth, prediction, base=base, axis=1)
    np.testing.assert_allclose(kl_divergence(*pair, **options), forward, rtol=0, atol=1e-12)
    reverse = entropy(prediction, truth, base=base, axis=1)
    np.testing.assert_allclose(
        kl_divergence(*pair, **options, direction="reverse"), reverse, rtol=0, atol=1e-12
    )


@given(pair=pairs(WEIGHTS))
def test_never_above_the_bound_that_smoothing_sets(pair):
    classes = pair[0].shape[1]

    assert np.all(kl_divergence(*pair) <= np.log2(1 + classes * 0.99 / 0.01) + 1e-12)


def test_by_hand():
    # p' = (3/4, 1/4), q' = (1/4, 3/4): 3/4 log2 3 - 1/4 log2 3.
    value = kl_divergence([[1, 0]], [[0, 1]], smoothing=0.5)[0]

    assert value == pytest.approx(np.log2(3) / 2, rel=0, abs=1e-15)


@pytest.mark.parametrize("smoothing", [0, -0.1, 1.1, np.nan])
def test_smoothing_that_is_none(smoothing):
    with pytest.raises(ValueError, match=r"^smoothing is .*, but must be above 0 and at most 1\.$"):
        kl_divergence([[1, 0]], [[0, 1]], smoothing=smoothing)


def test_other_options_of_no_use():
    with pytest.raises(ValueError, match=r"^direction is 'up', but must be 'forward' or 'reverse'"):
        kl_divergence([[1, 0]], [[0, 1]], direction="up")
    with pytest.raises(ValueError, match=r"^base is 1"):
        kl_divergence([[1, 0]], [[0, 1]], base=1)
