"""Intervals and p-values: scipy where every speaker has one utterance, coverage, hand cases."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ambi_tasks.statistics import (
    Bootstrap,
    Clusters,
    ClusterSums,
    intervals,
    p_values,
    resample,
    t_p_values,
)

from .simulated import Mean, mean_of, rng

METHODS = ["percentile", "bca"]


def ends(drawn, **settings):
    return [(score.low, score.high) for score in intervals(drawn, **settings).values()]


def drawn_of(values, clusters, resamples=2000, seed=0):
    return resample([mean_of(values, clusters)], rng=rng(seed), resamples=resamples)


class Ratio(Mean):
    pass


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_equals_scipy_where_every_cluster_is_one_utterance(method, level):
    sample = rng(3).exponential(size=(60, 2)) + np.array([0, 1])
    clusters = Clusters.of(np.arange(60))
    sums = [mean_of(sample[:, 0], np.arange(60)), ClusterSums.of("r", sample, clusters, Ratio())]
    drawn = resample(sums, rng=rng(), resamples=40_000)
    for found, (data, statistic) in zip(
        ends(drawn, method=method, level=level, widened=False),
        [
            ((sample[:, 0],), np.mean),
            (tuple(sample.T), lambda one, two, axis: one.sum(axis) / two.sum(axis)),
        ],
        strict=True,
    ):
        scipys = stats.bootstrap(
            data, statistic, n_resamples=40_000, method=method, confidence_level=level,
            paired=True, rng=rng(1),
        )  # fmt: skip
        # Two quantiles of 40,000 resamples each: the tolerance is about 4 of their errors.
        np.testing.assert_allclose(
            found, scipys.confidence_interval, rtol=0, atol=0.06 * scipys.standard_error
        )


def test_the_standard_error_of_a_mean_is_the_usual_one():
    values = rng(5).random(20)
    score = intervals(drawn_of(values, np.arange(20), resamples=40_000))["mean"]

    assert score.se == pytest.approx(stats.sem(values), rel=0.02)
    assert score.value == pytest.approx(values.mean())


def test_widened_to_the_width_of_the_t_interval():
    values = rng(5).standard_normal(12)
    found = ends(drawn_of(values, np.arange(12), resamples=100_000))[0]
    t = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))

    assert found[1] - found[0] == pytest.approx(t[1] - t[0], rel=0.03)


def test_widening_depends_on_the_effective_number_of_clusters():
    even, uneven = np.arange(40) % 4, np.minimum(np.arange(40) % 8, 3)  # sizes 10; 5, 5, 5, 25
    values = rng(1).random(40)
    by_hand = stats.t.ppf(0.025, 40**2 / 700 - 1) * math.sqrt(1 / (1 - 700 / 40**2))
    drawn = drawn_of(values, uneven)

    assert ends(drawn)[0][0] == pytest.approx(
        np.quantile(drawn.resampled, stats.norm.cdf(by_hand)), rel=1e-6
    )
    assert drawn_of(values, even).effective == pytest.approx(4)


def test_two_clusters_by_hand():
    # Means of the resamples: aa 1, ab (2 + 4) / 3 = 2, bb 4; a quarter, a half and a quarter.
    drawn = drawn_of([1.0, 1.0, 4.0], ["a", "a", "b"])

    assert ends(drawn, widened=False) == [(1, 4)]
    assert ends(drawn, widened=False, level=0.3) == [(2, 2)]


def test_bca_by_hand():
    # Half of the resampled values lie below the value 0.5, so b = 0; the jackknife's d are
    # (-2, 1, 1), so a = -6 / (6 * 6^1.5).
    resampled = np.linspace(0, 1, 1001)[:, None]
    drawn = Bootstrap(("m",), 3.0, np.array([0.5]), resampled, np.array([[3.0], [0.0], [0.0]]))
    z = np.array([-1.959964, 1.959964])
    expected = stats.norm.cdf(z / (1 + 6**-1.5 * z))

    assert ends(drawn, method="bca", widened=False)[0] == pytest.approx(tuple(expected), abs=1e-6)


def test_constant_values_have_no_width():
    drawn = resample(
        [mean_of([0.1] * 6, list("aabbcc")), mean_of([0.3] * 6, list("aabbcc"), name="other")],
        rng=rng(), resamples=100,
    )  # fmt: skip
    for method in METHODS:
        for score, value in zip(intervals(drawn, method=method).values(), (0.1, 0.3), strict=True):
            assert (score.value, score.low, score.high) == pytest.approx((value,) * 3, abs=1e-12)
            assert score.se == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@given(
    rows=st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.sampled_from("abc")), min_size=2, max_size=12
    ).filter(lambda rows: len({row[1] for row in rows}) > 1)
)
def test_ordered_and_within_the_values(method, rows):
    values, clusters = zip(*rows, strict=True)
    score = intervals(drawn_of(values, clusters, resamples=50), method=method)["mean"]

    assert min(values) - 1e-9 <= score.low <= score.high <= max(values) + 1e-9
    assert score.se >= 0


@pytest.mark.parametrize("method", METHODS)
@given(shift=st.floats(-100, 100))
def test_a_shift_moves_the_interval(method, shift):
    values, clusters = rng(1).random(20), np.arange(20) % 5
    one, other = (
        intervals(drawn_of(some, clusters, resamples=200), method=method)["mean"]
        for some in (values, values + shift)
    )

    for name in ("value", "low", "high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) + shift, abs=1e-9)
    assert other.se == pytest.approx(one.se, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_resamples_without_a_value_are_left_out(method):
    statistics = [[1.0, 1.0], [2.0, 1.0], [0.0, 0.0]]
    sums = ClusterSums.of("r", statistics, Clusters.of(list("abc")), Mean())
    score = intervals(resample([sums], rng=rng(), resamples=500), method=method)["r"]
    assert (score.low, score.value, score.high) == (1, 1.5, 2)

    nothing = ClusterSums.of("r", np.zeros((3, 2)), Clusters.of(list("abc")), Mean())
    drawn = resample([nothing], rng=rng(), resamples=50)
    score = intervals(drawn, method=method)["r"]
    assert np.isnan([score.value, score.low, score.high, score.se]).all()
    assert math.isnan(p_values(drawn, method=method)["r"])


def test_one_resample_has_no_standard_error():
    score = intervals(drawn_of([1.0, 2.0], ["a", "b"], resamples=1))["mean"]
    assert score.low == score.high
    assert math.isnan(score.se)


# --- coverage ------------------------------------------------------------------------------------


def simulated_means(speakers, corpora, seed):
    """Means of many corpora whose variance is half the speakers', of speakers of unequal sizes."""
    noise = rng(seed)
    sizes = np.maximum(1, noise.lognormal(2.2, 0.6, speakers)).astype(int)
    speaker = np.repeat(np.arange(speakers), sizes)
    own = noise.standard_normal((speakers, corpora))[speaker]
    values = own + noise.standard_normal((len(speaker), corpora))
    return [mean_of(column, speaker, name=str(n)) for n, column in enumerate(values.T)], values


