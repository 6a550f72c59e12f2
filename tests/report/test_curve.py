"""Curves: by hand, and by what must hold of every curve."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambi_tasks.errors import UserError
from ambi_tasks.metrics import all_metrics
from ambi_tasks.report.curve import (
    SUBSETS,
    Point,
    Pool,
    curve,
    curve_metrics,
    draw_counts,
    predict,
    read_pool,
    why_no_curve,
)
from ambi_tasks.report.sample_log import find_logs
from ambi_tasks.scoring import read_candidates, score_utterance, strategy_of
from ambi_tasks.strategies import StrategyFields, combine, registry, strategy
from ambi_tasks.strategies.evidence import Evidence, Floats
from tests.report.builders import draw, fields, logged, record

METRICS = [
    one.name
    for one in all_metrics().values()
    if one.needs == "distributions" and one.level == "utterance"
]
SAMPLED = ("sc", "bon", "wbon", "almv", "walmv")


def points(pool: Pool, *names: str, seed: int = 1234) -> dict[tuple[str, int], Point]:
    found = curve(pool, curve_metrics(names or ["js"]), seed)
    return {(point.metric, point.draws): point for point in found}


def pool_of(records: Sequence[dict[str, Any]]) -> Pool:
    return read_pool([logged(one, f"log:{n}") for n, one in enumerate(records, start=1)])


# --- by hand -------------------------------------------------------------------------------------


def test_two_draws_that_cancel_each_other() -> None:
    """Truth (1/2, 1/2, 0), draws (1, 0, 0) and (0, 1, 0): Brier 1/2 for either, 0 for both."""
    draws = [draw([1, 0, 0], tokens=10), draw([0, 1, 0], tokens=20)]
    pool = pool_of([record("u", [0.5, 0.5, 0], fields("sc", draws=2), draws=draws)])
    found = points(pool, "brier")
    assert found["brier", 1] == Point("brier", 1, 15.0, 0.5, 0.5, 2, True, 1)
    assert found["brier", 2] == Point("brier", 2, 30.0, 0.0, 0.0, 1, True, 1)


def test_choices_are_averaged_and_the_prefix_is_not() -> None:
    """Truth (1, 0, 0); draws right, wrong, unreadable. Brier 0, 2, and 2/3 for the uniform one.

    Pairs: right and wrong 1/2, right and unreadable 0, wrong and unreadable 2.
    """
    draws = [draw([1, 0, 0]), draw([0, 1, 0]), draw("I cannot say.")]
    pool = pool_of([record("u", [1, 0, 0], fields("sc", draws=3), draws=draws)])
    found = points(pool, "brier")
    assert found["brier", 1].prefix == 0
    assert found["brier", 1].subset == pytest.approx((0 + 2 + 2 / 3) / 3)
    assert found["brier", 2].prefix == 0.5
    assert found["brier", 2].subset == pytest.approx((0.5 + 0 + 2) / 3)
    assert found["brier", 3].prefix == found["brier", 3].subset == 0.5
    assert found["brier", 2].tokens is None


def test_the_likeliest_of_each_choice() -> None:
    """bon: log-likelihoods -3, -1, -2 rank the second draw first, then the third."""
    draws = [
        draw([1, 0, 0], log_likelihood=-3.0),
        draw([0, 1, 0], log_likelihood=-1.0),
        draw([0, 0, 1], log_likelihood=-2.0),
    ]
    settings_ = fields("bon", candidates="sample", draws=3)
    found = points(pool_of([record("u", [0, 0, 1], settings_, draws=draws)]), "acc")
    assert [found["acc", n].prefix for n in (1, 2, 3)] == [0, 0, 0]
    # Pairs: (1, 2) and (2, 3) give the second, (1, 3) the third.
    assert [found["acc", n].subset for n in (1, 2, 3)] == pytest.approx([1 / 3, 1 / 3, 0])


def test_weights_by_a_verifier_and_the_tokens_of_its_verdicts() -> None:
    """walmv: scores 1 and 3 give (1/4, 3/4, 0)."""
    draws = [draw([1, 0, 0], tokens=10), draw([0, 1, 0], tokens=10), draw("nothing", tokens=4)]
    verdicts = [{"text": "1", "tokens": 2}, {"text": "3", "tokens": 6}, None]
    one = record("u", [0.25, 0.75, 0], fields("walmv", draws=3), draws=draws, verdicts=verdicts)
    found = points(pool_of([one]), "brier")
    assert found["brier", 3].subset == pytest.approx(0)
    assert found["brier", 3].tokens == 32
    assert found["brier", 1].tokens == pytest.approx(32 / 3)
    assert found["brier", 2].prefix == pytest.approx(0)


def test_verdicts_by_probability_generate_nothing() -> None:
    draws = [draw([1, 0, 0], tokens=10), draw([0, 1, 0], tokens=10)]
    verdicts = [{"log_likelihoods": [-1.0, -2.0]}, {"log_likelihoods": [-3.0, -0.1]}]
    chosen = fields("almv", draws=2, score="probability")
    one = record("u", [1, 0, 0], chosen, draws=draws, verdicts=verdicts)
    found = points(pool_of([one]), "acc")
    assert found["acc", 2].tokens == 20
    assert found["acc", 2].subset == 1


def test_a_verdict_without_its_tokens_makes_them_unknown() -> None:
    draws = [draw([1, 0, 0], tokens=10), draw([0, 1, 0], tokens=10)]
    verdicts = [{"text": "1"}, {"text": "3", "tokens": 6}]
    one = record("u", [1, 0, 0], fields("almv", draws=2), draws=draws, verdicts=verdicts)
    assert pool_of([one]).tokens is None


@pytest.mark.parametrize(
    ("draws", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (16, [1, 2, 4, 8, 16])]
)
def test_numbers_of_draws(draws: int, counts: list[int]) -> None:
    assert draw_counts(draws) == counts


# --- what must hold ------------------------------------------------------------------------------


@st.composite
def records(draw_: st.DrawFn, names: Sequence[str] = SAMPLED) -> list[dict[str, Any]]:
    """One to three utterances with up to five draws of a strategy, some of them unreadable."""
    name = draw_(st.sampled_from(names))
    count = draw_(st.integers(1, 5))
    chosen = fields(name, draws=count, candidates="sample")
    if name in ("bon", "wbon"):
        chosen["length_normalisation"] = draw_(st.sampled_from([0, 0.5, 1]))
    if name == "wbon":
        chosen["weight_temperature"] = draw_(st.sampled_from([0.01, 1, 50]))
    if name == "sc":
        chosen["vote"] = draw_(st.sampled_from(["distribution", "argmax"]))
    shares = st.lists(st.integers(0, 5), min_size=3, max_size=3).filter(any)
    made = []
    for number in range(draw_(st.integers(1, 3))):
        drawn = [
            draw(
                "?" if draw_(st.integers(0, 4)) == 0 else _normalised(draw_(shares)),
                log_likelihood=draw_(st.sampled_from([-700.0, -9.5, -4.0, -1.25])),
                tokens=draw_(st.integers(0, 30)),
            )
            for _ in range(count)
        ]
        truth = _normalised(draw_(shares))
        evidence: dict[str, Any] = {"draws": drawn}
        if "almv" in name:
            ratings = st.sampled_from(["0", "0", "3", "7", "10", "no idea"])
            evidence["verdicts"] = [
                None if one["text"] == "?" else {"text": draw_(ratings), "tokens": 1}
                for one in drawn
            ]
        made.append(record(f"u{number}", truth, chosen, **evidence))
    return made


def _normalised(counts: Sequence[int]) -> list[float]:
    return [count / sum(counts) for count in counts]


@settings(deadline=None, max_examples=150)
@given(records())
def test_arrays_combine_as_the_strategies_do(made: list[dict[str, Any]]) -> None:
    """Every choice of every number of draws, against `combine` on the candidates themselves."""
    pool = pool_of(made)
    for count in range(1, pool.draws + 1):
        choices = np.array(list(itertools.combinations(range(pool.draws), count)))
        found = predict(
            pool, slice(0, len(made)), np.broadcast_to(choices, (len(made), *choices.shape))
        )
        for one, predicted in zip(made, found, strict=True):
            chosen, how = strategy_of(one)
            candidates = read_candidates(one, how)
            for members, distribution in zip(choices, predicted, strict=True):
                expected = combine(chosen, how, [candidates[n] for n in members], 3)
                assert distribution == pytest.approx(expected.distribution, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(records())
def test_all_draws_score_as_the_run_did(made: list[dict[str, Any]]) -> None:
    pool = pool_of(made)
    found = points(pool, *METRICS)
    scores = [score_utterance(one, all_metrics()).scores for one in made]
    for name in METRICS:
        point = found[name, pool.draws]
        expected = sum(one[name] or 0.0 for one in scores) / len(scores)
        assert point.prefix == pytest.approx(expected, abs=1e-12)
        assert point.subset == pytest.approx(expected, abs=1e-12)
        assert (point.subsets, point.exhaustive) == (1, True)


@settings(deadline=None, max_examples=40)
@given(records())
def test_one_draw_scores_as_the_mean_of_single_draws(made: list[dict[str, Any]]) -> None:
    pool = pool_of(made)
    alone = []
    for one in made:
        for n in range(pool.draws):
            evidence = {key: [one[key][n]] for key in ("draws", "verdicts") if key in one}
            single = one | evidence | {"strategy": one["strategy"] | {"draws": 1}}
            alone.append(score_utterance(single, all_metrics()).scores["js"] or 0.0)
    assert points(pool)["js", 1].subset == pytest.approx(sum(alone) / len(alone), abs=1e-12)


def test_the_curve_of_a_run_of_the_harness_ends_in_its_score(harness_run: Path) -> None:
    curves = 0
    for log in find_logs(harness_run).tasks:
        first = next(log.utterances())
        if why_no_curve(first.settings):
            assert log.task.removeprefix("ambi_demo_") not in ("sc", "almv", "walmv")
            continue
        curves += 1
        found = points(read_pool(log.utterances()), *METRICS)
        assert log.reported is not None
        for name in METRICS:
            reported = log.reported[f"{name},none"]
            assert found[name, 6].prefix == pytest.approx(reported, abs=1e-12)
            assert found[name, 6].subset == pytest.approx(reported, abs=1e-12)
    assert curves == 3


# --- many draws ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many() -> Pool:
    """Ten utterances with 12 draws: 924 choices of 6."""
    random = np.random.default_rng(3)
    truth = random.dirichlet(np.ones(3), size=10)
    drawn = random.dirichlet(np.ones(3), size=(10, 12))
    return pool_of(
        [
            record(
                f"u{n}",
                truth[n].tolist(),
                fields("sc", draws=12),
                draws=[draw(one.tolist(), tokens=3) for one in drawn[n]],
            )
            for n in range(10)
        ]
    )


def test_where_there_are_too_many_choices_some_are_taken_at_random(many: Pool) -> None:
    found = points(many)
    assert {n: (found["js", n].subsets, found["js", n].exhaustive) for n in (1, 2, 4, 8, 12)} == {
        1: (12, True),
        2: (66, True),
        4: (SUBSETS, False),
        8: (SUBSETS, False),
        12: (1, True),
    }


def test_random_choices_are_of_the_seed_alone(many: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = points(many, seed=1)
    assert points(many, seed=1) == found
    assert points(many, seed=2)["js", 4].subset != found["js", 4].subset
    assert points(many, seed=2)["js", 2] == found["js", 2]
    monkeypatch.setattr("ambi_tasks.report.curve._CELLS", 1)  # an utterance at a time
    assert points(many, seed=1)["js", 4].subset == pytest.approx(found["js", 4].subset, abs=1e-15)


def test_random_choices_estimate_the_mean_over_all(
    many: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = points(many)["js", 8].subset
    monkeypatch.setattr("ambi_tasks.report.curve.SUBSETS", math.comb(12, 6))
    every = points(many)["js", 8]
    assert every.exhaustive
    assert some == pytest.approx(every.subset, abs=2e-3)


def test_more_draws_never_hurt_a_convex_score_on_average(many: Pool) -> None:
    """By Jensen's inequality the mean over all choices falls with n, for sc and Brier."""
    scores = [points(many, "brier")["brier", n].subset for n in (1, 2, 4, 8, 12)]
    assert scores == sorted(scores, reverse=True)


