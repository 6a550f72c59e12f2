"""What holds for every strategy, and how one is found and declared."""

import dataclasses
import importlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.errors import UserError
from ambi_tasks.strategies import StrategyFields, all_strategies, combine, get_strategy, strategy
from ambi_tasks.strategies.evidence import Evidence
from ambi_tasks.strategies.fields import PooledFields
from ambi_tasks.strategies.registry import _STRATEGIES
from ambi_tasks.strategies.weights import equal_weights
from tests.strategies.candidates import (
    CLASSES,
    FAILED,
    NAMES,
    any_candidate,
    fields_of,
    predict,
    read,
)

every_strategy = pytest.mark.parametrize("name", NAMES)
several = st.lists(any_candidate(), min_size=1, max_size=6)
reordered = several.flatmap(
    lambda found: st.tuples(st.just(found), st.permutations(range(len(found))))
)


def test_there_are_eight() -> None:
    assert {"almv", "bon", "cot", "direct", "sc", "tlr", "walmv", "wbon"} <= set(NAMES)
    for name, known in all_strategies().items():
        assert known.name == name


@every_strategy
@given(candidates=st.lists(any_candidate() | st.just(FAILED), min_size=1, max_size=8))
def test_predictions_are_distributions_and_weights_sum_to_1(name, candidates):
    prediction = predict(name, candidates)
    assert len(prediction.distribution) == CLASSES
    assert sum(prediction.distribution) == pytest.approx(1.0, abs=1e-12)
    assert min(prediction.distribution) >= 0
    assert all(type(share) is float for share in prediction.distribution)
    assert prediction.answered == any(candidate is not FAILED for candidate in candidates)
    assert len(prediction.weights) == len(candidates)
    assert sum(prediction.weights) == pytest.approx(float(prediction.answered), abs=1e-12)
    for candidate, weight in zip(candidates, prediction.weights, strict=True):
        assert weight >= 0
        assert candidate is not FAILED or weight == 0


@every_strategy
@given(candidate=any_candidate(), failed=st.integers(0, 3))
def test_one_candidate_is_the_prediction(name, candidate, failed):
    prediction = predict(name, [FAILED] * failed + [candidate])
    assert prediction.distribution == pytest.approx(candidate.distribution, abs=1e-15)
    assert prediction.weights == (0.0,) * failed + (1.0,)


@every_strategy
@given(candidates=several, places=st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_failed_candidates_have_no_weight(name, candidates, places):
    with_failed = list(candidates)
    for place in places:
        with_failed.insert(place, FAILED)
    plain, mixed = predict(name, candidates), predict(name, with_failed)
    assert mixed.distribution == plain.distribution
    assert mixed.spread == plain.spread
    assert [weight for weight in mixed.weights if weight] == [w for w in plain.weights if w]


@every_strategy
@given(pair=reordered)
def test_the_order_of_the_candidates_changes_no_digit(name, pair):
    candidates, order = pair
    first, second = predict(name, candidates), predict(name, [candidates[at] for at in order])
    assert second.distribution == first.distribution
    assert second.spread == first.spread
    assert second.weights == tuple(first.weights[at] for at in order)


@every_strategy
@given(
    candidates=st.lists(any_candidate() | st.just(FAILED), min_size=30, max_size=64),
    order=st.randoms(use_true_random=False),
    exponent=st.floats(0, 1),
)
def test_nor_does_it_among_many(name, candidates, order, exponent):
    normalised = "length_normalisation" in fields_of(name).model_dump()
    values = {"length_normalisation": exponent} if normalised else {}
    places = list(range(len(candidates)))
    order.shuffle(places)
    first = predict(name, candidates, **values)
    second = predict(name, [candidates[at] for at in places], **values)
    assert second.weights == tuple(first.weights[at] for at in places)
    assert second.distribution == first.distribution


@every_strategy
@given(
    utterances=st.lists(
        st.lists(any_candidate() | st.just(FAILED), min_size=5, max_size=5), min_size=1, max_size=6
    )
)
def test_many_utterances_weigh_as_each_alone(name, utterances):
    chosen, fields = get_strategy(name), fields_of(name)
    apart = [Evidence.of(candidates) for candidates in utterances]
    together = chosen.weights(Evidence.stack(apart), fields)
    np.testing.assert_array_equal(together, [chosen.weights(one, fields) for one in apart])
    again = Evidence.stack(apart)[:, None, [0, 2]]
    np.testing.assert_array_equal(
        chosen.weights(again, fields)[:, 0],
        [chosen.weights(one[[0, 2]], fields) for one in apart],
    )


@every_strategy
@given(candidates=several, order=st.permutations(range(CLASSES)))
def test_permuting_the_classes_permutes_the_prediction(name, candidates, order):
    permuted = [
        dataclasses.replace(one, distribution=tuple(one.distribution[at] for at in order))
        for one in candidates
    ]
    first, second = predict(name, candidates), predict(name, permuted)
    assert second.distribution == tuple(first.distribution[at] for at in order)
    assert second.weights == first.weights
    assert second.spread == first.spread


@every_strategy
@given(candidates=several)
def test_equal_evidence_is_the_plain_mean(name, candidates):
    alike = [
        dataclasses.replace(one, log_likelihood=-3.0, tokens=7, score=6.0) for one in candidates
    ]
    prediction = predict(name, alike)
    mean = [
        sum(one.distribution[k] for one in alike) / len(alike)  # type: ignore[index]
        for k in range(CLASSES)
    ]
    assert prediction.distribution == pytest.approx(mean, abs=1e-12)
    assert prediction.weights == pytest.approx([1 / len(alike)] * len(alike), abs=1e-15)


@every_strategy
@given(candidate=any_candidate(), copies=st.integers(1, 5))
def test_copies_of_one_candidate_are_that_candidate(name, candidate, copies):
    prediction = predict(name, [candidate] * copies)
    assert prediction.distribution == pytest.approx(candidate.distribution, abs=1e-12)


@every_strategy
@pytest.mark.parametrize("draws", [1, 3])
def test_nothing_read_is_uniform_and_not_answered(name, draws):
    prediction = combine(get_strategy(name), fields_of(name), [FAILED] * draws, 5)
    assert prediction.distribution == (0.2,) * 5
    assert not prediction.answered
    assert prediction.spread is None
    assert prediction.weights == (0.0,) * draws


@every_strategy
def test_no_candidates_is_no_failed_answer(name):
    with pytest.raises(ValueError, match="no candidates"):
        combine(get_strategy(name), fields_of(name), [], CLASSES)


@every_strategy
@given(candidates=several)
def test_the_concentration_changes_the_spread_alone(name, candidates):
    low, high = (predict(name, candidates, concentration=c) for c in (0.5, 500))
    assert high.distribution == low.distribution
    assert high.weights == low.weights
    assert high.spread is not None
    assert low.spread is not None
    assert high.spread <= low.spread


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dirct", r"There is no strategy 'dirct'; did you mean 'direct'\?"),
        ("WBON", r"There is no strategy 'WBON'; did you mean 'wbon'\?"),
        ("xyzzy", r"There is no strategy 'xyzzy'; there are: almv, bon, .*, walmv, wbon\."),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UserError, match=message):
        get_strategy(name)


