"""Resamples: clusters drawn one by one, all resamples of a few clusters, every metric, blocks."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.metrics import all_metrics
from ambi_tasks.statistics import Clusters, ClusterSums, bootstrap, resample, resampled_sums

from .simulated import LABELS, corpus, mean_of, rng


@dataclass(frozen=True)
class Ratio:
    """A made-up corpus metric, of two statistics."""

    def value(self, sums, /):
        return sums[..., 0] / sums[..., 1]


def test_clusters():
    clusters = Clusters.of(["c", "a", "c", "b", "c"])

    assert clusters.names.tolist() == ["a", "b", "c"]
    assert clusters.sizes.tolist() == [1, 1, 3]
    sums = clusters.sums(np.array([[1.0, 10], [2, 20], [3, 30], [4, 40], [5, 50]]))
    assert sums.tolist() == [[2, 20], [4, 40], [9, 90]]
    assert clusters.effective == pytest.approx(25 / 11)
    assert Clusters.of([7, 8, 9]).effective == pytest.approx(3)


def test_every_resample_of_three_clusters_is_as_likely():
    # Sums 1, 10 and 100: the sum of a resample says what was drawn.
    (drawn,) = resampled_sums(np.array([[1.0], [10.0], [100.0]]), rng=rng(), resamples=54_000)
    possible = [sum(some) for some in product([1, 10, 100], repeat=3)]
    sums, counts = np.unique(drawn, return_counts=True)

    assert sums.tolist() == sorted(set(possible))
    expected = np.array([possible.count(one) for one in sums]) * 2000
    assert np.abs(counts - expected).max() < 5 * expected.max() ** 0.5


def test_a_metric_of_a_resample_is_the_metric_of_its_utterances():
    truth, prediction, speaker = corpus(6, seed=1)
    clusters = Clusters.of(speaker)
    metrics = [one for one in all_metrics().values() if one.needs == "distributions"]
    exact = [one for one in metrics if not one.linearised]
    sums = [
        ClusterSums.of(one.name, one.sufficient(truth, prediction, labels=LABELS), clusters, one)
        for one in exact
    ]
    drawn = resample(sums, rng=rng(3), resamples=20)

    picks = rng(3).integers(6, size=(20, 6))
    for pick, values in zip(picks, drawn.resampled, strict=True):
        rows = np.concatenate([np.flatnonzero(clusters.position == one) for one in pick])
        for metric, value in zip(exact, values, strict=True):
            direct = metric.compute(truth[rows], prediction[rows], labels=LABELS)
            assert value == pytest.approx(np.mean(direct), abs=1e-12), metric.name
    for one, values in enumerate(drawn.jackknife):
        rows = np.flatnonzero(clusters.position != one)
        for metric, value in zip(exact, values, strict=True):
            direct = metric.compute(truth[rows], prediction[rows], labels=LABELS)
            assert value == pytest.approx(np.mean(direct), abs=1e-12), metric.name


def test_the_linearised_rank_correlation_varies_as_the_one_of_resamples():
    truth, prediction, speaker = corpus(40, seed=2)
    clusters, metric = Clusters.of(speaker), all_metrics()["ent_corr"]
    sums = ClusterSums.of("ent_corr", metric.sufficient(truth, prediction), clusters, metric)
    drawn = resample([sums], rng=rng(4), resamples=400)
    rows_of = [np.flatnonzero(clusters.position == one) for one in range(40)]
    direct = [
        metric.compute(truth[rows], prediction[rows])
        for pick in rng(4).integers(40, size=(400, 40))
        for rows in [np.concatenate([rows_of[one] for one in pick])]
    ]

    assert drawn.value[0] == pytest.approx(metric.compute(truth, prediction))
    assert np.corrcoef(drawn.resampled[:, 0], direct)[0, 1] > 0.98
    assert drawn.resampled.std() == pytest.approx(np.std(direct), rel=0.1)


ROWS = st.lists(
    st.tuples(st.floats(-1e3, 1e3), st.sampled_from("abc")), min_size=2, max_size=12
).filter(lambda rows: len({row[1] for row in rows}) > 1)


@given(rows=ROWS, data=st.data())
def test_the_order_of_the_utterances_changes_nothing(rows, data):
    shuffled = data.draw(st.permutations(rows))
    one, other = (
        resample([mean_of(*zip(*some, strict=True))], rng=rng(), resamples=20)
        for some in (rows, shuffled)
    )

    np.testing.assert_allclose(one.resampled, other.resampled, rtol=0, atol=1e-9)
    np.testing.assert_allclose(one.jackknife, other.jackknife, rtol=0, atol=1e-9)


@given(rows=ROWS, shift=st.floats(-1e3, 1e3))
def test_a_shift_of_all_values_shifts_all_means(rows, shift):
    values, speaker = map(np.array, zip(*rows, strict=True))
    drawn = resample(
        [mean_of(values, speaker), mean_of(values + shift, speaker)], rng=rng(), resamples=20
    )
    difference = drawn.columns(1, 2).minus(drawn.columns(0, 1))

    for found in (difference.value, difference.resampled, difference.jackknife):
        np.testing.assert_allclose(found, shift, rtol=0, atol=1e-9)


def test_a_seed_repeats_and_what_is_beside_changes_nothing():
    values, speaker = rng(1).random(30), np.arange(30) % 7
    alone = resample([mean_of(values, speaker)], rng=rng(4), resamples=50)
    beside = resample(
        [mean_of(values**2, speaker), mean_of(values, speaker)], rng=rng(4), resamples=50
    )
    other = resample([mean_of(values, speaker)], rng=rng(5), resamples=50)

    np.testing.assert_allclose(beside.resampled[:, 1], alone.resampled[:, 0], rtol=0, atol=1e-12)
    assert not np.array_equal(alone.resampled, other.resampled)


def test_blocks_of_resamples_change_nothing(monkeypatch):
    sums = rng(1).random((8, 3))
    (whole,) = resampled_sums(sums, rng=rng(), resamples=101)
    monkeypatch.setattr(bootstrap, "_DRAWN_AT_ONCE", 80)
    blocks = list(resampled_sums(sums, rng=rng(), resamples=101))

    assert [len(one) for one in blocks] == [10] * 10 + [1]
    np.testing.assert_allclose(np.concatenate(blocks), whole, rtol=0, atol=1e-12)


def test_a_metric_without_a_value_is_nan_not_a_warning(recwarn):
    clusters = Clusters.of(["a", "b"])
    sums = ClusterSums.of("r", [[1.0, 1.0], [0.0, 0.0]], clusters, Ratio())
    drawn = resample([sums], rng=rng(), resamples=50)

    assert np.isnan(drawn.resampled).any()
    assert drawn.value.tolist() == [1]
    np.testing.assert_array_equal(drawn.jackknife[:, 0], [np.nan, 1])
    assert not recwarn.list


def test_bad_arguments():
    two = Clusters.of(["a", "b"])
    for statistics, message in (
        ([1.0, 2.0], r"of 'm' have the shape \(2,\), but must be \(2, S\)"),
        ([[1.0]], r"the shape \(1, 1\), but must be \(2, S\)"),
        (np.zeros((2, 0)), r"the shape \(2, 0\)"),
        ([[1.0], [np.nan]], "The statistics of 'm' hold NaN or infinity"),
        ([[1.0], [np.inf]], "The statistics of 'm' hold NaN or infinity"),
    ):
        with pytest.raises(ValueError, match=message):
            ClusterSums.of("m", statistics, two, Ratio())
    for names, shape in (([], r"\(0,\)"), ([["a"]], r"\(1, 1\)"), ("a", r"\(\)")):
        with pytest.raises(ValueError, match=f"clusters has the shape {shape}"):
            Clusters.of(names)
    one, other = mean_of([1, 2], ["a", "b"]), mean_of([1, 2], ["a", "c"])
    larger = mean_of([1, 2, 3], ["a", "b", "b"])
    for quantities, resamples, message in (
        ([], 9, "There are no quantities"),
        ([one, other], 9, "'mean' and 'mean' are of different clusters"),
        ([one, larger], 9, "are of different clusters"),
        ([mean_of([1, 2], ["a", "a"])], 9, "a single cluster, so there is nothing to resample"),
        ([one], 0, "resamples is 0, but must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            resample(quantities, rng=rng(), resamples=resamples)
