"""`bon`: the candidate of the largest log-likelihood."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.errors import UserError
from tests.strategies.candidates import FAILED, any_candidate, fields_of, predict, read

LONG = read(1.0, 0.0, log_likelihood=-6.0, tokens=6)
SHORT = read(0.0, 1.0, log_likelihood=-4.0, tokens=2)


def test_by_hand():
    prediction = predict("bon", [LONG, SHORT])
    assert prediction.distribution == (0.0, 1.0)
    assert prediction.weights == (0.0, 1.0)


@pytest.mark.parametrize(
    ("exponent", "distribution"),
    [(0, (0.0, 1.0)), (0.5, (1.0, 0.0)), (1, (1.0, 0.0))],  # -6/sqrt(6) > -4/sqrt(2)
)
def test_length_normalisation(exponent, distribution):
    prediction = predict("bon", [LONG, SHORT], length_normalisation=exponent)
    assert prediction.distribution == distribution


def test_the_most_likely_one_counts_only_if_it_could_be_read():
    lost = dataclasses.replace(FAILED, log_likelihood=-1.0, tokens=3)
    assert predict("bon", [lost, LONG, SHORT]).weights == (0.0, 0.0, 1.0)


def test_equally_likely_ones_share():
    twin = dataclasses.replace(LONG, log_likelihood=-4.0)
    assert predict("bon", [twin, SHORT]).distribution == (0.5, 0.5)
    assert predict("bon", [SHORT, SHORT]).weights == (0.5, 0.5)


@given(candidates=st.lists(any_candidate(), min_size=1, max_size=6))
def test_is_one_of_the_candidates_of_the_largest_log_likelihood(candidates):
    best = max(one.log_likelihood for one in candidates)
    prediction = predict("bon", candidates)
    for one, weight in zip(candidates, prediction.weights, strict=True):
        assert (weight > 0) == (one.log_likelihood == best)


def test_five_beams_are_asked_for():
    fields = fields_of("bon")
    assert (fields.mode, fields.pool, fields.needs_log_likelihood) == ("beam", 5, True)
    assert fields_of("bon", candidates="sample", draws=7).pool == 7


@pytest.mark.parametrize("name", ["bon", "wbon"])
class TestEvidence:
    def test_without_a_log_likelihood(self, name):
        with pytest.raises(
            UserError, match=r"came without its log-likelihood.*docs/strategies\.md"
        ):
            predict(name, [LONG, read(0.5, 0.5, tokens=3)])

    def test_without_the_number_of_tokens(self, name):
        candidates = [LONG, read(0.5, 0.5, log_likelihood=-2.0)]
        assert predict(name, candidates).answered
        with pytest.raises(UserError, match=r"without its number of tokens.*length_normalisation"):
            predict(name, candidates, length_normalisation=0.5)

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_what_is_no_log_likelihood(self, name, value):
        with pytest.raises(UserError, match=f"log-likelihood cannot be {value}"):
            predict(name, [LONG, read(0.5, 0.5, log_likelihood=value, tokens=1)])

    def test_a_failed_answer_needs_none(self, name):
        assert predict(name, [FAILED, LONG]).distribution == (1.0, 0.0)

    @pytest.mark.parametrize("exponent", [0, 1])
    def test_what_the_model_calls_impossible_has_no_weight(self, name, exponent):
        impossible = read(0.0, 1.0, log_likelihood=-math.inf, tokens=2)
        prediction = predict(name, [impossible, LONG], length_normalisation=exponent)
        assert prediction.weights == (0.0, 1.0)
        prediction = predict(name, [impossible, read(1.0, 0.0, log_likelihood=-math.inf, tokens=1)])
        assert prediction.weights == (0.5, 0.5)
