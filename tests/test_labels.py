"""From votes to soft labels: every policy by hand, and what must hold for any votes and rule."""

import dataclasses
import math
from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.errors import UserError
from ambi_tasks.labels import (
    DropReason,
    LabelRule,
    SoftLabel,
    Vote,
    entropy_bits,
    soft_label,
    strata,
)

CLASSES = ("neutral", "happy", "angry", "sad")
THREE_AND_OTHER = ("happy", "sad", "other")


def votes_of(*ticks):
    return [Vote(tuple(one.split())) for one in ticks]


# Name, rule, votes (an annotator's ticks apart by spaces), masses in the order of the classes,
# annotators that count.
COUNTED = [
    ("one_tick_each", {}, ["happy", "sad", "happy", "neutral"], (1, 2, 0, 1), 4),
    ("unanimous", {}, ["sad", "sad"], (0, 0, 0, 2), 2),
    ("split", {}, ["happy sad", "happy"], (0, 1.5, 0, 0.5), 2),
    ("split_in_three", {}, ["happy sad angry"], (0, 1 / 3, 1 / 3, 1 / 3), 1),
    ("sum", {"multi_tick": "sum"}, ["happy sad", "happy"], (0, 2, 0, 1), 2),
    ("first", {"multi_tick": "first"}, ["sad happy", "happy"], (0, 1, 0, 1), 2),
    ("outside_dropped", {}, ["happy", "frustrated", "sad"], (0, 1, 0, 1), 2),
    # The annotator keeps a mass of 1: the ticks inside share it.
    ("split_partly_outside", {}, ["frustrated angry", "sad"], (0, 0, 1, 1), 2),
    ("split_two_of_three", {}, ["frustrated angry sad"], (0, 0, 0.5, 0.5), 1),
    ("sum_partly_outside", {"multi_tick": "sum"}, ["fear angry sad"], (0, 0, 1, 1), 1),
    ("first_outside", {"multi_tick": "first"}, ["fear angry", "sad"], (0, 0, 0, 1), 1),
    (
        "first_inside_then_outside",
        {"multi_tick": "first", "out_of_set": "drop_utterance"},
        ["angry fear", "sad"],
        (0, 0, 1, 1),
        2,
    ),
    (
        "other_class",
        {"classes": THREE_AND_OTHER, "out_of_set": "other_class"},
        ["happy", "fear", "surprise sad", "other"],
        (1, 0.5, 2.5),
        4,
    ),
    ("merge", {"merge": {"excited": "happy"}}, ["excited", "happy", "sad"], (0, 2, 0, 1), 3),
    (
        "merge_split",
        {"merge": {"excited": "happy"}},
        ["excited happy sad"],
        (0, 2 / 3, 0, 1 / 3),
        1,
    ),
    (
        "merge_into_other",
        {"classes": THREE_AND_OTHER, "merge": {"fear": "other"}},
        ["fear", "surprise", "sad"],
        (0, 1, 1),
        2,
    ),
    ("no_outsider", {"out_of_set": "drop_utterance"}, ["happy", "sad"], (0, 1, 0, 1), 2),
    ("min_votes_met", {"min_votes": 2}, ["happy", "sad", "fear"], (0, 1, 0, 1), 2),
    ("an_annotator_without_ticks", {}, ["happy", "", "sad"], (0, 1, 0, 1), 2),
]


@pytest.mark.parametrize(
    ("settings", "ticks", "masses", "annotators"),
    [case[1:] for case in COUNTED],
    ids=[case[0] for case in COUNTED],
)
def test_counts_by_hand(settings, ticks, masses, annotators):
    label = soft_label(votes_of(*ticks), LabelRule(**{"classes": CLASSES, **settings}))
    assert isinstance(label, SoftLabel)
    assert label.masses == pytest.approx(masses, abs=1e-15)
    assert label.distribution == pytest.approx(np.array(masses) / sum(masses), abs=1e-15)
    assert label.annotators == annotators


DROPPED = [
    ("nobody", {}, [], DropReason.NO_VOTES),
    ("nobody_ticked", {}, ["", ""], DropReason.NO_VOTES),
    ("all_outside", {}, ["fear", "fear surprise"], DropReason.OUT_OF_SET),
    ("first_ticks_outside", {"multi_tick": "first"}, ["fear sad"], DropReason.OUT_OF_SET),
    (
        "one_outside",
        {"out_of_set": "drop_utterance"},
        ["happy", "happy", "fear"],
        DropReason.OUT_OF_SET,
    ),
    (
        "partly_outside",
        {"out_of_set": "drop_utterance"},
        ["happy", "happy fear"],
        DropReason.OUT_OF_SET,
    ),
    ("too_few", {"min_votes": 3}, ["happy", "sad", "fear"], DropReason.TOO_FEW_VOTES),
    ("ticks_are_no_votes", {"min_votes": 2}, ["happy sad"], DropReason.TOO_FEW_VOTES),
]


@pytest.mark.parametrize(
    ("settings", "ticks", "reason"),
    [case[1:] for case in DROPPED],
    ids=[case[0] for case in DROPPED],
)
def test_drops_with_a_reason(settings, ticks, reason):
    assert soft_label(votes_of(*ticks), LabelRule(CLASSES, **settings)) is reason


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": ("happy",)}, "two or more different classes"),
        ({"classes": ()}, "two or more different classes"),
        ({"classes": ("happy", "sad", "happy")}, "two or more different classes"),
        ({"classes": ("Calm", "calm")}, "upper and lower case being the same"),
        ({"classes": ("calm ", "calm")}, "two or more different classes"),
        ({"classes": "calm"}, "classes are a list of words like .*, not 'calm'"),
        ({"min_votes": True}, "min_votes is a whole number, not True"),
        ({"merge": {1: "happy"}}, "merge is a mapping of words like "),
        ({"merge": {"excited": "joy"}}, r"merges into \['joy'\]"),
        ({"merge": {"sad": "happy"}}, r"merges \['sad'\] into another class"),
        ({"out_of_set": "other_class"}, "needs a class named 'other'"),
        ({"out_of_set": "drop"}, "drop_vote, other_class, drop_utterance; not 'drop'"),
        ({"multi_tick": "spilt"}, "split, sum, first; not 'spilt'"),
        ({"min_votes": 0}, "at least 1, not 0"),
    ],
)
def test_refuses_a_rule_that_contradicts_itself(settings, message):
    with pytest.raises(UserError, match=message):
        LabelRule(**{"classes": CLASSES, **settings})


