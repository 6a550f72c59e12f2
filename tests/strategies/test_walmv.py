"""`walmv`: the candidates, weighted by the verifier's scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.candidates import FAILED, any_candidate, fields_of, predict
from tests.strategies.test_almv import judged


def test_by_hand():
    candidates = [judged(9, 1.0, 0.0), FAILED, judged(3, 0.0, 1.0), judged(0, 0.5, 0.5)]
    prediction = predict("walmv", candidates)
    assert prediction.weights == (0.75, 0.0, 0.25, 0.0)
    assert prediction.distribution == (0.75, 0.25)


def test_a_verdict_that_cannot_be_read_counts_as_the_mean_of_the_others():
    candidates = [judged(8, 1.0, 0.0), judged(None, 0.0, 1.0), judged(4, 1.0, 0.0)]
    prediction = predict("walmv", candidates)
    assert prediction.weights == pytest.approx((8 / 18, 6 / 18, 4 / 18))


@pytest.mark.parametrize("score", [None, 0])
def test_no_verdict_or_all_zero_is_the_plain_mean(score):
    candidates = [judged(score, 1.0, 0.0), judged(score, 0.0, 1.0)]
    assert predict("walmv", candidates).distribution == (0.5, 0.5)


def test_zero_and_no_verdict_is_the_plain_mean():
    candidates = [judged(0, 1.0, 0.0), judged(None, 0.0, 1.0)]
    assert predict("walmv", candidates).weights == (0.5, 0.5)


@given(candidates=st.lists(any_candidate(), min_size=1, max_size=6))
def test_equals_numpy(candidates):
    scores = np.array([np.nan if one.score is None else one.score for one in candidates])
    mean = np.nanmean(scores) if not np.isnan(scores).all() else 1.0
    scores = np.where(np.isnan(scores), mean, scores)
    weights = scores if scores.any() else np.ones(len(scores))
    weights = weights / weights.sum()
    prediction = predict("walmv", candidates)
    assert prediction.weights == pytest.approx(weights, abs=1e-12)
    mixed = weights @ np.array([one.distribution for one in candidates])
    assert prediction.distribution == pytest.approx(mixed, abs=1e-12)


def test_three_sampled_candidates_are_asked_for():
    fields = fields_of("walmv")
    assert (fields.mode, fields.pool, fields.needs_log_likelihood) == ("sample", 3, False)
