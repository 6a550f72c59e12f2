"""The Dirichlet mixture: against simulation, by closed form, and by its promises."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.mixture import mixture_mean, mixture_spread, shares_of
from tests.strategies.candidates import distributions

CERTAIN = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]

mixtures = st.integers(1, 6).flatmap(
    lambda size: st.tuples(
        st.lists(st.floats(0, 1e3), min_size=size, max_size=size).filter(lambda w: sum(w) > 1e-6),
        st.lists(distributions(), min_size=size, max_size=size),
    )
)


def test_by_hand():
    assert mixture_mean([3, 1], [(1.0, 0.0), (0.0, 1.0)]) == (0.75, 0.25)
    spread = mixture_spread([1, 1], [(1.0, 0.0), (0.5, 0.5)], 1.0)
    mean = (0.75, 0.25)
    within = 0.5 * 0 + 0.5 * (1 - 0.5) / 2
    between = 0.5 * 2 * (1 - mean[0]) ** 2 + 0.5 * 2 * (mean[0] - 0.5) ** 2
    assert spread == pytest.approx(math.sqrt(within + between))


@pytest.mark.parametrize(
    ("weights", "candidates", "concentration"),
    [
        ([1.0], [(0.2, 0.3, 0.5)], 10.0),
        ([1.0], [(0.2, 0.3, 0.5)], 0.5),
        ([1.0, 1.0], [(0.7, 0.2, 0.1), (0.1, 0.2, 0.7)], 10.0),
        ([3.0, 1.0, 2.0], [(0.6, 0.3, 0.1), (0.1, 0.1, 0.8), (1 / 3, 1 / 3, 1 / 3)], 4.0),
        ([0.5, 5.0], [(0.9, 0.05, 0.05), (0.05, 0.9, 0.05)], 100.0),
    ],
)
def test_mean_and_spread_equal_those_of_a_simulation(weights, candidates, concentration):
    random = np.random.default_rng(17)
    shares = np.array(weights) / sum(weights)
    chosen = random.choice(len(weights), size=200_000, p=shares)
    theta = np.empty((200_000, 3))
    for index, candidate in enumerate(candidates):
        rows = chosen == index
        theta[rows] = random.dirichlet(concentration * np.array(candidate), size=rows.sum())
    mean = mixture_mean(weights, candidates)
    assert mean == pytest.approx(theta.mean(axis=0), abs=4e-3)
    spread = mixture_spread(weights, candidates, concentration)
    assert spread == pytest.approx(math.sqrt(theta.var(axis=0).sum()), rel=0.01)


@given(mixture=mixtures, concentration=st.floats(1e-3, 1e6))
def test_equals_the_closed_form(mixture, concentration):
    weights, candidates = mixture
    w, p = np.array(weights) / np.sum(weights), np.array(candidates)
    mean = w @ p
    assert mixture_mean(weights, candidates) == pytest.approx(mean, abs=1e-12)
    # E|theta|^2 - |m|^2, where E[theta_k^2] = p_k (c p_k + 1) / (c + 1)
    second = w @ (p * (concentration * p + 1) / (concentration + 1))
    variance = second.sum() - (mean**2).sum()
    spread = mixture_spread(weights, candidates, concentration)
    assert spread**2 == pytest.approx(variance, abs=1e-9)


@given(mixture=mixtures, concentration=st.floats(1e-6, 1e6))
def test_bounds(mixture, concentration):
    mean = mixture_mean(*mixture)
    assert math.fsum(mean) == pytest.approx(1, abs=1e-15)
    assert min(mean) >= 0
    assert 0 <= mixture_spread(*mixture, concentration) <= math.sqrt(1 - 1 / 4)


@given(mixture=mixtures, order=st.randoms())
def test_the_order_of_the_candidates_changes_no_digit(mixture, order):
    pairs = list(zip(*mixture, strict=True))
    shuffled = list(pairs)
    order.shuffle(shuffled)
    (first, second) = ([list(column) for column in zip(*p, strict=True)] for p in (pairs, shuffled))
    assert mixture_mean(*second) == mixture_mean(*first)
    assert mixture_spread(*second, 10.0) == mixture_spread(*first, 10.0)


@given(mixture=mixtures, order=st.permutations(range(4)))
def test_the_order_of_the_classes_changes_no_digit(mixture, order):
    weights, candidates = mixture
    permuted = [tuple(one[at] for at in order) for one in candidates]
    mean = mixture_mean(weights, candidates)
    assert mixture_mean(weights, permuted) == tuple(mean[at] for at in order)
    assert mixture_spread(weights, permuted, 3.0) == mixture_spread(weights, candidates, 3.0)


@given(mixture=mixtures, exponent=st.integers(-20, 20))
def test_weights_have_any_sum(mixture, exponent):
    weights, candidates = mixture
    scaled = [weight * 2.0**exponent for weight in weights]
    assert mixture_mean(scaled, candidates) == mixture_mean(weights, candidates)


@given(candidate=distributions(), others=st.lists(distributions(), max_size=4))
def test_one_weight_is_that_candidate(candidate, others):
    weights = [1.0] + [0.0] * len(others)
    mean = mixture_mean(weights, [candidate, *others])
    assert mean == pytest.approx(candidate, abs=1e-15)
    share = 1 - sum(p * p for p in candidate)
    spread = mixture_spread(weights, [candidate, *others], 9.0)
    assert spread**2 == pytest.approx(share / 10, abs=1e-12)


def test_the_extremes_of_the_spread():
    assert mixture_spread([1.0, 2.0], [(0.0, 1.0, 0.0)] * 2, 5.0) == 0
    assert mixture_spread([1.0] * 3, CERTAIN, 5.0) == pytest.approx(math.sqrt(2 / 3), abs=1e-15)
    assert mixture_spread([1.0], [(1.0,)], 5.0) == 0


@given(mixture=mixtures, low=st.floats(1e-3, 1e3), factor=st.floats(1, 1e3))
def test_more_concentration_never_spreads_more(mixture, low, factor):
    less, more = mixture_spread(*mixture, low * factor), mixture_spread(*mixture, low)
    assert less <= more + 1e-12


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "1 weights were given for 2 candidates"),
        ([0.0, 0.0], "not all 0"),
        ([-1.0, 2.0], "not negative"),
        ([math.nan, 1.0], "must be finite"),
        ([math.inf, 1.0], "must be finite"),
    ],
)
def test_weights_that_are_none(weights, message):
    candidates = [(1.0, 0.0), (0.0, 1.0)]
    with pytest.raises(ValueError, match=message):
        mixture_mean(weights, candidates)
    with pytest.raises(ValueError, match=message):
        mixture_spread(weights, candidates, 1.0)
    with pytest.raises(ValueError, match=message):
        shares_of(weights, candidates)


def test_no_candidates():
    with pytest.raises(ValueError, match="0 weights were given for 0 candidates"):
        mixture_mean([], [])


@pytest.mark.parametrize("concentration", [0, -1, math.nan])
def test_a_concentration_is_positive(concentration):
    with pytest.raises(ValueError, match="concentration must be positive"):
        mixture_spread([1.0], [(1.0, 0.0)], concentration)
