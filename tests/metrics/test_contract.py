"""What every metric on distributions promises; a new one is covered by being registered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.metrics import all_metrics

from .pairs import WEIGHTS, corpora, labels_of, normal, pairs

OF_DISTRIBUTIONS = [one for one in all_metrics().values() if one.needs == "distributions"]


def each(level=None):
    return pytest.mark.parametrize(
        "metric",
        [one for one in OF_DISTRIBUTIONS if level in (None, one.level)],
        ids=lambda metric: metric.name,
    )


def close(metric, bound=1e-12):
    """Tolerances: values without a bound may be large, and are then as exact as their digits."""
    bounded = np.isfinite(metric.bounds).all()
    return {"rtol": 0 if bounded else 1e-10 + bound, "atol": bound}


def compute(metric, truth, prediction, names=None):
    return metric.compute(truth, prediction, labels=names or labels_of(np.asarray(truth)))


@each("utterance")
@given(pair=pairs() | pairs(WEIGHTS))
def test_one_finite_value_within_the_bounds_per_utterance(metric, pair):
    values = compute(metric, *pair)
    low, high = metric.bounds

    assert values.shape == (len(pair[0]),)
    assert values.dtype == np.float64
    assert np.all(np.isfinite(values))
    assert np.all((low <= values) & (values <= high))


@each("corpus")
@given(pair=corpora() | corpora(WEIGHTS))
def test_one_finite_value_within_the_bounds_of_all(metric, pair):
    value = compute(metric, *pair)
    low, high = metric.bounds

    assert type(value) is float
    assert np.isfinite(value)
    assert low <= value <= high


@each()
@given(pair=corpora(), data=st.data())
def test_the_order_of_the_classes_does_not_matter(metric, pair, data):
    truth, prediction = pair
    order = data.draw(st.permutations(range(truth.shape[1])))
    names = [labels_of(truth)[k] for k in order]

    np.testing.assert_allclose(
        compute(metric, truth[:, order], prediction[:, order], names),
        compute(metric, truth, prediction),
        **close(metric),
    )


@each("corpus")
@given(pair=corpora(), seed=st.integers(0, 99))
def test_the_order_of_the_utterances_does_not_matter(metric, pair, seed):
    order = np.random.default_rng(seed).permutation(len(pair[0]))
    shuffled = compute(metric, *(array[order] for array in pair))

    np.testing.assert_allclose(shuffled, compute(metric, *pair), **close(metric))


@each("utterance")
@given(pair=pairs())
def test_an_utterance_is_scored_as_if_alone(metric, pair):
    truth, prediction = pair
    alone = [compute(metric, truth[[i]], prediction[[i]])[0] for i in range(len(truth))]

    np.testing.assert_allclose(compute(metric, truth, prediction), alone, rtol=0, atol=1e-15)


@each("utterance")
@given(truth=pairs().map(lambda pair: pair[0]))
def test_the_perfect_prediction_has_the_best_value(metric, truth):
    varying = truth[np.ptp(truth, axis=1) > 0]  # a constant truth has no correlation: see test_r2
    best = metric.bounds[1] if metric.higher_is_better else metric.bounds[0]

    if len(varying):
        np.testing.assert_allclose(compute(metric, varying, varying), best, rtol=0, atol=1e-12)


@each("corpus")
@given(truth=corpora(min_classes=2).map(lambda pair: pair[0]))
def test_the_perfect_predictions_have_the_best_value(metric, truth):
    classes = truth.shape[1]
    # Entropies that vary, and a most probable class: else see the metrics' own tests.
    varying = np.vstack([truth, normal([[1] + [0] * (classes - 1), [2] + [1] * (classes - 1)])])
    best = metric.bounds[1] if metric.higher_is_better else metric.bounds[0]

    assert compute(metric, varying, varying) == pytest.approx(best, rel=0, abs=1e-12)


@each()
@given(pair=corpora())
def test_the_value_follows_from_the_sums_of_statistics(metric, pair):
    statistics = metric.sufficient(*pair, labels=labels_of(pair[0]))
    value = metric.value(statistics.sum(axis=0))

    assert statistics.shape[0] == len(pair[0])
    assert np.shape(value) == ()
    expected = np.mean(compute(metric, *pair))
    np.testing.assert_allclose(value, expected, **close(metric))


@each()
@given(pair=corpora(), seed=st.integers(0, 99))
def test_many_sums_at_once(metric, pair, seed):
    statistics = metric.sufficient(*pair, labels=labels_of(pair[0]))
    drawn = np.random.default_rng(seed).integers(len(statistics), size=(2, 3, len(statistics)))
    sums = statistics[drawn].sum(axis=2)
    values = metric.value(sums)

    assert values.shape == (2, 3)
    assert np.all(np.isfinite(values))
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(values[place], metric.value(sums[place]), **close(metric))
        if not metric.linearised:  # else see its own tests
            again = [array[drawn[place]] for array in pair]
            direct = np.mean(compute(metric, *again))
            np.testing.assert_allclose(values[place], direct, **close(metric))


@each()
@given(pair=pairs())
def test_arguments_stay_as_they_were(metric, pair):
    before = [array.copy() for array in pair]
    compute(metric, *pair)
    metric.sufficient(*pair, labels=labels_of(pair[0]))

    np.testing.assert_array_equal(pair, before)


@each()
def test_float32_and_lists_are_taken(metric):
    truth, prediction = normal([[3, 1, 1], [1, 1, 4]]), normal([[1, 5, 1], [1, 2, 5]])
    exact = compute(metric, truth, prediction)

    np.testing.assert_array_equal(compute(metric, truth.tolist(), prediction.tolist()), exact)
    single = compute(metric, truth.astype(np.float32), prediction.astype(np.float32))
    np.testing.assert_allclose(single, exact, **close(metric, 1e-6))


@each()
@pytest.mark.parametrize("way", ["compute", "sufficient"])
def test_bad_input_is_refused(metric, way):
    call = getattr(metric, way)
    good, names = [[0.5, 0.5]], ["happy", "sad"]

    with pytest.raises(ValueError, match=r"^prediction, row 0, does not sum to 1"):
        call(good, [[0.5, 0.4]], labels=names)
    with pytest.raises(ValueError, match=r"^truth has the shape \(0, 2\), but must be \(N, K\)"):
        call(np.zeros((0, 2)), np.zeros((0, 2)), labels=names)
    with pytest.raises(ValueError, match=r"^truth, row 0, holds NaN or infinity"):
        call([[np.nan, 1]], good, labels=names)
