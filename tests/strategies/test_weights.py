"""Weights that several strategies share."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.errors import UserError
from ambi_tasks.strategies.evidence import Evidence
from ambi_tasks.strategies.weights import (
    best_weights,
    equal_weights,
    log_likelihoods,
    normalised_log_likelihoods,
    softmax_weights,
    verifier_scores,
)
from tests.strategies.candidates import FAILED, fields_of, predict, read


def judged(scores):
    return Evidence.of([read(1.0, score=score) for score in scores])


def test_equal_weights():
    evidence = Evidence.of([read(1.0), FAILED, read(1.0)])
    assert equal_weights(evidence, fields_of("direct")).tolist() == [1, 0, 1]


@given(scores=st.lists(st.integers(-3, 3).map(float), min_size=1), order=st.randoms())
def test_best_weights_do_not_depend_on_the_order(scores, order):
    shuffled = list(scores)
    order.shuffle(shuffled)
    weights = dict(zip(scores, best_weights(np.array(scores)).tolist(), strict=True))
    assert best_weights(np.array(shuffled)).tolist() == [weights[score] for score in shuffled]
    assert [score for score, weight in weights.items() if weight] == [max(scores)]


@pytest.mark.filterwarnings("error")
@given(
    scores=st.lists(st.floats(max_value=0, allow_infinity=True), min_size=1, max_size=9),
    temperature=st.floats(1e-308, 1e308),
)
def test_softmax_weights_never_overflow(scores, temperature):
    weights = softmax_weights(np.array(scores), temperature)
    assert ((weights >= 0) & (weights <= 1)).all()
    assert weights.max() == 1


@pytest.mark.filterwarnings("error")
def test_softmax_of_the_impossible():
    scores = np.array([[-math.inf, -1.0, -math.inf], [-math.inf] * 3])
    assert softmax_weights(scores, 1.0).tolist() == [[0, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("tokens", "exponent", "value"),
    [(4, 0, -8.0), (4, 0.5, -4.0), (4, 1, -2.0), (math.nan, 0, -8.0), (0, 1, -8.0), (1, 1, -8.0)],
)
def test_normalised_log_likelihoods(tokens, exponent, value):
    found = normalised_log_likelihoods(np.array([[-8.0]]), np.array([[tokens]]), exponent)
    assert found.tolist() == [[value]]


def test_log_likelihoods_are_in_the_order_of_the_candidates():
    evidence = Evidence.of(
        [
            read(1.0, log_likelihood=-6.0, tokens=3),
            FAILED,
            read(1.0, log_likelihood=-1.0, tokens=2),
        ]
    )
    assert log_likelihoods(evidence, 0).tolist() == [-6, -math.inf, -1]
    assert log_likelihoods(evidence, 1).tolist() == [-2, -math.inf, -0.5]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tokens": 3}, "without its log-likelihood"),
        ({"log_likelihood": -1.0}, "without its number of tokens"),
        ({"log_likelihood": math.nan, "tokens": 3}, "cannot be nan"),
        ({"log_likelihood": math.inf, "tokens": 3}, "cannot be inf"),
    ],
)
def test_one_candidate_of_many_utterances_that_lacks_its_evidence(wrong, message):
    sound = read(1.0, log_likelihood=-1.0, tokens=2)
    evidence = Evidence.stack(
        [Evidence.of([sound, sound]), Evidence.of([sound, read(1.0, **wrong)])]
    )
    with pytest.raises(UserError, match=message):
        log_likelihoods(evidence, 0.5)
    assert log_likelihoods(evidence[:1], 0.5).shape == (1, 2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("scores", "filled"),
    [
        ([8, None, 4], [8, 6, 4]),
        ([None, None], [1.0, 1.0]),
        ([0, None], [0, 0]),
        ([3], [3]),
        ([0.1, 0.2, 0.3, None], [0.1, 0.2, 0.3, 0.6 / 3]),
    ],
)
def test_verifier_scores(scores, filled):
    assert verifier_scores(judged(scores)) == pytest.approx(np.array(filled))


def test_verifier_scores_of_several_utterances():
    evidence = Evidence.stack([judged([8, None, 4]), judged([None] * 3), judged([1, 2, 3])])
    assert verifier_scores(evidence).tolist() == [[8, 6, 4], [1, 1, 1], [1, 2, 3]]


def test_a_candidate_that_could_not_be_read_has_no_score_and_counts_for_no_mean():
    evidence = Evidence.of([read(1.0, score=2), FAILED, read(1.0), read(1.0, score=4)])
    assert verifier_scores(evidence).tolist() == [2, -math.inf, 3, 4]


@given(score=st.floats(0, 10), times=st.integers(1, 40), missing=st.integers(1, 3))
def test_the_mean_of_equal_scores_is_that_score(score, times, missing):
    assert set(verifier_scores(judged([score] * times + [None] * missing))) == {score}


def test_equal_scores_tie_with_one_that_could_not_be_read():
    """The sum of three 0.35, divided by 3, is 0.3499999999999999."""
    candidates = [read(1.0, 0.0, score=score) for score in (0.35, 0.35, 0.35, None)]
    assert predict("almv", candidates).weights == (0.25,) * 4
    assert predict("walmv", candidates).weights == (0.25,) * 4


@given(scores=st.lists(st.floats(0, 10), min_size=1, max_size=64))
def test_the_mean_is_exact(scores):
    mean = verifier_scores(judged([*scores, None]))[-1]
    exact = float(sum(map(Fraction, scores)) / len(scores))
    assert mean == pytest.approx(exact, rel=4e-16)
    assert min(scores) <= mean <= max(scores)


@given(scores=st.lists(st.none() | st.floats(0, 10), min_size=1, max_size=64), order=st.randoms())
def test_the_mean_does_not_depend_on_the_order(scores, order):
    shuffled = list(scores)
    order.shuffle(shuffled)
    assert sorted(verifier_scores(judged(shuffled))) == sorted(verifier_scores(judged(scores)))
