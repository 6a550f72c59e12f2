"""Intervals: coverage on simulated speakers, scipy where every speaker has one utterance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ambi_tasks.statistics import bootstrap, clustered_intervals


def rng(seed=0):
    return np.random.default_rng(seed)


def simulated_corpora(speakers, corpora, seed):
    """Values (N, corpora) of mean 0 whose variance is half the speakers', and who speaks, (N,)."""
    noise = rng(seed)
    speaker = np.repeat(np.arange(speakers), noise.integers(5, 16, speakers))
    own = noise.standard_normal((speakers, corpora))[speaker]
    return own + noise.standard_normal((len(speaker), corpora)), speaker


def share_that_holds_zero(intervals):
    return np.mean((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0))


@pytest.mark.parametrize(("speakers", "documented"), [(5, 0.84), (10, 0.89), (40, 0.94)])
def test_coverage(speakers, documented):
    values, speaker = simulated_corpora(speakers, corpora=2000, seed=speakers)
    intervals = clustered_intervals(values, speaker, rng=rng())

    # 4 standard errors of 2,000 corpora are 0.03 or less.
    assert share_that_holds_zero(intervals) == pytest.approx(documented, abs=0.03)


def test_utterances_taken_for_independent_would_cover_too_little():
    values, speaker = simulated_corpora(40, corpora=1000, seed=1)
    alone = np.arange(len(speaker))

    assert share_that_holds_zero(clustered_intervals(values, alone, rng=rng())) < 0.7


def test_equals_scipy_where_every_cluster_is_one_utterance():
    values = rng(3).exponential(size=(80, 2))
    ours = clustered_intervals(values, np.arange(80), rng=rng(), resamples=40_000)

    for column, interval in zip(values.T, ours, strict=True):
        scipys = stats.bootstrap(
            (column,), np.mean, n_resamples=40_000, method="percentile", rng=rng(1)
        ).confidence_interval
        # Two quantiles of 40,000 resamples each: the tolerance is about 4 of their standard errors.
        np.testing.assert_allclose(interval, scipys, rtol=0, atol=0.06 * np.std(column) / 80**0.5)


def test_equals_resampling_clusters_one_by_one():
    values, speaker = simulated_corpora(12, corpora=1, seed=5)
    pick = rng(6)
    means = []
    for _ in range(20_000):
        drawn = pick.integers(12, size=12)
        means.append(np.concatenate([values[speaker == one, 0] for one in drawn]).mean())
    ours = clustered_intervals(values, speaker, rng=rng(), resamples=20_000, level=0.8)

    np.testing.assert_allclose(ours[0], np.quantile(means, [0.1, 0.9]), rtol=0, atol=0.02)


def test_two_clusters_by_hand():
    # Means of the resamples: aa 1, ab (2 + 4) / 3 = 2, bb 4; a quarter, a half and a quarter.
    values, clusters = [[1.0], [1.0], [4.0]], ["a", "a", "b"]

    wide = clustered_intervals(values, clusters, rng=rng())
    narrow = clustered_intervals(values, clusters, rng=rng(), level=0.3)

    assert wide.tolist() == [[1.0, 4.0]]
    assert narrow.tolist() == [[2.0, 2.0]]


@given(
    rows=st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.sampled_from("abc")),
        min_size=2,
        max_size=12,
    ).filter(lambda rows: len({row[2] for row in rows}) > 1)
)
def test_ordered_and_within_the_values(rows):
    values = np.array([row[:2] for row in rows])
    low, high = clustered_intervals(values, [row[2] for row in rows], rng=rng(), resamples=50).T

    assert np.all(low <= high)
    assert np.all(low >= values.min(axis=0) - 1e-9)
    assert np.all(high <= values.max(axis=0) + 1e-9)


def test_columns_share_the_resamples_and_a_seed_repeats():
    values, speaker = simulated_corpora(8, corpora=1, seed=2)
    both = clustered_intervals(np.hstack([values, values + 5]), speaker, rng=rng(4))

    np.testing.assert_allclose(both[1], both[0] + 5, rtol=0, atol=1e-12)
    alone = clustered_intervals(values, speaker, rng=rng(4))
    np.testing.assert_allclose(alone, both[:1], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(alone, clustered_intervals(values, speaker, rng=rng(4)))
    assert not np.array_equal(alone, clustered_intervals(values, speaker, rng=rng(5)))


def test_blocks_of_resamples_change_nothing(monkeypatch):
    values, speaker = simulated_corpora(8, corpora=2, seed=2)
    whole = clustered_intervals(values, speaker, rng=rng(), resamples=101)
    monkeypatch.setattr(bootstrap, "_WEIGHTS_AT_ONCE", 80)

    in_blocks = clustered_intervals(values, speaker, rng=rng(), resamples=101)

    np.testing.assert_allclose(in_blocks, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": [1.0, 2.0]}, r"have the shapes \(2,\) and \(2,\), but must be \(N, M\)"),
        ({"values": np.zeros((0, 1)), "clusters": []}, r"the shapes \(0, 1\) and \(0,\)"),
        ({"clusters": ["a"]}, r"the shapes \(2, 1\) and \(1,\)"),
        ({"values": [[1.0], [np.nan]]}, "values holds NaN or infinity"),
        ({"clusters": ["a", "a"]}, "a single cluster, so there is nothing to resample"),
        ({"resamples": 0}, "resamples is 0, but must be at least 1"),
        ({"level": 1.0}, "level is 1.0, but must lie between 0 and 1"),
        ({"level": 0.0}, "level is 0.0, but must lie between 0 and 1"),
    ],
)
def test_bad_arguments(changes, message):
    arguments = {"values": [[1.0], [2.0]], "clusters": ["a", "b"], "rng": rng()} | changes
    with pytest.raises(ValueError, match=message):
        clustered_intervals(**arguments)