@pytest.mark.parametrize("speakers", [10, 24, 91])
@pytest.mark.parametrize("method", METHODS)
def test_coverage(speakers, method):
    sums, _ = simulated_means(speakers, corpora=600, seed=speakers)
    drawn = resample(sums, rng=rng(), resamples=1000)
    covered = np.mean([low <= 0 <= high for low, high in ends(drawn, method=method)])
    rejected = np.mean([p <= 0.05 for p in p_values(drawn, method=method).values()])

    # 3 standard errors of 600 corpora are 0.03.
    assert 0.91 <= covered <= 0.98
    assert 0.02 <= rejected <= 0.09
    assert rejected == pytest.approx(1 - covered, abs=0.01)


def test_utterances_taken_for_independent_would_cover_too_little():
    _, values = simulated_means(40, corpora=200, seed=1)
    alone = [mean_of(column, np.arange(len(values))) for column in values.T]
    drawn = resample(alone, rng=rng(), resamples=500)
    names = tuple(map(str, range(200)))
    drawn = Bootstrap(names, drawn.effective, drawn.value, drawn.resampled, drawn.jackknife)

    assert np.mean([low <= 0 <= high for low, high in ends(drawn)]) < 0.7


# --- p-values ------------------------------------------------------------------------------------


def of_resampled(resampled, effective):
    values = np.array(resampled, dtype=float)[:, None]
    return Bootstrap(("d",), effective, np.array([0.5]), values, np.array([[0.0], [1.0]]))


def test_p_by_hand():
    # One of nine resampled differences is negative: l = 2 / 10, u = 9 / 10.
    nine = of_resampled([-1, 1, 2, 3, 4, 5, 6, 7, 8], effective=4.0)

    assert p_values(nine, widened=False)["d"] == pytest.approx(0.4)
    t = stats.norm.ppf(0.2) * math.sqrt(3 / 4)
    assert p_values(nine)["d"] == pytest.approx(2 * stats.t.cdf(t, 3))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("widened", [False, True])
