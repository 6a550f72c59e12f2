"""The table of votes: the label rule annotator by annotator, and every utterance accounted for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.labels import LabelRule, SoftLabel, soft_label
from ambi_tasks.statistics import vote_table

from .builders import CLASSES, panels, utterance

SPLIT = LabelRule(CLASSES)
RULES = st.builds(
    LabelRule,
    classes=st.just(CLASSES),
    merge=st.sampled_from([{}, {"excited": "happy"}]),
    multi_tick=st.sampled_from(["split", "sum", "first"]),
    out_of_set=st.sampled_from(["drop_vote", "drop_utterance"]),
    min_votes=st.integers(1, 3),
)


def test_annotators_by_hand():
    votes = ["sad", ("angry", "sad"), ("excited", "sad"), "excited", ()]
    table = vote_table([utterance("u", votes)], SPLIT)

    assert table.annotators.tolist() == [3]
    assert table.masses.tolist() == [[[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0.5, 0.5]]]
    assert table.distributions.tolist() == [[0, 0, 0.5 / 3, 2.5 / 3]]


@pytest.mark.parametrize(
    ("multi_tick", "second"),
    [("split", [0, 0, 0.5, 0.5]), ("sum", [0, 0, 1, 1]), ("first", [0, 0, 1, 0])],
)
def test_several_ticks(multi_tick, second):
    rule = LabelRule(CLASSES, multi_tick=multi_tick)
    table = vote_table([utterance("u", ["happy", ("angry", "sad")])], rule)

    assert sorted(table.masses[0].tolist()) == sorted([[0, 1, 0, 0], second])


def test_shorter_panels_leave_seats_empty():
    table = vote_table([utterance("a", ["sad"] * 2), utterance("b", ["happy"] * 3)], SPLIT)

    assert table.annotators.tolist() == [2, 3]
    assert table.masses.sum(axis=2).tolist() == [[1, 1, 0], [1, 1, 1]]


def test_every_utterance_is_accounted_for():
    rule = LabelRule(CLASSES, min_votes=1)
    table = vote_table(
        [
            utterance("one", ["sad"]),
            utterance("one_inside", ["sad", "excited"]),
            utterance("outside", ["excited", "excited"]),
            utterance("none", []),
            utterance("two", ["sad", "happy"], speaker="anna"),
        ],
        rule,
    )

    assert table.speakers.tolist() == ["anna"]
    assert table.too_few_annotators == 2
    assert table.dropped == {"out_of_set": 1, "no_votes": 1}


def test_the_rules_own_minimum_drops_before_ours():
    table = vote_table([utterance("one", ["sad"])], LabelRule(CLASSES, min_votes=2))

    assert (table.too_few_annotators, table.dropped) == (0, {"too_few_votes": 1})


@given(many=st.lists(panels(), max_size=4), rule=RULES)
def test_agrees_with_the_soft_labels(many, rule):
    corpus = [utterance(str(number), votes) for number, votes in enumerate(many)]
    labels = [soft_label(one.votes, rule) for one in corpus]
    kept = [label for label in labels if isinstance(label, SoftLabel) and label.annotators > 1]
    table = vote_table(corpus, rule)

    assert len(table.annotators) + table.too_few_annotators + sum(table.dropped.values()) == len(
        corpus
    )
    assert table.annotators.tolist() == [label.annotators for label in kept]
    assert table.distributions.tolist() == [list(label.distribution) for label in kept]
    sums = table.masses.sum(axis=1)
    np.testing.assert_allclose(sums, np.reshape([label.masses for label in kept], sums.shape))
    assert table.masses.any(axis=2).sum(axis=1).tolist() == table.annotators.tolist()


@given(votes=panels(least=2), turn=st.randoms(use_true_random=False))
def test_order_changes_nothing(votes, turn):
    corpus = [utterance("a", votes), utterance("b", ["sad", "happy", "happy"], speaker="t")]
    turned = list(votes)
    turn.shuffle(turned)
    one, other = vote_table(corpus, SPLIT), vote_table([corpus[1], utterance("a", turned)], SPLIT)

    for field in ("masses", "annotators", "distributions", "speakers"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
