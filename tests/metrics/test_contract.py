"""What every metric on distributions promises; a new one is covered by being registered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.metrics import all_metrics

from .pairs import WEIGHTS, normal, pairs

pytestmark = pytest.mark.parametrize(
    "metric",
    [metric for metric in all_metrics().values() if metric.needs == "distributions"],
    ids=lambda metric: metric.name,
)


@given(pair=pairs() | pairs(WEIGHTS))
def test_one_finite_value_within_the_bounds_per_utterance(metric, pair):
    values = metric.function(*pair)
    low, high = metric.bounds

    assert values.shape == (len(pair[0]),)
    assert values.dtype == np.float64
    assert np.all((low <= values) & (values <= high))


@given(pair=pairs(), data=st.data())
def test_the_order_of_the_classes_does_not_matter(metric, pair, data):
    truth, prediction = pair
    order = data.draw(st.permutations(range(truth.shape[1])))

    np.testing.assert_allclose(
        metric.function(truth[:, order], prediction[:, order]),
        metric.function(truth, prediction),
        rtol=0,
        atol=1e-12,
    )


@given(pair=pairs())
def test_an_utterance_is_scored_as_if_alone(metric, pair):
    truth, prediction = pair
    alone = [metric.function(truth[i : i + 1], prediction[i : i + 1])[0] for i in range(len(truth))]

    np.testing.assert_array_equal(metric.function(truth, prediction), alone)


@given(truth=pairs().map(lambda pair: pair[0]))
def test_the_perfect_prediction_has_the_best_value(metric, truth):
    varying = truth[np.ptp(truth, axis=1) > 0]  # a constant truth has no correlation: see test_r2
    best = metric.bounds[1] if metric.higher_is_better else metric.bounds[0]

    if len(varying):
        np.testing.assert_allclose(metric.function(varying, varying), best, rtol=0, atol=1e-12)


@given(pair=pairs())
def test_arguments_stay_as_they_were(metric, pair):
    before = [array.copy() for array in pair]
    metric.function(*pair)

    np.testing.assert_array_equal(pair, before)


def test_float32_and_lists_are_taken(metric):
    truth, prediction = normal([[3, 1, 1]]), normal([[1, 5, 1]])
    exact = metric.function(truth, prediction)

    assert metric.function(truth.tolist(), prediction.tolist()) == exact
    single = metric.function(truth.astype(np.float32), prediction.astype(np.float32))
    np.testing.assert_allclose(single, exact, rtol=0, atol=1e-6)


def test_bad_input_is_refused(metric):
    good = [[0.5, 0.5]]

    with pytest.raises(ValueError, match=r"^prediction, row 0, does not sum to 1"):
        metric.function(good, [[0.5, 0.4]])
    with pytest.raises(ValueError, match=r"^truth has the shape \(0, 2\), but must be \(N, K\)"):
        metric.function(np.zeros((0, 2)), np.zeros((0, 2)))
