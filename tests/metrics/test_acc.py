import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from ambi_tasks.metrics import accuracy

from .pairs import normal, pairs

TABLE = [
    # truth, prediction, "expected", "first"
    ([0.2, 0.7, 0.1], [0.1, 0.8, 0.1], 1, 1),
    ([0.2, 0.7, 0.1], [0.8, 0.1, 0.1], 0, 0),
    ([0.5, 0.5, 0.0], [0.8, 0.1, 0.1], 1, 1),
    ([0.5, 0.5, 0.0], [0.1, 0.8, 0.1], 1, 1),
    ([0.5, 0.5, 0.0], [0.1, 0.1, 0.8], 0, 0),
    ([0.2, 0.7, 0.1], [0.4, 0.4, 0.2], 1 / 2, 0),
    ([0.7, 0.2, 0.1], [0.4, 0.4, 0.2], 1 / 2, 1),
    ([0.5, 0.5, 0.0], [0.2, 0.4, 0.4], 1 / 2, 1),
    ([0.1, 0.2, 0.7], [1 / 3, 1 / 3, 1 / 3], 1 / 3, 0),
    ([0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3], 2 / 3, 1),
    ([1 / 3, 1 / 3, 1 / 3], [0.1, 0.1, 0.8], 1, 1),
    # Equal but for rounding: 0.1 + 0.2 is the larger of the two floats.
    ([0.3, 0.1 + 0.2, 0.4 / 2, 0.2], [1, 0, 0, 0], 1, 1),
    ([1, 0, 0, 0], [0.3, 0.1 + 0.2, 0.2, 0.2], 1 / 2, 1),
    ([1], [1], 1, 1),
]


@pytest.mark.parametrize(("truth", "prediction", "expected", "first"), TABLE)
def test_by_hand(truth, prediction, expected, first):
    assert accuracy([truth], [prediction])[0] == pytest.approx(expected, rel=0, abs=1e-15)
    assert accuracy([truth], [prediction], ties="first")[0] == first


@given(pair=pairs(st.integers(0, 10**6)))
def test_first_equals_sklearn_on_argmax_labels_where_the_truth_has_no_tie(pair):
    truth, prediction = pair
    alone = (truth == truth.max(axis=1, keepdims=True)).sum(axis=1) == 1
    if alone.any():
        labels = truth[alone].argmax(axis=1), prediction[alone].argmax(axis=1)

        mean = accuracy(truth[alone], prediction[alone], ties="first").mean()
        assert mean == pytest.approx(accuracy_score(*labels), rel=0, abs=1e-12)


@given(pair=pairs())
def test_expected_is_the_mean_over_every_way_to_break_the_ties(pair):
    truth, prediction = pair
    for p, q, value in zip(truth, prediction, accuracy(truth, prediction), strict=True):
        ways = [p[k] == p.max() for k in range(len(q)) if q[k] == q.max()]
        assert value == pytest.approx(np.mean(ways), rel=0, abs=1e-12)


@given(truth=pairs().map(lambda pair: pair[0]))
def test_a_uniform_prediction_scores_the_share_of_right_classes(truth):
    right = (truth == truth.max(axis=1, keepdims=True)).mean(axis=1)

    uniform = normal(np.ones_like(truth))
    np.testing.assert_allclose(accuracy(truth, uniform), right, rtol=0, atol=1e-12)


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match=r"^ties is 'last', but must be 'expected' or 'first'\.$"):
        accuracy([[1, 0]], [[0, 1]], ties="last")
