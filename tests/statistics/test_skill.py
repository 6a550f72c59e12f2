"""Skill: by hand, properties, and beside the scores of a real comparison."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.labels import LabelRule
from ambi_tasks.statistics import Score, place_scores, reference_scores, skill_share

from .builders import utterance


@pytest.mark.parametrize(
    ("score", "floor", "ceiling", "higher", "expected"),
    [
        (0.6, 0.5, 0.7, True, 0.5),
        (0.4, 0.5, 0.3, False, 0.5),
        (0.5, 0.5, 0.7, True, 0),
        (0.7, 0.5, 0.7, True, 1),
        (0.4, 0.5, 0.7, True, -0.5),
        (0.2, 0.5, 0.3, False, 1.5),
        (0.6, 0.7, 0.5, True, None),
        (0.6, 0.5, 0.7, False, None),
        (0.6, 0.5, 0.5, True, None),
        (0.6, 0.5, 0.5 + 1e-14, True, None),
        (math.nan, 0.5, 0.7, True, None),
        (0.6, math.nan, 0.7, True, None),
        (0.6, 0.5, math.inf, True, None),
    ],
)
def test_by_hand(score, floor, ceiling, higher, expected):
    found = skill_share(score, floor, ceiling, higher_is_better=higher)
    assert found == (expected if expected is None else pytest.approx(expected))


@given(
    numbers=st.tuples(*[st.floats(-10, 10)] * 3),
    scale=st.floats(0.1, 10),
    shift=st.floats(-10, 10),
)
def test_units_and_direction_do_not_matter(numbers, scale, shift):
    score, floor, ceiling = numbers
    if ceiling - floor < 0.01:
        assert skill_share(*numbers, higher_is_better=True) is None or ceiling > floor
        return
    found = skill_share(score, floor, ceiling, higher_is_better=True)
    other = skill_share(*(scale * one + shift for one in numbers), higher_is_better=True)
    mirrored = skill_share(*(-one for one in numbers), higher_is_better=False)

    assert other == pytest.approx(found, abs=1e-6)
    assert mirrored == pytest.approx(found, abs=1e-9)


def test_beside_scores():
    corpus = [
        utterance(f"u{n}", ["sad"] * (1 + n % 4) + ["happy"] * (1 + n % 3), speaker=f"s{n % 5}")
        for n in range(20)
    ]
    references = reference_scores(corpus, LabelRule(("happy", "sad")), seed=0, repetitions=5)
    floor = references.scores["uniform"]["brier"]
    ceiling = references.scores["fresh_panel"]["brier"]
    half = Score((floor.value + ceiling.value) / 2, 0.0, 1.0, 0.1)
    placed = place_scores(
        {"brier": half, "parsed": half}, references, floor="uniform", ceiling="fresh_panel"
    )

    assert placed["brier"].uniform == floor
    assert placed["brier"].label_prior == references.scores["label_prior"]["brier"]
    assert placed["brier"].ceiling == ceiling
    assert placed["brier"].floor == "uniform"
    better = ceiling.value < floor.value
    assert placed["brier"].skill == (pytest.approx(0.5) if better else None)
    assert placed["parsed"].skill is placed["parsed"].ceiling is placed["parsed"].uniform is None
    prior = place_scores({"brier": references.scores["label_prior"]["brier"]}, references)
    assert prior["brier"].skill in (None, 0)
