"""Comparisons of runs: refusals, equal runs, a known difference; Holm; rank groups by hand."""

import math
from itertools import combinations
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule
from ambi_tasks.metrics import all_metrics
from ambi_tasks.statistics import Run, compare_runs, holm, rank_groups, rank_runs, score_run

from .simulated import LABELS, corpus, rng

RULE = LabelRule(LABELS)


def a_run(name="one", speakers=12, seed=0, skill=1.0, rule=RULE, noise=0.0, keep=slice(None)):
    """The same utterances and truth for the same seed; `noise` changes the prediction."""
    truth, prediction, speaker = corpus(speakers, seed, skill)
    changed = prediction * np.exp(noise * rng(crc32(name.encode())).standard_normal(truth.shape))
    prediction = changed / changed.sum(axis=1, keepdims=True)
    ids = [f"u{number:03d}" for number in range(len(truth))]
    return Run.of(
        name, ids=ids[keep], speakers=[f"s{one}" for one in speaker[keep]], rule=rule,
        inputs={"distributions": (truth[keep], prediction[keep])},
    )  # fmt: skip


SETTINGS = {"seed": 0, "resamples": 400}


def test_a_run_against_itself():
    found = compare_runs([a_run("one"), a_run("two")], **SETTINGS)

    assert {"js", "f1_macro", "ece", "ent_corr", "wasserstein"} <= set(found.ranks)
    for difference in found.differences["one", "two"].values():
        assert (difference.value, difference.low, difference.high, difference.se) == (0, 0, 0, 0)
        assert (difference.p, difference.adjusted) == (1, 1)
    for ranks in found.ranks.values():
        assert [(rank.name, rank.group, rank.best, rank.worst) for rank in ranks] == [
            ("one", 1, 1, 2), ("two", 1, 1, 2)
        ]  # fmt: skip


def test_a_better_run():
    runs = [
        a_run("poor", speakers=30, skill=0.2, noise=1),
        a_run("good", speakers=30),
        a_run("same", speakers=30, noise=0.01),
    ]
    found = compare_runs(runs, seed=0, resamples=4000)
    js = {pair: by_metric["js"] for pair, by_metric in found.differences.items()}

    assert list(js) == [("poor", "good"), ("poor", "same"), ("good", "same")]
    assert js["poor", "good"].low > 0
    assert js["poor", "good"].p < 0.003
    assert js["good", "same"].p > 0.05
    assert [one.adjusted for one in js.values()] == holm([one.p for one in js.values()])
    assert [rank.group for rank in found.ranks["js"]] == [1, 1, 2]
    assert found.ranks["js"][2].name == "poor"
    assert found.ranks["acc"][2].name == "poor"


def test_differences_are_those_of_the_scores_and_intervals_narrower():
    one, two = a_run("one", speakers=30), a_run("two", speakers=30, noise=0.3)
    found = compare_runs([one, two], **SETTINGS)
    for name, difference in found.differences["one", "two"].items():
        ours, theirs = found.scores["one"][name], found.scores["two"][name]
        assert difference.value == pytest.approx(ours.value - theirs.value, abs=1e-12)
        assert difference.low <= difference.high
    js = found.differences["one", "two"]["js"]
    assert js.se < found.scores["one"]["js"].se / 2  # most of the variance is shared


def test_scores_are_those_of_the_run_alone():
    one, two = a_run("one"), a_run("two", noise=0.3)
    together = compare_runs([one, two], **SETTINGS).scores
    alone = score_run(two, **SETTINGS)

    assert set(alone) == {
        metric.name for metric in all_metrics().values() if metric.needs == "distributions"
    }
    for name, score in alone.items():
        assert together["two"][name].value == pytest.approx(score.value, abs=1e-12)
        assert together["two"][name].low == pytest.approx(score.low, abs=1e-9)


def test_ranking_is_that_of_the_comparison():
    runs = [a_run("one"), a_run("two", noise=0.4), a_run("three", noise=0.8)]
    compared = compare_runs(runs, seed=3, resamples=500)
    ranking = rank_runs(runs, seed=3, resamples=500)
    assert ranking.scores == compared.scores
    assert ranking.ranks == compared.ranks
    some = rank_runs(runs, seed=3, resamples=500, ranked=["js", "bc"])
    assert some.ranks == {name: compared.ranks[name] for name in ("js", "bc")}
    assert {name: dict(of) for name, of in some.scores.items()} == compared.scores


