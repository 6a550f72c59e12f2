"""Both F1 scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from ambi_tasks.metrics import macro_f1, weighted_f1

from .pairs import corpora

BOTH = pytest.mark.parametrize(
    ("function", "average"), [(macro_f1, "macro"), (weighted_f1, "weighted")]
)


def unique(truth):
    return (truth == truth.max(axis=1, keepdims=True)).sum(axis=1) == 1


@BOTH
@given(pair=corpora())
def test_first_equals_sklearn_on_argmax_labels(function, average, pair):
    truth, prediction = (rows[unique(pair[0])] for rows in pair)
    value = function(*pair, ties="first")
    if not len(truth):
        assert value == 0
        return

    expected = f1_score(
        truth.argmax(axis=1), prediction.argmax(axis=1), average=average, zero_division=0
    )
    assert value == pytest.approx(expected, rel=0, abs=1e-12)


@BOTH
@given(pair=corpora())
def test_expected_equals_sklearn_with_a_weight_for_each_tied_class(function, average, pair):
    rows = [
        (p.argmax(), k, 1 / (q == q.max()).sum())
        for p, q, counts in zip(*pair, unique(pair[0]), strict=True)
        if counts
        for k in np.flatnonzero(q == q.max())
    ]
    if not rows:
        assert function(*pair) == 0
        return

    true, predicted, weights = zip(*rows, strict=True)
    expected = f1_score(true, predicted, average=average, sample_weight=weights, zero_division=0)
    assert function(*pair) == pytest.approx(expected, rel=0, abs=1e-12)


def test_by_hand():
    truth = [[3, 0, 0], [2, 1, 0], [0, 3, 0], [0, 1, 2], [1, 1, 1]]
    prediction = [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
    # right, predicted, true: (1, 1, 2), (1, 3, 1), (0, 0, 1); the last utterance has no plurality.
    scores = [2 / 3, 2 / 4, 0]
    truth = np.array(truth) / 3

    assert macro_f1(truth, prediction) == pytest.approx(np.mean(scores), rel=0, abs=1e-15)
    weighted = (2 * scores[0] + scores[1]) / 4
    assert weighted_f1(truth, prediction) == pytest.approx(weighted, rel=0, abs=1e-15)


def test_classes_that_do_not_occur_are_left_out_of_the_mean():
    assert macro_f1([[1, 0, 0]], [[1, 0, 0]]) == 1


def test_no_unique_plurality_scores_0():
    for function in (macro_f1, weighted_f1):
        assert function([[0.5, 0.5]] * 3, [[1, 0]] * 3) == 0


def test_an_unknown_policy_is_refused():
    for function in (macro_f1, weighted_f1):
        with pytest.raises(ValueError, match=r"^ties is 'last', but must be 'expected' or 'first'"):
            function([[1, 0]], [[0, 1]], ties="last")


@given(pair=corpora(st.integers(1, 10**6)))
def test_without_ties_the_policies_agree(pair):
    if all(unique(pair[1])):
        assert macro_f1(*pair) == pytest.approx(macro_f1(*pair, ties="first"), rel=0, abs=1e-12)