# --- strategies of others ------------------------------------------------------------------------


@pytest.fixture
def own_strategy(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(registry, "_STRATEGIES", registry.all_strategies())
    kind = type(strategy_of({"strategy": fields("sc")})[1])

    @strategy("last", kind)
    def last_draw(evidence: Evidence, settings_: StrategyFields) -> Floats:
        del settings_
        size = evidence.readable.shape[-1]
        places = np.broadcast_to(np.arange(size), evidence.readable.shape)
        return np.where(places == size - 1, 5.0, 1 / size)

    return "last"


def test_a_strategy_of_others_has_its_curve(own_strategy: str) -> None:
    chosen = fields("sc", draws=3) | {"name": own_strategy}
    draws = [draw([1, 0, 0]), draw([0, 1, 0]), draw([0, 0, 1])]
    one = record("u", [0.2, 0.3, 0.5], chosen, draws=draws)
    found = points(pool_of([one]))
    expected = score_utterance(one, all_metrics()).scores["js"]
    assert found["js", 3].prefix == found["js", 3].subset == pytest.approx(expected, abs=1e-12)
    assert found["js", 1].subset > found["js", 3].subset


# --- what has no curve ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (fields("direct"), "one answer"),
        (fields("cot"), "one answer"),
        (fields("sc", draws=1), "one answer"),
        (fields("tlr"), "nothing is drawn"),
        (fields("bon"), "beams"),
        (fields("sc", candidates="beam"), "beams"),
    ],
)
def test_strategies_without_a_curve(values: dict[str, Any], words: str) -> None:
    assert words in str(why_no_curve(strategy_of({"strategy": values})[1]))