# --- declaring -----------------------------------------------------------------------------------


@pytest.fixture
def _as_it_was():
    """Forget what a test declares."""
    before = dict(all_strategies())
    yield
    _STRATEGIES.clear()
    _STRATEGIES.update(before)


@pytest.mark.usefixtures("_as_it_was")
def test_a_name_is_given_once():
    known = get_strategy("direct")
    with pytest.raises(ValueError, match="Two strategies are named 'direct'"):
        strategy("direct", StrategyFields)(lambda evidence, _: np.ones(evidence.readable.shape))
    with pytest.raises(ValueError, match=r"Two strategies are named 'direct': .*PooledFields"):
        strategy("direct", PooledFields)(equal_weights)
    assert get_strategy("direct") is known


@pytest.mark.parametrize("module", ["direct", "sc", "wbon", "tlr", "walmv"])
@pytest.mark.usefixtures("_as_it_was")
def test_a_module_can_be_loaded_again(module):
    get_strategy(module)
    importlib.reload(importlib.import_module(f"ambi_tasks.strategies.{module}"))
    prediction = predict(module, [read(0.25, 0.75, log_likelihood=-1.0)])
    assert prediction.distribution == (0.25, 0.75)


@pytest.mark.usefixtures("_as_it_was")
def test_a_new_strategy_is_one_function():
    @strategy("newest", StrategyFields)
    def newest(evidence, fields):
        del fields
        places = np.where(evidence.readable, np.arange(evidence.readable.shape[-1]), -1)
        return places == places.max(axis=-1, keepdims=True)

    fields = {"prompt": "direct", "label_order": "given", "concentration": 10}
    settings = get_strategy("newest").settings(fields)
    candidates = [read(1.0, 0.0), read(0.0, 1.0), FAILED]
    prediction = combine(get_strategy("newest"), settings, candidates, 2)
    assert prediction.distribution == (0.0, 1.0)
    assert prediction.weights == (0.0, 1.0, 0.0)


@pytest.mark.usefixtures("_as_it_was")
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.0, 0.0, 1.0], "negative, not finite, or all 0"),
        ([-1.0, 2.0, 0.0], "negative, not finite, or all 0"),
        ([math.nan, 1.0, 0.0], "negative, not finite, or all 0"),
        ([math.inf, 1.0, 0.0], "negative, not finite, or all 0"),
        ([1.0], r"of the shape \(1,\) for candidates of the shape \(3,\)"),
        ([[1.0, 1.0, 1.0]], r"of the shape \(1, 3\) for"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message):
    strategy("wrong", StrategyFields)(lambda *_: np.array(weights))
    candidates = [read(1.0, 0.0), read(0.0, 1.0), FAILED]
    with pytest.raises(ValueError, match=f"^The strategy 'wrong' gave weights .*{message}"):
        combine(get_strategy("wrong"), fields_of("direct"), candidates, 2)


@pytest.mark.usefixtures("_as_it_was")
@pytest.mark.parametrize("ignored", [math.nan, math.inf, -1.0])
def test_what_is_given_to_candidates_that_could_not_be_read_does_not_count(ignored):
    strategy("masked", StrategyFields)(lambda *_: np.array([1.0, ignored, 3.0]))
    candidates = [read(1.0, 0.0), FAILED, read(0.0, 1.0)]
    prediction = combine(get_strategy("masked"), fields_of("direct"), candidates, 2)
    assert prediction.weights == (0.25, 0.0, 0.75)