def test_ranking_of_a_single_run():
    ranking = rank_runs([a_run("one")], seed=3, resamples=50)
    (rank,) = ranking.ranks["js"]
    assert (rank.name, rank.group, rank.best, rank.worst) == ("one", 1, 1, 1)
    with pytest.raises(UserError, match="same utterances"):
        rank_runs([a_run("one"), a_run("two", keep=slice(5, None))], seed=3)


def test_order_seed_and_sides():
    one, two = a_run("one"), a_run("two", noise=0.5)
    order = rng(1).permutation(len(one.ids))
    shuffled = Run.of(
        "two", ids=two.ids[order].tolist(), speakers=two.speakers[order].tolist(), rule=RULE,
        inputs={"distributions": tuple(array[order] for array in two.inputs["distributions"])},
    )  # fmt: skip
    found = compare_runs([one, two], **SETTINGS)

    assert compare_runs([one, shuffled], **SETTINGS) == found
    assert compare_runs([one, two], seed=1, resamples=400) != found
    back = compare_runs([two, one], **SETTINGS).differences["two", "one"]["js"]
    forth = found.differences["one", "two"]["js"]
    assert (back.value, back.se, back.p) == pytest.approx((-forth.value, forth.se, forth.p))
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low))


def test_metrics_with_options_and_of_draws():
    truth, prediction = a_run().inputs["distributions"]
    counts = np.full(len(truth), 3)
    runs = [
        Run.of(
            name, ids=a_run().ids.tolist(), speakers=a_run().speakers.tolist(), rule=RULE,
            inputs={"distributions": (truth, prediction), "draws": (counts - fewer, counts)},
        )
        for name, fewer in (("all", 0), ("some", 1))
    ]  # fmt: skip
    chosen = {"js": all_metrics()["js"].choose({"root": True}), "parsed": all_metrics()["parsed"]}
    found = compare_runs(runs, metrics=chosen, **SETTINGS)

    assert set(found.ranks) == {"js", "parsed"}
    root = all_metrics()["js"].function(truth, prediction, root=True).mean()
    assert found.scores["all"]["js"].value == pytest.approx(root)
    assert found.differences["all", "some"]["parsed"].value == pytest.approx(1 / 3)
    assert "parsed" not in compare_runs([runs[0], a_run("bare")], **SETTINGS).ranks


def test_utterances_in_common():
    one, two = a_run("one", keep=slice(0, 90)), a_run("two", keep=slice(2, 100), noise=0.3)
    with pytest.raises(UserError) as refusal:
        compare_runs([one, two], **SETTINGS)
    assert str(refusal.value) == (
        "The runs are not on the same utterances: they have 88 in common; 'one' has 2 more (for "
        "example u000, u001); 'two' has 10 more (for example u090, u091, u092). Evaluate them on "
        "the same ones, or compare on the common ones alone."
    )
    found = compare_runs([one, two], common=True, **SETTINGS)
    assert (found.utterances, found.left_out) == (88, {"one": 2, "two": 10})
    again = compare_runs(
        [a_run("one", keep=slice(2, 90)), a_run("two", keep=slice(2, 90), noise=0.3)], **SETTINGS
    )
    assert found.differences["one", "two"]["js"].value == pytest.approx(
        a_run("one", keep=slice(2, 90)).sums([all_metrics()["js"]])[0].sums.sum(axis=0)[0] / 88
        - found.scores["two"]["js"].value
    )
    assert again.left_out == {"one": 0, "two": 0}


def renamed(run, **changes):
    fields = {name: getattr(run, name) for name in ("name", "ids", "speakers", "rule", "inputs")}
    return Run(**(fields | changes))


