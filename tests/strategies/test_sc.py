"""`sc`: the mean of the answers, or a vote among their first choices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.candidates import FAILED, any_candidate, fields_of, predict, read


def test_by_hand():
    candidates = [read(1.0, 0.0, 0.0), read(0.5, 0.5, 0.0), read(0.0, 0.1, 0.9)]
    assert predict("sc", candidates).distribution == pytest.approx((0.5, 0.2, 0.3))


def test_by_hand_with_a_failed_draw():
    candidates = [read(1.0, 0.0), FAILED, read(0.5, 0.5)]
    prediction = predict("sc", candidates)
    assert prediction.distribution == (0.75, 0.25)
    assert prediction.weights == (0.5, 0.0, 0.5)


def test_a_vote_by_hand():
    candidates = [read(0.6, 0.4), FAILED, read(0.1, 0.9), read(0.2, 0.8), read(0.5, 0.5)]
    prediction = predict("sc", candidates, vote="argmax")
    assert prediction.distribution == (1.5 / 4, 2.5 / 4)


def test_16_sampled_draws_are_asked_for():
    fields = fields_of("sc")
    assert (fields.mode, fields.pool, fields.needs_log_likelihood) == ("sample", 16, False)
    assert fields_of("sc", draws=3).pool == 3
    assert fields_of("sc", candidates="beam").pool == 5


several = st.lists(any_candidate(), min_size=1, max_size=8)


@given(several)
def test_is_the_mean(candidates):
    mean = np.mean([one.distribution for one in candidates], axis=0)
    assert predict("sc", candidates).distribution == pytest.approx(mean, abs=1e-12)


@given(several)
def test_a_vote_counts_first_choices(candidates):
    votes = np.zeros(4)
    for one in candidates:
        best = np.array(one.distribution) == max(one.distribution)
        votes += best / best.sum()
    prediction = predict("sc", candidates, vote="argmax")
    assert prediction.distribution == pytest.approx(votes / len(candidates), abs=1e-12)


@given(several)
def test_a_vote_of_certain_answers_is_their_mean(candidates):
    certain = [read(*(float(k == at % 4) for k in range(4))) for at in range(len(candidates))]
    means = [predict("sc", certain, vote=vote).distribution for vote in ("distribution", "argmax")]
    assert means[0] == means[1]
