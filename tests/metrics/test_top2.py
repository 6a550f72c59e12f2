from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import recall_score

from ambi_tasks.metrics import top2_overlap

from .pairs import normal, pairs


def choices(row):
    """Every set that may be called the two most probable classes."""
    return [
        set(pair)
        for pair in combinations(range(len(row)), 2)
        if min(row[k] for k in pair)
        >= max((row[k] for k in range(len(row)) if k not in pair), default=0)
    ]


@given(pair=pairs(min_classes=2))
def test_equals_every_way_to_break_the_ties(pair):
    for p, q, value in zip(*pair, top2_overlap(*pair), strict=True):
        ways = [max(len(chosen & right) / 2 for right in choices(p)) for chosen in choices(q)]
        assert value == pytest.approx(np.mean(ways), rel=0, abs=1e-12)


@given(pair=pairs(st.integers(1, 10**6), min_classes=3))
def test_equals_sklearns_recall_of_sets_where_nothing_ties(pair):
    if any(len(set(row)) < len(row) for array in pair for row in array):
        return
    sets = [np.argsort(np.argsort(-rows, axis=1), axis=1) < 2 for rows in pair]
    expected = recall_score(*(flags.astype(int) for flags in sets), average="samples")

    assert top2_overlap(*pair).mean() == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        ([0.5, 0.4, 0.1, 0], [0.4, 0.5, 0.1, 0], 1),
        ([0.5, 0.4, 0.1, 0], [0.4, 0.1, 0.5, 0], 1 / 2),
        ([0.5, 0.4, 0.1, 0], [0, 0.1, 0.5, 0.4], 0),
        # The annotators agree: any second class will do, but the first must be there.
        ([1, 0, 0, 0], [0.6, 0.4, 0, 0], 1),
        ([1, 0, 0, 0], [0, 0.6, 0.4, 0], 1 / 2),
        ([1, 0, 0, 0], [0.25] * 4, 1 / 2 + 1 / 4),
        # Two right classes tie for the second place; equal but for rounding.
        ([0.4, 0.3, 0.1 + 0.2, 0], [0.6, 0, 0.4, 0], 1),
        ([0.4, 0.3, 0.1 + 0.2, 0], [0, 0.5, 0.5, 0], 1 / 2),
        ([1, 0], [0, 1], 1),
        ([1], [1], 1),
    ],
)
def test_by_hand(truth, prediction, expected):
    value = top2_overlap(normal([truth]), normal([prediction]))[0]

    assert value == pytest.approx(expected, rel=0, abs=1e-15)
