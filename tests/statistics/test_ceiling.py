"""Split halves and fresh panels: hand-computed cases, all splits and panels one by one, theory."""

from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ambi_tasks.labels import LabelRule, SoftLabel, soft_label
from ambi_tasks.metrics import get_metric
from ambi_tasks.statistics import ceiling, fresh_panel, split_half, vote_table
from ambi_tasks.statistics.ceiling import _halves, scored_metrics

from .builders import CLASSES, panels, table_of, utterance

LETTERS = tuple("abcdefg")
METRICS = [metric for metric in scored_metrics(LETTERS) if metric.level == "utterance"]
NAMES = [metric.name for metric in METRICS]


def rng(seed=0):
    return np.random.default_rng(seed)


def letters(table):
    return LETTERS[: table.distributions.shape[1]]


def values_of(reference, table, **settings):
    """(N, M), each utterance's value of the metrics that have one."""
    found = reference(table, letters(table), **settings)
    assert all((found[name][:, 1] == 1).all() for name in NAMES)
    return np.column_stack([found[name][:, 0] for name in NAMES])


def by_name(reference, table, **settings):
    """Each metric of all utterances."""
    found = reference(table, letters(table), **settings)
    return {name: get_metric(name).value(one.sum(axis=0)) for name, one in found.items()}


def value(name, truth, prediction):
    return get_metric(name).function([truth], [prediction])[0]


def test_the_metrics_of_distributions_and_no_others():
    assert {"acc", "bc", "brier", "js", "r2"} <= set(NAMES)
    assert "parsed" not in NAMES
    names = [metric.name for metric in scored_metrics(("sad", "happy"))]
    assert {"f1_macro", "ece", "ent_corr", "wasserstein"} <= set(names)
    assert set(names) - {metric.name for metric in scored_metrics(LETTERS)} == {"wasserstein"}


# --- split halves --------------------------------------------------------------------------------


def test_two_annotators_have_one_split():
    table = table_of([[1, 1, 0], [2, 0, 0]])
    found = values_of(split_half, table, rng=rng(), repetitions=3)
    apart, agreed = (dict(zip(NAMES, row, strict=True)) for row in found)

    by_hand = {"acc": 0, "bc": 0, "brier": 2, "js": 1, "r2": 0.25}
    assert {name: apart[name] for name in by_hand} == pytest.approx(by_hand)
    by_hand = {"acc": 1, "bc": 1, "brier": 0, "js": 0, "r2": 1}
    assert {name: agreed[name] for name in by_hand} == pytest.approx(by_hand)


def test_three_annotators_by_hand():
    # a, a, b splits into a | a, b (two times in three) and b | a, a (one in three).
    # Brier: 1/2 and 2. BC: sqrt(1/2) and 0. Accuracy: (1 + 1/2) / 2, for the tied half names both
    # classes as truth and each of them half as prediction, and 0.
    got = by_name(split_half, table_of([[2, 1]] * 2000), rng=rng(), repetitions=10)

    assert got["brier"] == pytest.approx(1.0, abs=0.03)
    assert got["bc"] == pytest.approx(2 / 3 * 0.5**0.5, abs=0.015)
    assert got["acc"] == pytest.approx(0.5, abs=0.015)


