from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.metrics import get_metric, parsed_share

COUNTS = st.lists(
    st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1
)


@given(rows=COUNTS)
def test_equals_exact_fractions_within_the_bounds(rows):
    parsed, drawn = zip(*rows, strict=True)
    values = parsed_share(parsed, drawn)
    low, high = get_metric("parsed").bounds

    np.testing.assert_array_equal(values, [float(Fraction(*row)) for row in rows])
    assert values.dtype == np.float64
    assert np.all((low <= values) & (values <= high))


def test_all_and_none():
    np.testing.assert_array_equal(parsed_share(np.array([8, 0]), np.array([8, 8])), [1, 0])


@pytest.mark.parametrize(
    ("parsed", "drawn", "problem"),
    [
        ([9], [8], r"^parsed, row 0, is larger than in drawn\.$"),
        ([0], [0], r"^drawn, row 0, is 0, so there is no share\.$"),
        ([], [], r"^parsed has the shape \(0,\)"),
    ],
)
def test_counts_that_make_no_share_are_refused(parsed, drawn, problem):
    with pytest.raises(ValueError, match=problem):
        parsed_share(parsed, drawn)