@pytest.mark.parametrize("name", SAMPLED)
def test_strategies_with_a_curve(name: str) -> None:
    sampled = fields(name, candidates="sample", draws=4)
    assert why_no_curve(strategy_of({"strategy": sampled})[1]) is None


def test_metrics_that_have_no_curve() -> None:
    with pytest.raises(UserError, match=r"'parsed' does not score predictions.*acc, bc, brier"):
        curve_metrics(["js", "parsed"])
    with pytest.raises(UserError, match=r"no metric 'jss'; did you mean 'js'"):
        curve_metrics(["jss"])
    assert [one.name for one in curve_metrics(["js", "bc", "js"])] == ["js", "bc"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": fields("sc", draws=2, vote="argmax")}, "its strategy is not that of log:1"),
        ({"labels": ["a", "b", "c"]}, "its list of labels is not that of log:1"),
        ({"draws": [draw([1, 0, 0])]}, "its number of draws is not that of log:1"),
    ],
)
def test_utterances_that_differ(change: dict[str, Any], message: str) -> None:
    one = record("u", [1, 0, 0], fields("sc", draws=2), draws=[draw([1, 0, 0])] * 2)
    with pytest.raises(UserError, match=f"log:2: {message}"):
        pool_of([one, one | {"id": "v"} | change])


def test_draws_that_the_strategy_cannot_weigh() -> None:
    whole = record(
        "u",
        [1, 0, 0],
        fields("bon", candidates="sample", draws=2),
        draws=[draw([1, 0, 0], log_likelihood=-1.0)] * 2,
    )
    lacking = logged(whole, "log:7")
    lacking.record["draws"][1] = draw([1, 0, 0])
    with pytest.raises(UserError, match=r"log:7: An answer came without its log-likelihood"):
        read_pool([lacking])