VOCABULARY = (*CLASSES, "other", "excited", "fear")
any_votes = st.lists(
    st.builds(Vote, st.lists(st.sampled_from(VOCABULARY), max_size=4, unique=True).map(tuple)),
    max_size=12,
)
any_rule = st.builds(
    LabelRule,
    classes=st.permutations(["neutral", "happy", "sad", "other"]).map(tuple),
    merge=st.sampled_from([{}, {"excited": "happy"}, {"fear": "other", "angry": "sad"}]),
    multi_tick=st.sampled_from(["split", "sum", "first"]),
    out_of_set=st.sampled_from(["drop_vote", "other_class", "drop_utterance"]),
    min_votes=st.integers(1, 3),
)


@given(any_votes, any_rule)
def test_is_a_distribution_or_a_reason(votes, rule):
    label = soft_label(votes, rule)
    if isinstance(label, DropReason):
        return
    assert len(label.distribution) == len(label.masses) == len(rule.classes)
    assert sum(label.distribution) == pytest.approx(1.0, abs=1e-12)
    assert min(label.distribution) >= 0
    assert max(label.distribution) <= 1
    assert rule.min_votes <= label.annotators <= len(votes)
    if rule.multi_tick != "sum":
        assert sum(label.masses) == pytest.approx(label.annotators)


@given(any_votes.flatmap(lambda votes: st.tuples(st.just(votes), st.permutations(votes))), any_rule)
def test_the_order_of_the_votes_does_not_matter(pair, rule):
    votes, shuffled = pair
    assert soft_label(shuffled, rule) == soft_label(votes, rule)


@given(any_votes, any_rule, st.permutations(range(4)))
def test_permuting_the_classes_permutes_the_distribution(votes, rule, order):
    moved = dataclasses.replace(rule, classes=tuple(rule.classes[index] for index in order))
    label, other = soft_label(votes, rule), soft_label(votes, moved)
    if isinstance(label, DropReason):
        assert other is label
        return
    assert other.distribution == tuple(label.distribution[index] for index in order)
    assert other.masses == tuple(label.masses[index] for index in order)
    assert entropy_bits(other.distribution) == entropy_bits(label.distribution)


@given(any_votes, any_rule, st.integers(2, 5))
def test_more_of_the_same_votes_change_nothing(votes, rule, copies):
    rule = dataclasses.replace(rule, min_votes=1)
    label, repeated = soft_label(votes, rule), soft_label(votes * copies, rule)
    if isinstance(label, DropReason):
        assert repeated is label
        return
    assert repeated.distribution == label.distribution
    assert repeated.annotators == copies * label.annotators


any_counts = st.lists(st.integers(0, 12), min_size=2, max_size=8).filter(any)


@given(any_counts)
def test_entropy_is_that_of_scipy(counts):
    shares = [count / sum(counts) for count in counts]
    entropy = entropy_bits(shares)
    assert entropy == pytest.approx(scipy.stats.entropy(shares, base=2), abs=1e-12)
    assert 0 <= entropy <= math.log2(len(shares)) + 1e-12
    assert (entropy == 0) == (counts.count(0) == len(counts) - 1)


def test_entropy_by_hand():
    assert entropy_bits([0.5, 0.25, 0.25, 0.0]) == 1.5
    assert entropy_bits([0.25] * 4) == 2.0
    assert math.copysign(1, entropy_bits([0.0, 1.0])) == 1  # a report must not show -0.0


def test_strata_by_hand():
    # The terciles of 1..9 are 3 2/3 and 6 1/3; the zeros do not move them.
    names = strata([9, 0, 1, 2, 3, 0, 4, 5, 6, 7, 8])
    assert names == (
        ["high", "unanimous"] + 3 * ["low"] + ["unanimous"] + 3 * ["medium"] + 2 * ["high"]
    )


def test_strata_without_ambiguity():
    assert strata([]) == []
    assert strata([0.0, 0.0]) == ["unanimous", "unanimous"]


@given(st.lists(any_counts, max_size=30))
def test_unanimous_is_exactly_where_all_agree(corpus):
    entropies = [entropy_bits([n / sum(counts) for n in counts]) for counts in corpus]
    names = strata(entropies)
    agreed = [max(counts) == sum(counts) for counts in corpus]
    assert [name == "unanimous" for name in names] == agreed
    order = {"unanimous": 0, "low": 1, "medium": 2, "high": 3}
    ranked = [order[name] for _, name in sorted(zip(entropies, names, strict=True))]
    assert ranked == sorted(ranked)


def test_equally_ambiguous_utterances_share_a_stratum():
    # Summed from left to right, the entropies of these differ in their last bits, and the terciles
    # fall between them.
    shares = [count / 23 for count in (1, 2, 3, 4, 5, 8)]
    entropies = [entropy_bits(order) for order in permutations(shares)]
    naive = {sum(-p * math.log2(p) for p in order) for order in permutations(shares)}
    assert len(naive) > 1
    assert len(set(strata(entropies))) == 1
