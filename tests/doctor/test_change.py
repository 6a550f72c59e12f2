"""The test of the doctor is sound: it finds what is there, and rarely what is not."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambi_tasks.doctor.change import LEVEL, change


def exhaustive(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """Distance, its mean and its p-value over all sign flips, by plain loops."""

    def distance(signs: np.ndarray) -> float:
        each = [
            0.5 * np.abs(np.mean(signs[c][:, None] * (after[c] - before[c]), axis=0)).sum()
            for c in range(len(before))
        ]
        return float(np.mean(each))

    shape = before.shape[:2]
    observed = distance(np.ones(shape))
    flips = itertools.product((-1.0, 1.0), repeat=shape[0] * shape[1])
    found = [distance(np.reshape(signs, shape)) for signs in flips]
    return observed, float(np.mean(found)), float(np.mean(np.array(found) >= observed - 1e-12))


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_all_flips(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = (rng.dirichlet(np.ones(4), size=(3, 4)) for _ in range(2))
    after = 0.5 * after + 0.5 * np.array([1.0, 0, 0, 0])
    share, by_chance, p = exhaustive(before, after)
    found = change(before, after)
    assert found.share == pytest.approx(share)
    assert found.by_chance == pytest.approx(by_chance, rel=0.03)
    assert found.p == pytest.approx(p, abs=4 * np.sqrt(p / 9_999) + 1e-4)


def test_chance_is_rarely_taken_for_a_change() -> None:
    """Of answers that do not depend on the clip at most the level's share counts as a change."""
    rng = np.random.default_rng(7)
    counted = 0
    for _ in range(300):
        before, after = np.eye(4)[rng.choice(4, p=[0.6, 0.2, 0.1, 0.1], size=(2, 8, 8))]
        counted += change(before, after).counts
    assert counted <= 300 * LEVEL + 3 * np.sqrt(300 * LEVEL)


@settings(max_examples=20, deadline=None)
@given(st.integers(5, 9), st.integers(0, 2**31))
def test_five_noiseless_clips_suffice_and_no_change_is_none(clips: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.dirichlet(np.ones(4), size=(2, clips, 1)).repeat(3, axis=2)
    assert change(before, after).counts
    same = change(before, before)
    assert (same.share, same.by_chance, same.p) == (0.0, 0.0, 1.0)
    tiny = change(before, before + 1e-4 * (after - before))
    assert tiny.p <= LEVEL
    assert not tiny.counts


def test_the_same_answers_have_the_same_p_value() -> None:
    before, after = np.random.default_rng(1).dirichlet(np.ones(3), size=(2, 6, 4))
    assert change(before, after) == change(before, after)


@pytest.mark.parametrize("shapes", [((2, 3, 4), (2, 3, 5)), ((2, 3), (2, 3))])
def test_answers_must_be_paired(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="not paired"):
        change(*(np.zeros(shape) for shape in shapes))
