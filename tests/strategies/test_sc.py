"""`sc`: the mean of the answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.strategies import combine
from tests.strategies.candidates import FAILED, any_candidate, read


def test_by_hand():
    candidates = [read(1.0, 0.0, 0.0), read(0.5, 0.5, 0.0), read(0.0, 0.1, 0.9)]
    assert combine("sc", candidates, 3).distribution == pytest.approx((0.5, 0.2, 0.3))


def test_by_hand_with_a_failed_draw():
    candidates = [read(1.0, 0.0), FAILED, read(0.5, 0.5)]
    assert combine("sc", candidates, 2).distribution == pytest.approx((0.75, 0.25))


several = st.lists(any_candidate(4), min_size=1, max_size=8)


@given(several)
def test_is_the_mean(candidates):
    mean = np.mean([one.distribution for one in candidates], axis=0)
    assert combine("sc", candidates, 4).distribution == pytest.approx(mean, abs=1e-12)


@given(several.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_of_the_draws_does_not_matter(pair):
    first, second = (combine("sc", candidates, 4).distribution for candidates in pair)
    assert first == pytest.approx(second, abs=1e-12)