TRUTH, PREDICTION = a_run().inputs["distributions"]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([a_run()], "Comparing needs two runs or more, not 1."),
        ([a_run(), a_run()], "Two of the runs are called 'one': rename one."),
        (
            [a_run(), a_run("two", rule=LabelRule(LABELS, min_votes=2, multi_tick="sum"))],
            (
                "'one' and 'two' are of different label rules, so their scores do not compare: "
                "multi_tick is 'split' in the one, 'sum' in the other; "
                "min_votes is 1 in the one, 2 in the other."
            ),
        ),
        (
            [a_run(keep=slice(0, 5)), a_run("two", keep=slice(5, 9))],
            "The runs 'one', 'two' have no utterance in common.",
        ),
        (
            [
                a_run(),
                renamed(
                    a_run("two"),
                    inputs={"distributions": (np.vstack([TRUTH[1:2], TRUTH[1:]]), PREDICTION)},
                ),
            ],
            (
                "'one' and 'two' differ in the annotators' distribution of 1 utterances (for "
                "example 'u000'), so they are of different copies of the corpus."
            ),
        ),
        (
            [a_run(), renamed(a_run("two"), speakers=a_run().speakers[::-1])],
            r"'one' and 'two' differ in the speaker of ",
        ),
        (
            [a_run(keep=slice(0, 5)), a_run("two", keep=slice(0, 5))],
            "All utterances are of the speaker 's0', but comparing runs needs two or more speaker",
        ),
    ],
)
def test_what_does_not_compare(runs, message):
    with pytest.raises(UserError) as refusal:
        compare_runs(runs, **SETTINGS)
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": []}, "The run 'r' has no utterances"),
        ({"ids": ["u", "u"]}, "The run 'r' has the utterance 'u' twice"),
        ({"speakers": ["a"]}, r"'r' has 2 utterances, but .* of the lengths \[1, 2, 2\]"),
        ({"inputs": {"distributions": ([[0.5, 0.5]], [[0.5, 0.5]] * 2)}}, r"lengths \[2, 1, 2\]"),
    ],
)
def test_what_is_no_run(changes, message):
    rows = [[0.5, 0.5]] * 2
    arguments = {
        "ids": ["u", "v"], "speakers": ["a", "b"], "rule": LabelRule(("x", "y")),
        "inputs": {"distributions": (rows, rows)},
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        Run.of("r", **(arguments | changes))


def test_nan_in_a_prediction_is_refused():
    broken = PREDICTION.copy()
    broken[3, 1] = np.nan
    run = renamed(a_run("two"), inputs={"distributions": (TRUTH, broken)})
    with pytest.raises(ValueError, match="prediction, row 3, holds NaN or infinity"):
        compare_runs([a_run(), run], **SETTINGS)


def test_settings_out_of_range():
    runs = [a_run(), a_run("two")]
    for changes, message in (
        ({"level": 0}, "level is 0"),
        ({"method": "t"}, "method is 't'"),
        ({"resamples": 0}, "resamples is 0"),
        ({"alpha": 1}, "alpha is 1"),
    ):
        with pytest.raises(ValueError, match=message):
            compare_runs(runs, **(SETTINGS | changes))


def false_positives(method, speakers=20, corpora=150):
    rejected = []
    for seed in range(corpora):
        truth, prediction, speaker = corpus(speakers, seed)
        _, other, _ = corpus(speakers, seed)
        noise = rng(seed + 1000)
        hurt = [
            some * np.exp(0.5 * noise.standard_normal((speakers, 4))[speaker])
            for some in (prediction, other)
        ]
        runs = [
            Run.of(
                name, ids=[f"{n:04d}" for n in range(len(truth))], speakers=speaker.astype(str),
                rule=RULE,
                inputs={"distributions": (truth, some / some.sum(axis=1, keepdims=True))},
            )
            for name, some in zip("ab", hurt, strict=True)
        ]  # fmt: skip
        some = {name: all_metrics()[name] for name in ("js", "acc", "f1_macro")}
        found = compare_runs(runs, metrics=some, seed=0, resamples=400, method=method)
        rejected.append([one.p <= 0.05 for one in found.differences["a", "b"].values()])
    return np.mean(rejected, axis=0)


def test_false_positives_under_no_difference():
    # 3 standard errors of 150 corpora are 0.053.
    assert np.all(false_positives("percentile") <= 0.103)


# --- Holm ----------------------------------------------------------------------------------------


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5]) == [0.5]
    assert holm([]) == []
    assert holm([0.9, 0.8, 0.7]) == [1, 1, 1]
    assert holm([0.02, math.nan, 0.03]) == pytest.approx([0.04, math.nan, 0.04], nan_ok=True)