def test_p_is_small_exactly_where_the_interval_excludes_0(method, widened):
    values, clusters = rng(2).standard_normal(60), np.arange(60) % 12
    for shift in np.linspace(-0.6, 0.6, 41):
        drawn = drawn_of(values + shift, clusters, resamples=4000)
        p = p_values(drawn, method=method, widened=widened)["mean"]
        for level in (0.5, 0.9, 0.95):
            ((low, high),) = ends(drawn, method=method, widened=widened, level=level)
            if abs(p - (1 - level)) > 0.01:
                assert (p < 1 - level) == (not low <= 0 <= high)


@pytest.mark.parametrize("method", METHODS)
def test_the_sign_of_a_difference_does_not_change_p(method):
    one, other = (
        p_values(drawn_of(sign * (rng(2).random(30) - 0.4), np.arange(30) % 6), method=method)
        for sign in (1, -1)
    )
    assert one["mean"] == pytest.approx(other["mean"], rel=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_no_difference_has_p_1_even_where_rounding_differs(method):
    for tiny in (0.0, 1e-16, -1e-16):
        same = Bootstrap(
            ("d",), 5.0, np.array([tiny]), np.full((99, 1), tiny), np.full((5, 1), tiny)
        )
        assert p_values(same, method=method)["d"] == 1


def test_p_is_never_0():
    assert p_values(of_resampled([1.0] * 999, 30.0), widened=False)["d"] == pytest.approx(0.002)
    assert 0.002 < p_values(of_resampled([1.0] * 999, 30.0))["d"] < 0.006
    assert 0 < p_values(of_resampled([1.0] * 999, 30.0), method="bca")["d"] <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "basic"}, "method is 'basic', but must be 'percentile' or 'bca'"),
        ({"level": 1.0}, "level is 1.0, but must lie between 0 and 1"),
        ({"level": 0.0}, "level is 0.0, but must lie between 0 and 1"),
        ({"level": math.nan}, "level is nan, but must lie between 0 and 1"),
    ],
)
def test_bad_arguments(changes, message):
    drawn = drawn_of([1.0, 2.0], ["a", "b"])
    with pytest.raises(ValueError, match=message):
        intervals(drawn, **changes)
    if "method" in changes:
        with pytest.raises(ValueError, match=message):
            p_values(drawn, **changes)


@pytest.mark.parametrize("method", METHODS)
def test_one_speaker_with_nearly_everything_gives_the_whole_range(method):
    values, clusters = np.arange(1001.0), np.array(["a"] * 1000 + ["b"])
    drawn = drawn_of(values, clusters, resamples=50)

    assert ends(drawn, method=method)[0] == (drawn.resampled.min(), drawn.resampled.max())
    assert p_values(drawn, method=method)["mean"] > 0.5


@pytest.mark.parametrize("shift", [0.02, 0.1, 0.5])
def test_by_t_a_mean_over_equal_speakers_is_tested_as_usual(shift):
    values = rng(8).standard_normal(40) / 4 + shift
    p = t_p_values(drawn_of(values, np.arange(40), resamples=40_000))["mean"]
    exact = stats.ttest_1samp(values, 0)
    # The error is that of the resamples: 0.4 %, so its t is wrong by as much.
    ratio = stats.t.isf(p / 2, 39) / abs(exact.statistic)
    assert ratio == pytest.approx(1, abs=0.02)


def test_by_t_there_is_no_smallest_p():
    """Which Holm over thousands of pairs would lift above any level."""
    values = rng(8).standard_normal(91) / 10 + 1
    drawn = drawn_of(values, np.arange(91), resamples=1000)
    assert p_values(drawn)["mean"] > 1e-4
    assert t_p_values(drawn)["mean"] < 1e-50


def test_by_t_equal_runs_differ_by_nothing_and_constant_differences_beyond_doubt():
    assert t_p_values(drawn_of(np.zeros(9), np.arange(9)))["mean"] == 1
    assert t_p_values(drawn_of(np.ones(9), np.arange(9)))["mean"] == 0


def test_by_t_few_differences_are_found_where_there_is_none():
    """At 5 %, in samples of 24 speakers; the error of the share is 0.01."""
    found = [
        t_p_values(drawn_of(rng(seed).standard_normal(24), np.arange(24), resamples=400))["mean"]
        for seed in range(500)
    ]
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.03)