def test_multiple_ticks_by_hand():
    # angry + sad against angry: (1/2, 1/2) and (1, 0).
    table = vote_table([utterance("u", [("angry", "sad"), "angry"])], LabelRule(CLASSES))
    got = by_name(split_half, table, rng=rng(), repetitions=2)

    assert got["brier"] == pytest.approx(0.5)
    assert got["bc"] == pytest.approx(0.5**0.5)
    assert got["acc"] == pytest.approx(0.75)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_all_splits_are_equally_likely(n):
    # Every annotator has a class of their own, so a half shows who is in it; a longer panel beside
    # it makes empty seats.
    table = table_of([[1] * n + [0] * (7 - n), [1] * 7])
    draws, noise = 4000, rng(n)
    smaller = Counter()
    for _ in range(draws):
        one, other = _halves(table.masses, table.annotators, noise)
        assert (one[0] > 0).sum() == n // 2
        np.testing.assert_array_equal((one > 0) ^ (other > 0), table.distributions > 0)
        smaller[tuple(np.flatnonzero(one[0]))] += 1
    choices = list(combinations(range(n), n // 2))

    assert set(smaller) == set(choices)
    assert stats.chisquare([smaller[choice] for choice in choices]).pvalue > 1e-4


@settings(max_examples=20, deadline=None)
@given(
    votes=panels(least=2),
    multi_tick=st.sampled_from(["split", "sum", "first"]),
    merge=st.sampled_from([{}, {"excited": "happy"}]),
)
def test_equals_all_splits_of_the_annotators_one_by_one(votes, multi_tick, merge):
    rule = LabelRule(CLASSES, merge=merge, multi_tick=multi_tick)
    corpus = [utterance("u", votes)]
    counting = [vote for vote in corpus[0].votes if isinstance(soft_label([vote], rule), SoftLabel)]
    if len(counting) < 2:
        assert vote_table(corpus, rule).annotators.size == 0
        return
    of_splits = []
    for choice in combinations(range(len(counting)), len(counting) // 2):
        one = soft_label([counting[i] for i in choice], rule).distribution
        rest = [vote for i, vote in enumerate(counting) if i not in choice]
        other = soft_label(rest, rule).distribution
        of_splits.append([(value(n, one, other) + value(n, other, one)) / 2 for n in NAMES])
    repetitions = 200
    error = np.std(of_splits, axis=0) / repetitions**0.5
    got = values_of(split_half, vote_table(corpus, rule), rng=rng(), repetitions=repetitions)[0]

    assert np.all(np.abs(got - np.mean(of_splits, axis=0)) <= 6 * error + 1e-9)


def test_the_brier_score_of_halves_is_known():
    counts = rng(1).multinomial(rng(2).integers(2, 13, 300), [0.4, 0.3, 0.2, 0.1])
    n = counts.sum(axis=1)
    spread = 1 - ((counts / n[:, None]) ** 2).sum(axis=1)
    expected = spread * n**2 / ((n // 2) * (n - n // 2) * (n - 1))
    found = values_of(split_half, table_of(counts), rng=rng(), repetitions=100)
    got = found[:, NAMES.index("brier")]

    assert got.mean() == pytest.approx(expected.mean(), rel=0.01)
    assert np.corrcoef(got, expected)[0, 1] > 0.98


@settings(deadline=None)
@given(counts=st.lists(st.lists(st.integers(0, 4), min_size=4, max_size=4), min_size=1, max_size=4))
def test_within_the_bounds_and_perfect_where_unanimous(counts):
    counts = [[*row[:3], row[3] + 2] for row in counts] + [[0, 0, 5, 0]]
    for reference in (split_half, fresh_panel):
        values = values_of(reference, table_of(counts), rng=rng(), repetitions=3)
        for metric, column in zip(METRICS, values.T, strict=True):
            low, high = metric.bounds
            assert np.all((column >= low - 1e-12) & (column <= high + 1e-12))
            assert column[-1] == pytest.approx(high if metric.higher_is_better else low)


# --- fresh panels --------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [[1, 1, 0], [2, 1, 0], [1, 1, 1], [2, 1, 1]])
def test_equals_all_panels_one_by_one(counts):
    n, p = sum(counts), np.array(counts) / sum(counts)
    possible = [x for x in product(range(n + 1), repeat=3) if sum(x) == n]
    chances = stats.multinomial.pmf(possible, n, p)
    of_panels = np.array([[value(name, p, np.array(x) / n) for name in NAMES] for x in possible])
    expected = chances @ of_panels
    error = np.sqrt(chances @ (of_panels - expected) ** 2 / 1000)
    got = values_of(fresh_panel, table_of([counts]), rng=rng(), repetitions=1000)[0]

    assert np.all(np.abs(got - expected) <= 5 * error + 1e-9)


def test_the_votes_are_the_truth_and_the_panel_the_prediction():
    # A truth that ties is right about every panel. The other way round, the panel of two that does
    # not tie, one in two, would be met by half of the prediction: 3/4.
    assert by_name(fresh_panel, table_of([[1, 1]]), rng=rng(), repetitions=50)["acc"] == 1
    # Two or three of three draws fall to a class of probability 2/3: 12/27 + 8/27.
    got = by_name(fresh_panel, table_of([[2, 1]] * 2000), rng=rng(), repetitions=10)
    assert got["acc"] == pytest.approx(20 / 27, abs=0.015)


def test_the_brier_score_of_fresh_panels_is_known():
    counts = rng(1).multinomial(rng(2).integers(2, 13, 300), [0.4, 0.3, 0.2, 0.1])
    n = counts.sum(axis=1)
    expected = (1 - ((counts / n[:, None]) ** 2).sum(axis=1)) / n
    found = values_of(fresh_panel, table_of(counts), rng=rng(), repetitions=100)
    got = found[:, NAMES.index("brier")]

    assert got.mean() == pytest.approx(expected.mean(), rel=0.02)


# --- both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("annotators", [3, 6, 11])
def test_split_half_is_conservative_and_the_fresh_panel_optimistic(annotators):
    noise = rng(annotators)
    opinion = noise.dirichlet([0.5] * 5, size=3000)
    votes = noise.multinomial(annotators, opinion)
    others = noise.multinomial(annotators, opinion)
    table = table_of(votes)
    halves = by_name(split_half, table, rng=noise, repetitions=10)
    fresh = by_name(fresh_panel, table, rng=noise, repetitions=10)
    for metric in scored_metrics(letters(table)):
        if metric.name in {"ece", "ent_mae", "kl"}:
            continue  # see the module
        if metric.name == "top2" and annotators == 3:
            continue  # any second class will do for half of three, so half does a little better
        panel = np.mean(metric.compute(table.distributions, others / annotators))
        knower = np.mean(metric.compute(table.distributions, opinion))
        ascending = [halves[metric.name], panel, knower, fresh[metric.name]]
        worst_first = ascending if metric.higher_is_better else [-x for x in ascending]
        assert worst_first == sorted(worst_first), metric.name


def test_a_panel_is_no_ceiling_of_calibration():
    # The most voted class of a small panel is voted too often by chance, so it is overconfident.
    noise = rng(1)
    opinion = noise.dirichlet([0.5] * 5, size=3000)
    table = table_of(noise.multinomial(6, opinion))
    calibrated = get_metric("ece").compute(table.distributions, opinion)

    for reference in (split_half, fresh_panel):
        assert by_name(reference, table, rng=noise, repetitions=5)["ece"] > calibrated + 0.05


@pytest.mark.parametrize("reference", [split_half, fresh_panel])
def test_a_seed_repeats(reference):
    table = table_of([[3, 2, 1], [1, 4, 1]])
    one, same, other = (values_of(reference, table, rng=rng(s), repetitions=5) for s in (1, 1, 2))

    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("reference", [split_half, fresh_panel])
def test_bad_arguments(reference):
    with pytest.raises(ValueError, match="repetitions is 0, but must be at least 1"):
        reference(table_of([[1, 1]]), "ab", rng=rng(), repetitions=0)
    with pytest.raises(ValueError, match=r"shape \(0, 4\)"):
        reference(vote_table([], LabelRule(CLASSES)), CLASSES, rng=rng())


@pytest.mark.parametrize("reference", [split_half, fresh_panel])
def test_metrics_of_the_corpus_are_those_of_all_draws_pooled(reference, monkeypatch):
    table = table_of(rng(1).multinomial(7, [0.5, 0.3, 0.2], size=40))
    drawn = []
    sufficient = ceiling.statistics

    def kept(truth, prediction, labels, metrics=None):
        drawn.append((truth, prediction))
        return sufficient(truth, prediction, labels, metrics)

    monkeypatch.setattr(ceiling, "statistics", kept)
    found = by_name(reference, table, rng=rng(), repetitions=4)
    truth, prediction = map(np.concatenate, zip(*drawn, strict=True))

    assert len(drawn) == (8 if reference is split_half else 4)
    for name in ("f1_macro", "f1_weighted", "ece"):
        assert found[name] == pytest.approx(get_metric(name).compute(truth, prediction))
    each = [get_metric("ent_corr").compute(*pair) for pair in drawn]
    assert found["ent_corr"] == pytest.approx(np.mean(each))
