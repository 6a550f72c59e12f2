"""`wbon`: the candidates, weighted by softmax of their log-likelihoods."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from tests.strategies.candidates import FAILED, any_candidate, fields_of, predict, read

several = st.lists(any_candidate(), min_size=1, max_size=6)


def test_by_hand():
    candidates = [
        read(1.0, 0.0, log_likelihood=math.log(0.3)),
        FAILED,
        read(0.0, 1.0, log_likelihood=math.log(0.1)),
    ]
    prediction = predict("wbon", candidates)
    assert prediction.weights == pytest.approx((0.75, 0.0, 0.25))
    assert prediction.distribution == pytest.approx((0.75, 0.25))


def test_length_normalisation_by_hand():
    candidates = [
        read(1.0, 0.0, log_likelihood=4 * math.log(0.3), tokens=4),
        read(0.0, 1.0, log_likelihood=2 * math.log(0.1), tokens=2),
    ]
    prediction = predict("wbon", candidates, length_normalisation=1)
    assert prediction.weights == pytest.approx((0.75, 0.25))


def test_beams_of_one_distribution_add_up():
    twin = read(1.0, 0.0, log_likelihood=math.log(0.2))
    other = read(0.0, 1.0, log_likelihood=math.log(0.1))
    assert predict("wbon", [twin, twin, other]).distribution == pytest.approx((0.8, 0.2))


@given(candidates=several, temperature=st.floats(0.1, 10), exponent=st.floats(0, 1))
def test_equals_scipy(candidates, temperature, exponent):
    scores = np.array([one.log_likelihood / one.tokens**exponent for one in candidates])
    weights = softmax(scores / temperature)
    prediction = predict(
        "wbon", candidates, weight_temperature=temperature, length_normalisation=exponent
    )
    assert prediction.weights == pytest.approx(weights, abs=1e-12)
    mean = weights @ np.array([one.distribution for one in candidates])
    assert prediction.distribution == pytest.approx(mean, abs=1e-12)


@given(candidates=several)
def test_a_large_temperature_is_the_mean(candidates):
    mean = np.mean([one.distribution for one in candidates], axis=0)
    prediction = predict("wbon", candidates, weight_temperature=1e9)
    assert prediction.distribution == pytest.approx(mean, abs=1e-6)


@given(candidates=several)
def test_a_small_temperature_is_bon(candidates):
    whole = [replace(one, log_likelihood=round(one.log_likelihood)) for one in candidates]
    assert predict("wbon", whole, weight_temperature=1e-6) == predict("bon", whole)


@given(candidates=several, shift=st.floats(-1e4, 0))
def test_only_differences_of_log_likelihoods_count(candidates, shift):
    shifted = [
        read(*one.distribution, log_likelihood=one.log_likelihood + shift) for one in candidates
    ]
    first, second = predict("wbon", candidates), predict("wbon", shifted)
    assert second.weights == pytest.approx(first.weights, abs=1e-9)


def test_five_beams_are_asked_for():
    fields = fields_of("wbon")
    assert (fields.mode, fields.pool, fields.needs_log_likelihood) == ("beam", 5, True)
