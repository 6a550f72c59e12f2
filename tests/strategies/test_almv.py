"""`almv`: the candidate that the verifier scores best."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.candidates import FAILED, any_candidate, fields_of, predict, read


def judged(score: float | None, *distribution: float):
    return read(*distribution, score=score, verdict_failure="no_number" if score is None else None)


def test_by_hand():
    candidates = [judged(7, 1.0, 0.0), FAILED, judged(8, 0.25, 0.75)]
    prediction = predict("almv", candidates)
    assert prediction.distribution == (0.25, 0.75)
    assert prediction.weights == (0.0, 0.0, 1.0)


def test_equal_scores_share():
    candidates = [judged(8, 1.0, 0.0), judged(8, 0.0, 1.0), judged(3, 0.5, 0.5)]
    assert predict("almv", candidates).weights == (0.5, 0.5, 0.0)


def test_a_verdict_that_cannot_be_read_is_not_the_best():
    candidates = [judged(7, 1.0, 0.0), judged(None, 0.0, 1.0), judged(3, 0.5, 0.5)]
    assert predict("almv", candidates).weights == (1.0, 0.0, 0.0)


def test_nor_the_worst_where_the_others_agree():
    candidates = [judged(7, 1.0, 0.0), judged(None, 0.0, 1.0), judged(7, 1.0, 0.0)]
    assert predict("almv", candidates).distribution == pytest.approx((2 / 3, 1 / 3))


def test_no_verdict_that_can_be_read_is_the_plain_mean():
    candidates = [judged(None, 1.0, 0.0), judged(None, 0.0, 1.0)]
    assert predict("almv", candidates).distribution == (0.5, 0.5)


def test_all_wrong_throughout_is_the_plain_mean():
    assert predict("almv", [judged(0, 1.0, 0.0), judged(0, 0.0, 1.0)]).distribution == (0.5, 0.5)


@given(candidates=st.lists(any_candidate(), min_size=1, max_size=6))
def test_weight_is_on_the_best_alone(candidates):
    given_scores = [one.score for one in candidates if one.score is not None]
    weights = predict("almv", candidates).weights
    for one, weight in zip(candidates, weights, strict=True):
        if one.score is not None and one.score == max(given_scores):
            assert weight > 0
        elif one.score is not None:
            assert weight == 0


def test_three_sampled_candidates_are_asked_for():
    fields = fields_of("almv")
    assert (fields.mode, fields.pool, fields.needs_log_likelihood) == ("sample", 3, False)
    assert fields_of("almv", candidates="beam", beams=4).pool == 4
