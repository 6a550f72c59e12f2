import numpy as np
import pytest

from ambi_tasks.metrics.validation import counts, distributions

GOOD = [[0.5, 0.5], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ([[0.5, 0.5], [np.nan, 1.0]], r", row 1, holds NaN or infinity\.$"),
        ([[0.5, 0.5], [np.inf, 0.0]], r", row 1, holds NaN or infinity\.$"),
        ([[0.5, 0.5], [1.5, -0.5]], r", row 1, holds a negative number\.$"),
        ([[0.5, 0.5], [0.5, 0.50001]], r", row 1, does not sum to 1 \(within 1e-06\)\.$"),
        ([[0.0, 0.0], [0.5, 0.5]], r", row 0, does not sum to 1"),
        ([0.5, 0.5], r" has the shape \(2,\), but must be \(N, K\)"),
        (
            np.zeros((2, 0)),
            r" has the shape \(2, 0\), but must be \(N, K\) with N and K of at least",
        ),
        (np.zeros((0, 2)), r" has the shape \(0, 2\), but must be \(N, K\)"),
        ([[0.5, 0.5], [1.0]], r" cannot be read as one array of numbers: "),
        ([["half", "half"]], r" cannot be read as one array of numbers: "),
    ],
)
def test_the_message_names_argument_row_and_problem(bad, problem):
    with pytest.raises(ValueError, match="^truth" + problem):
        distributions(bad, GOOD)
    with pytest.raises(ValueError, match="^prediction" + problem):
        distributions(GOOD, bad)


def test_shapes_must_be_equal():
    with pytest.raises(
        ValueError, match=r"^truth has the shape \(2, 2\) but prediction has \(1, 2\)"
    ):
        distributions(GOOD, GOOD[:1])


def test_a_sum_off_by_rounding_is_divided_out():
    truth, prediction = distributions([[0.4999998, 0.5]], [[0.5000005, 0.5]])

    np.testing.assert_allclose(truth.sum(axis=1), 1, rtol=0, atol=1e-15)
    np.testing.assert_allclose(prediction.sum(axis=1), 1, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("part", "whole", "problem"),
    [
        ([1, -1], [2, 2], r"^some, row 1, is not a whole number"),
        ([1, 0.5], [2, 2], r"^some, row 1, is not a whole number"),
        ([1, 1], [2, np.nan], r"^all, row 1, is not a whole number"),
        ([1, 1], [2, np.inf], r"^all, row 1, is not a whole number"),
        ([1, 0], [2, 0], r"^all, row 1, is 0, so there is no share\.$"),
        ([1, 3], [2, 2], r"^some, row 1, is larger than in all\.$"),
        ([1], [2, 2], r"^some has the shape \(1,\) but all has \(2,\)"),
        ([], [], r"^some has the shape \(0,\), but must be \(N,\) with N of at least 1\.$"),
        ([[1]], [[2]], r"^some has the shape \(1, 1\), but must be \(N,\)"),
    ],
)
def test_counts_are_whole_and_fit(part, whole, problem):
    with pytest.raises(ValueError, match=problem):
        counts(part, whole, names=("some", "all"))
