"""From the record of an utterance to its scores, once and again."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.errors import UserError
from ambi_tasks.metrics import all_metrics
from ambi_tasks.metrics.registry import choose_options
from ambi_tasks.scoring import ANSWERED, SPREAD, read_candidates, score_utterance, strategy_of
from ambi_tasks.strategies.documentation import defaults
from tests.strategies.candidates import NAMES

LABELS = ["neutral", "happy", "sad"]
METRICS = all_metrics()
VERIFIED = ("almv", "walmv")


def answer(*distribution: float, labels: list[str] = LABELS) -> str:
    return json.dumps(dict(zip(labels, distribution, strict=True)), ensure_ascii=False)


def draw(text: str, log_likelihood: float = -3.0, tokens: int = 5) -> dict[str, Any]:
    return {
        "text": text,
        "log_likelihood": log_likelihood,
        "tokens": tokens,
        "finish_reason": "stop",
    }


def record(name: str, texts: list[str], verdicts: list[Any] | None = None, **values: Any) -> Any:
    """What the sample log says of an utterance; verdicts are texts or pairs of log-likelihoods."""
    made: dict[str, Any] = {
        "id": "u1",
        "labels": LABELS,
        "soft_label": [0.5, 0.25, 0.25],
        "strategy": {"name": name, **defaults(name), **values},
    }
    if name == "tlr":
        read_out = {"log_likelihoods": [-1.0, -2.0, -3.0], "tokens": [1, 2, 1], "content_free": []}
        return made | {"read_out": read_out}
    made["draws"] = [draw(text, -float(number + 1)) for number, text in enumerate(texts)]
    if name in VERIFIED:
        made["strategy"]["scale"] = values.get("scale", [0, 10])
        given_verdicts = verdicts if verdicts is not None else ["7"] * len(texts)
        made["verdicts"] = [_verdict(one) for one in given_verdicts]
    return made


def _verdict(said: Any) -> dict[str, Any] | None:
    if said is None:
        return None
    if isinstance(said, str):
        return {"text": said, "finish_reason": "stop"}
    return {"log_likelihoods": list(said)}


# --- the verifier --------------------------------------------------------------------------------

ANSWERS = [answer(1, 0, 0), answer(0, 1, 0), answer(0, 0, 1)]


def test_verdicts_by_hand():
    scored = score_utterance(record("walmv", ANSWERS, ["Score: 6", "3/10", "1"]), METRICS)
    assert scored.prediction.distribution == pytest.approx((0.6, 0.3, 0.1))
    assert [one.score for one in scored.candidates] == [6, 3, 1]
    assert scored.scores["verified"] == 1
    assert score_utterance(
        record("almv", ANSWERS, ["Score: 6", "3/10", "1"]), METRICS
    ).prediction.distribution == (1, 0, 0)


def test_verdicts_that_cannot_be_read_fall_back_and_show():
    prose = record("walmv", ANSWERS, ["8", "A good answer.", "4"])
    scored = score_utterance(prose, METRICS)
    assert scored.prediction.weights == pytest.approx((8 / 18, 6 / 18, 4 / 18))
    assert scored.scores["verified"] == pytest.approx(2 / 3)
    logged = scored.record()["candidates"]
    assert [one["verdict_failure"] for one in logged] == [None, "no_number", None]
    assert [one["score"] for one in logged] == [8, None, 4]


@pytest.mark.parametrize("name", VERIFIED)
def test_no_verdict_that_can_be_read_is_the_plain_mean(name):
    prose = ["I cannot listen to audio.", "", "7 or 8"]
    scored = score_utterance(record(name, ANSWERS, prose), METRICS)
    assert scored.prediction.distribution == pytest.approx((1 / 3,) * 3)
    assert scored.prediction.answered
    assert scored.scores["verified"] == 0
    failures = [one.verdict_failure for one in scored.candidates]
    assert failures == ["refusal", "empty", "ambiguous"]


def test_a_cut_verdict_is_not_read():
    cut = record("walmv", ANSWERS, ["1", "1", "1"])
    for verdict in cut["verdicts"]:
        verdict["finish_reason"] = "length"
    candidates = score_utterance(cut, METRICS).candidates
    assert {one.verdict_failure for one in candidates} == {"truncated"}


def test_what_a_content_filter_withheld_is_not_read():
    kept_back = record("walmv", ANSWERS, ["8", "8", "2"])
    kept_back["draws"][0]["finish_reason"] = "content_filter"
    kept_back["verdicts"][1]["finish_reason"] = "content_filter"
    first, second, third = score_utterance(kept_back, METRICS).candidates
    assert (first.distribution, first.failure) == (None, "withheld")
    assert (second.score, second.verdict_failure) == (None, "withheld")
    assert third.score == 2


def test_candidates_that_cannot_be_read_have_no_verdict():
    texts, verdicts = [*ANSWERS[:2], "Hm."], ["9", "1", None]
    scored = score_utterance(record("walmv", texts, verdicts), METRICS)
    assert scored.prediction.weights == (0.9, 0.1, 0.0)
    assert scored.scores["verified"] == 1
    assert scored.scores["parsed"] == pytest.approx(2 / 3)
    failed = scored.record()["candidates"][2]
    assert (failed["failure"], failed["verdict_failure"]) == ("no_object", None)


def test_a_verdict_on_what_cannot_be_read_counts_for_nothing():
    scored = score_utterance(record("almv", [ANSWERS[0], "Hm."], ["2", "10"]), METRICS)
    assert scored.prediction.weights == (1.0, 0.0)
    assert scored.scores["verified"] == 1
    assert scored.candidates[1].score is None


def test_a_candidate_that_the_verifier_was_not_asked_about():
    scored = score_utterance(record("walmv", ANSWERS, ["8", None, "4"]), METRICS)
    assert scored.candidates[1].verdict_failure == "not_asked"
    assert scored.prediction.weights == pytest.approx((8 / 18, 6 / 18, 4 / 18))
    assert scored.scores["verified"] == pytest.approx(2 / 3)


def test_nothing_read_leaves_nothing_to_verify():
    scored = score_utterance(record("walmv", ["", "Hm."], [None, None]), METRICS)
    assert scored.prediction.distribution == pytest.approx((1 / 3,) * 3)
    assert not scored.prediction.answered
    assert scored.scores["verified"] is None
    assert scored.scores["parsed"] == 0


def test_probabilities_of_yes_by_hand():
    pairs = [(math.log(0.6), math.log(0.2)), (math.log(0.01), math.log(0.03)), (-2.0, -2.0)]
    scored = score_utterance(record("walmv", ANSWERS, pairs, score="probability"), METRICS)
    assert [one.score for one in scored.candidates] == pytest.approx([0.75, 0.25, 0.5])
    assert scored.prediction.weights == pytest.approx((0.5, 1 / 6, 1 / 3))


def test_probabilities_do_not_overflow():
    pairs = [(-5000.0, -5001.0), (-math.inf, -3.0), (-3.0, -math.inf)]
    scored = score_utterance(record("walmv", ANSWERS, pairs, score="probability"), METRICS)
    assert [one.score for one in scored.candidates] == pytest.approx([1 / (1 + math.exp(-1)), 0, 1])


@pytest.mark.parametrize(
    "pair",
    [(-math.inf, -math.inf), (math.nan, -1.0), (-1.0, math.nan), (math.inf, -1.0)],
)
def test_what_is_no_probability_of_yes(pair):
    pairs = [(-1.0, -1.0), pair, (-1.0, -1.0)]
    scored = score_utterance(record("walmv", ANSWERS, pairs, score="probability"), METRICS)
    assert scored.candidates[1].score is None
    assert scored.candidates[1].verdict_failure == "no_probability"
    assert scored.prediction.weights == pytest.approx((1 / 3,) * 3)
    assert scored.scores["verified"] == pytest.approx(2 / 3)


def test_another_scale():
    scored = score_utterance(record("walmv", ANSWERS, ["4/5", "8/10", "6"], scale=[1, 5]), METRICS)
    assert scored.candidates[0].score == 4
    failures = [one.verdict_failure for one in scored.candidates]
    assert failures == [None, "other_scale", "out_of_range"]


# --- all strategies ------------------------------------------------------------------------------

every_strategy = pytest.mark.parametrize("name", NAMES)
drawing = pytest.mark.parametrize("name", [name for name in NAMES if name != "tlr"])


@every_strategy
def test_scores_equal_the_metrics_of_the_prediction(name):
    one = record(name, [answer(0.5, 0.3, 0.2), "Hm.", answer(0.2, 0.2, 0.6)])
    scored = score_utterance(one, METRICS)
    for metric in METRICS.values():
        if metric.level == "corpus":
            assert metric.name not in scored.scores
        elif metric.needs == "distributions":
            truth, predicted = [one["soft_label"]], [list(scored.prediction.distribution)]
            value = metric.compute(truth, predicted, labels=LABELS)[0]
            assert scored.scores[metric.name] == value
            assert scored.scores[metric.name + ANSWERED] == scored.scores[metric.name]
    assert scored.scores["parsed"] == (1 if name == "tlr" else pytest.approx(2 / 3))
    assert scored.scores[SPREAD] == scored.prediction.spread
    assert ("verified" in scored.scores) == (name in VERIFIED)


@drawing
def test_nothing_read_costs_and_shows(name):
    scored = score_utterance(record(name, ["", "I can't help with that."], [None] * 2), METRICS)
    logged = scored.record()
    assert logged["prediction"] == pytest.approx([1 / 3] * 3)
    assert logged["answered"] is False
    assert logged["spread"] is None
    assert [one["failure"] for one in logged["candidates"]] == ["empty", "refusal"]
    assert [one["weight"] for one in logged["candidates"]] == [0, 0]
    assert scored.scores["js"] is not None
    assert scored.scores["js" + ANSWERED] is None
    assert scored.scores[SPREAD] is None


@every_strategy
def test_no_metrics_no_scores(name):
    assert score_utterance(record(name, ANSWERS), {}).scores == {}


texts = st.lists(
    st.sampled_from(
        [*ANSWERS, answer(0.31, 0.33, 0.36), answer(0.1, 0.2, 0.7), "", "Hm.", '{"happy": 0.2, "s']
    ),
    min_size=1,
    max_size=5,
)
said = st.sampled_from(["7", "Score: 3.5", "0", "prose", "7 or 8", "11", "1/3"])


@every_strategy
@given(answers=texts, data=st.data())
def test_scoring_a_log_again_equals_the_first_time_to_the_last_digit(name, answers, data):
    verdicts = data.draw(st.lists(said, min_size=len(answers), max_size=len(answers)))
    one = record(name, answers, verdicts)
    likely = st.floats(-500, 0)
    for drawn in one.get("draws", []):
        drawn["log_likelihood"] = data.draw(likely)
    if name == "tlr":
        one["read_out"]["log_likelihoods"] = data.draw(st.lists(likely, min_size=3, max_size=3))
    first = score_utterance(one, METRICS)
    logged = json.loads(json.dumps(one | first.record()))
    again = score_utterance(logged, METRICS)
    assert again == first
    assert again.record() == first.record()
    assert vars(again.pair) == vars(first.pair)


def test_the_pair_of_an_utterance():
    one = record("direct", [answer(0.5, 0.3, 0.2)])
    pair = score_utterance(one | {"speaker": "s7"}, METRICS).pair
    assert (pair.id, pair.speaker, pair.labels) == ("u1", "s7", tuple(LABELS))
    assert (pair.truth, pair.prediction) == ((0.5, 0.25, 0.25), (0.5, 0.3, 0.2))
    assert score_utterance(one, METRICS).pair.speaker == "u1"  # nobody else is known to speak it


def test_options_in_force_count():
    one = record("direct", [answer(0.5, 0.3, 0.2)])
    chosen = choose_options({"js": {"root": True}})
    plain, root = (score_utterance(one, metrics).scores["js"] for metrics in (METRICS, chosen))
    assert root == pytest.approx(math.sqrt(plain))


def test_a_metric_that_does_not_know_the_labels_is_left_out():
    labels = ["neutral", "happy", "other"]
    one = record("direct", [answer(0.5, 0.3, 0.2, labels=labels)]) | {"labels": labels}
    scores = score_utterance(one, METRICS).scores
    assert {"wasserstein", "wasserstein_answered"}.isdisjoint(scores)
    assert "js" in scores


@every_strategy
def test_settings_come_from_the_record(name):
    strategy, settings = strategy_of(record(name, ANSWERS, concentration=3))
    assert strategy.name == name
    assert settings.concentration == 3


@pytest.mark.parametrize(
    ("name", "missing"),
    [("direct", "draws"), ("bon", "draws"), ("walmv", "verdicts"), ("tlr", "read_out")],
)
def test_missing_evidence(name, missing):
    one = record(name, ANSWERS)
    del one[missing]
    with pytest.raises(UserError, match=rf"^The record of utterance 'u1' has no '{missing}'"):
        score_utterance(one, METRICS)


def test_verdicts_that_do_not_match_the_draws():
    with pytest.raises(UserError, match=r"^There are 2 verdicts on 3 draws\.$"):
        score_utterance(record("walmv", ANSWERS, ["1", "2"]), METRICS)


def test_an_unknown_strategy_or_field():
    with pytest.raises(UserError, match="did you mean 'walmv'"):
        score_utterance(record("walmv", ANSWERS) | {"strategy": {"name": "wlmv"}}, METRICS)
    with pytest.raises(UserError, match="has no field 'drawz'; did you mean 'draws'"):
        score_utterance(record("sc", ANSWERS, drawz=3), METRICS)


@every_strategy
@pytest.mark.parametrize("labels", [["愤怒", "高兴", "中性"], ["fröhlich", "wütend", "müde"]])
def test_labels_of_any_language(name, labels):
    one = record(name, [answer(0.5, 0.3, 0.2, labels=labels)] * 2, ["Mostly 愤怒. Score: 8"] * 2)
    scored = score_utterance(json.loads(json.dumps(one | {"labels": labels})), METRICS)
    assert scored.prediction.answered
    if name != "tlr":
        assert scored.prediction.distribution == pytest.approx((0.5, 0.3, 0.2))
    if name in VERIFIED:
        assert [candidate.score for candidate in scored.candidates] == [8, 8]


def test_a_calibrated_read_out():
    one = record("tlr", [], calibration="silence")
    one["read_out"] |= {"content_free": [-1.0, -2.0, -3.0]}
    _, settings = strategy_of(one)
    (candidate,) = read_candidates(one, settings)
    assert candidate.distribution == pytest.approx((1 / 3,) * 3)