@given(p=st.lists(st.floats(0, 1), max_size=8), alpha=st.floats(0.001, 0.999))
def test_holm_is_the_step_down_procedure(p, alpha):
    rejected = set()
    for count, index in enumerate(sorted(range(len(p)), key=lambda index: p[index])):
        if p[index] > alpha / (len(p) - count):
            break
        rejected.add(index)
    corrected = holm(p)
    # On the very edge rounding decides.
    edges = [abs(one - alpha) < 1e-9 for one in corrected]

    assert all(edge or (one <= alpha) == (n in rejected)
               for n, (one, edge) in enumerate(zip(corrected, edges, strict=True)))  # fmt: skip
    assert all(one >= raw for one, raw in zip(corrected, p, strict=True))


@pytest.mark.parametrize("wrong", [-0.1, 1.1])
def test_holm_of_no_p_values(wrong):
    with pytest.raises(ValueError, match=r"p-values lie in \[0, 1\]"):
        holm([0.5, wrong])


# --- ranks ---------------------------------------------------------------------------------------


def ranked(values, apart, *, higher_is_better=True):
    p = {pair: 0.05 if set(pair) in apart else 0.051 for pair in combinations(values, 2)}
    found = rank_groups(values, p, higher_is_better=higher_is_better)
    return [(rank.name, rank.group, rank.best, rank.worst) for rank in found]


FOUR = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}


def test_ranks_by_hand():
    every = [set(pair) for pair in combinations("abcd", 2)]
    assert ranked(FOUR, []) == [(name, 1, 1, 4) for name in "abcd"]
    assert ranked(FOUR, every) == [(name, n, n, n) for n, name in enumerate("abcd", start=1)]
    # A chain: only neighbours cannot be told apart.
    chain = [{"a", "c"}, {"a", "d"}, {"b", "d"}]
    assert ranked(FOUR, chain) == [
        ("a", 1, 1, 2), ("b", 1, 1, 3), ("c", 2, 2, 4), ("d", 2, 3, 4)
    ]  # fmt: skip
    # A noisy run in the second place: told apart from nothing.
    assert ranked(FOUR, [{"a", "c"}, {"a", "d"}]) == [
        ("a", 1, 1, 2), ("b", 1, 1, 4), ("c", 2, 2, 4), ("d", 2, 2, 4)
    ]  # fmt: skip


def test_direction_ties_and_missing_values():
    assert [row[0] for row in ranked(FOUR, [], higher_is_better=False)] == list("dcba")
    assert [row[0] for row in ranked({"z": 1, "y": 1, "x": 1}, [])] == ["x", "y", "z"]
    values = {"n": math.nan, "a": 0.5, "m": math.nan, "b": 0.7}
    p = dict.fromkeys(combinations(values, 2), math.nan)
    assert [one.name for one in rank_groups(values, p, higher_is_better=True)] == [
        "b", "a", "m", "n"
    ]  # fmt: skip


@given(
    scores=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    lots=st.lists(st.booleans(), min_size=15, max_size=15),
)
def test_ranks_are_consistent(scores, lots):
    values = {f"r{n}": float(score) for n, score in enumerate(scores)}
    apart = [set(pair) for pair, lot in zip(combinations(values, 2), lots, strict=False) if lot]
    found = ranked(values, apart)

    groups = [group for _, group, _, _ in found]
    assert groups == sorted(groups)
    assert set(groups) == set(range(1, max(groups) + 1))
    for place, (_, _, best, worst) in enumerate(found, start=1):
        assert best <= place <= worst
    assert ranked(dict(reversed(values.items())), apart) == found


def test_ranks_need_every_pair():
    with pytest.raises(ValueError, match="There is no p-value of 'a' and 'b'"):
        rank_groups({"a": 2, "b": 1}, {}, higher_is_better=True)
    assert len(rank_groups({"a": 1.0, "b": 2.0}, {("b", "a"): 0.5}, higher_is_better=True)) == 2
