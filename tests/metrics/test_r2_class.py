import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from ambi_tasks.metrics import class_determination, get_metric

from .pairs import corpora, normal

SEVERAL = corpora(min_classes=2)


@given(pair=SEVERAL)
def test_equals_sklearns_mean_over_the_classes_that_vary(pair):
    truth, prediction = pair
    varying = np.ptp(truth, axis=0) > 1e-6  # different votes differ by far more
    if not varying.any():
        assert class_determination(truth, prediction) == 0
        return
    expected = r2_score(truth[:, varying], prediction[:, varying], multioutput="uniform_average")

    assert class_determination(truth, prediction) == pytest.approx(expected, rel=1e-10, abs=1e-12)


@given(pair=SEVERAL)
def test_no_prediction_that_is_the_same_for_all_is_above_the_mean_of_the_corpus(pair):
    truth, prediction = pair
    mean = np.broadcast_to(truth.mean(axis=0), truth.shape)
    deaf = np.broadcast_to(prediction[0], truth.shape)

    assert class_determination(truth, mean) == pytest.approx(0, abs=1e-9)
    assert class_determination(truth, deaf) <= 1e-9


@given(pair=SEVERAL, weight=st.floats(0, 1))
def test_part_of_the_way_from_the_mean_to_the_truth_leaves_the_square_of_the_rest(pair, weight):
    truth, _ = pair
    if np.ptp(truth) == 0 or not (np.ptp(truth, axis=0) > 1e-6).any():
        return
    mean = truth.mean(axis=0)
    value = class_determination(truth, weight * truth + (1 - weight) * mean)

    assert value == pytest.approx(1 - (1 - weight) ** 2, rel=0, abs=1e-9)


def test_by_hand():
    truth = normal([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 1, 0]])
    prediction = normal([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 1]])
    # Class 0: variance sum 1/2, errors 1/4. Class 1: 1/2, errors 1/4 + 1/4. Class 2 is constant.
    assert class_determination(truth, prediction) == pytest.approx((0.5 + 0) / 2, abs=1e-15)


def test_a_share_that_does_not_vary_is_left_out_even_if_rounding_makes_it():
    third = [1 / 3 + 1e-9, 1 / 3 - 1e-9, 1 / 3]

    assert class_determination([third, third[::-1]], [[1, 0, 0], [0, 0, 1]]) == 0


def test_one_vote_among_many_utterances_counts_as_varying():
    truth = np.tile([1.0, 0.0], (200_000, 1))
    truth[7] = [0.99, 0.01]

    assert class_determination(truth, truth) == pytest.approx(1, abs=1e-6)
    assert class_determination(truth, np.tile([1.0, 0.0], (200_000, 1))) < 0


def test_of_a_single_utterance_it_is_0():
    assert class_determination([[0.7, 0.3]], [[0.7, 0.3]]) == 0


def test_it_hears_what_the_profile_does_not():
    # The same profile for every utterance: r2 is high, though nothing was heard.
    truth = normal([[8, 1, 1], [7, 2, 1], [7, 1, 2]])
    prediction = normal([[8, 1, 1]] * 3)

    assert np.mean(get_metric("r2").compute(truth, prediction)) > 0.9
    assert class_determination(truth, prediction) < 0


def test_it_has_no_lower_bound():
    assert get_metric("r2_class").bounds == (-math.inf, 1)
