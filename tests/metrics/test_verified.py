from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.metrics import get_metric, verified_share

COUNTS = st.lists(
    st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1
)


@given(rows=COUNTS)
def test_equals_exact_fractions_within_the_bounds(rows):
    scored, asked = zip(*rows, strict=True)
    values = verified_share(scored, asked)
    low, high = get_metric("verified").bounds

    np.testing.assert_array_equal(values, [float(Fraction(*row)) for row in rows])
    assert values.dtype == np.float64
    assert np.all((low <= values) & (values <= high))


def test_all_and_none():
    np.testing.assert_array_equal(verified_share(np.array([3, 0]), np.array([3, 3])), [1, 0])


def test_is_of_verdicts_and_better_when_higher():
    metric = get_metric("verified")
    assert (metric.needs, metric.higher_is_better) == ("verdicts", True)


@pytest.mark.parametrize(
    ("scored", "asked", "problem"),
    [
        ([4], [3], r"^scored, row 0, is larger than in asked\.$"),
        ([0], [0], r"^asked, row 0, is 0, so there is no share\.$"),
        ([-1], [3], r"^scored, row 0, is not a whole number of at least 0\.$"),
        ([], [], r"^scored has the shape \(0,\)"),
    ],
)
def test_counts_that_make_no_share_are_refused(scored, asked, problem):
    with pytest.raises(ValueError, match=problem):
        verified_share(scored, asked)
