"""A run scored again: agrees to the last digit, and no tampering goes unnoticed."""

import json
import math
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.api.metrics import mean, mean_stderr

from ambi_tasks.errors import UserError
from ambi_tasks.report.rescore import Rescored, corpus_means, rescore, standard_errors
from ambi_tasks.report.sample_log import find_logs
from ambi_tasks.strategies import all_strategies
from tests.report.builders import TIME, draw, fields, line, record, sc_lines, write_lines, write_run

TASK = "ambi_demo_sc"


def rescored(path: Path, task: str = TASK) -> Rescored:
    (log,) = [one for one in find_logs(path).tasks if one.task == task]
    return rescore(log)


def tampered(
    folder: Path, change: Callable[[dict[str, Any]], None], task: str = TASK, at: int = 1
) -> Rescored:
    """Score a run again after a line was changed."""
    (path,) = folder.rglob(f"samples_{task}_*.jsonl")
    lines = [json.loads(one) for one in path.read_text(encoding="utf-8").splitlines()]
    change(lines[at])
    write_lines(path, lines)
    return rescored(folder, task)


def differing(scored: Rescored) -> set[str]:
    return {one.metric for one in scored.scores if one.agrees is False}


# --- agreement -----------------------------------------------------------------------------------


def test_a_run_of_the_harness_agrees_exactly(harness_run: Path) -> None:
    logs = find_logs(harness_run).tasks
    assert len(logs) == len(all_strategies())
    for log in logs:
        scored = rescore(log)
        assert scored.agrees, scored
        assert (scored.utterances, scored.differences) == (4, ())
        numbers = {one.metric: one for one in scored.scores}
        assert {"js", "js_stderr", "js_answered", "js_answered_stderr", "spread"} <= set(numbers)
        assert {"ece", "ece_se", "ece_stderr", "ent_corr_se", "wasserstein"} <= set(numbers)
        assert ("verified" in numbers) == log.task.endswith("almv")
        reported = {key.split(",")[0] for key in log.reported if "," in key}
        assert set(numbers) == reported
        for one in scored.scores:
            assert one.agrees is True
            assert one.logged == one.recomputed == log.reported[f"{one.metric},none"]


def test_nothing_answered_agrees(tmp_path: Path) -> None:
    lines = [line(record(f"u{n}", [1, 0, 0], fields("sc"), draws=[draw("no")])) for n in range(2)]
    write_run(tmp_path, {TASK: lines})
    scored = rescored(tmp_path)
    assert scored.agrees
    (answered,) = [one for one in scored.scores if one.metric == "js_answered"]
    assert (answered.logged, answered.recomputed) == ("N/A", "N/A")


def test_without_standard_errors(tmp_path: Path) -> None:
    """`bootstrap_iters=0` computes none."""
    results = write_run(tmp_path, {TASK: sc_lines()})
    content = json.loads(results.read_text())
    scores = content["results"][TASK]
    scores |= {key: "N/A" for key in scores if "_stderr" in key}
    results.write_text(json.dumps(content))
    assert rescored(tmp_path).agrees


def test_a_metric_that_the_run_did_not_know(tmp_path: Path) -> None:
    """As after `--predict_only`, or an older version."""
    lines = sc_lines()
    for one in lines:
        one["metrics"].remove("js")
        del one["js"]
    write_run(tmp_path, {TASK: lines})
    scored = rescored(tmp_path)
    assert scored.agrees
    (js,) = [one for one in scored.scores if one.metric == "js"]
    assert (js.logged, js.agrees) == (None, None)
    assert isinstance(js.recomputed, float)


def test_after_predict_only_the_log_is_scored(tmp_path: Path) -> None:
    """The harness then counts no utterances, since it scored none."""
    results = write_run(tmp_path, {TASK: sc_lines()})
    content = json.loads(results.read_text())
    content["results"][TASK] = {"alias": TASK, "sample_len": 0}
    results.write_text(json.dumps(content))
    scored = rescored(tmp_path)
    assert scored.utterances == 3
    assert {one.agrees for one in scored.scores} == {None}


@given(st.lists(st.floats(0, 2), min_size=2, max_size=50))
def test_means_and_standard_errors_are_those_of_the_harness(values: list[float]) -> None:
    assert corpus_means(values)[0] == mean(values)
    assert standard_errors(values)[0] == mean_stderr(values)
    spread = max(corpus_means(values)) - min(corpus_means(values))
    assert spread <= 1e-14 * max(1.0, *values)


def test_both_ways_of_summing_are_there() -> None:
    """0.1 ten times: 0.9999999999999999 from left to right, 1.0 with compensation."""
    means = corpus_means([0.1] * 10)
    assert set(means) == {0.09999999999999999, 0.1}
    assert means[0] == (0.1 if sys.version_info >= (3, 12) else 0.09999999999999999)
    values = [random.Random(5).random() for _ in range(1000)]
    assert math.fsum(values) / 1000 in corpus_means(values)


def test_no_value_at_all() -> None:
    assert corpus_means([None, None]) == ["N/A"]
    assert corpus_means([None, 0.5]) == [0.5] * 3
    assert standard_errors([0.5]) == ["N/A"]


# --- tampering -----------------------------------------------------------------------------------


def test_a_tampered_draw(own_run: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        one["doc"]["draws"][0]["text"] = '{"neutral": 1, "happy": 0, "angry": 0, "sad": 0}'

    scored = tampered(own_run, change)
    assert not scored.agrees
    assert {"js", "bc", "brier"} <= differing(scored)
    (difference,) = scored.differences
    assert f"_{TASK}_" in difference
    assert ".jsonl:2 (s1_b): " in difference
    assert "js is " in difference


def test_a_tampered_draw_that_has_no_weight(own_run: Path) -> None:
    """No score depends on it, but its logged reading does."""

    def change(one: dict[str, Any]) -> None:
        weights = [candidate["weight"] for candidate in one["doc"]["candidates"]]
        draws = one["doc"]["draws"]
        draws[weights.index(0.0)]["text"] = '{"neutral": 0, "happy": 0, "angry": 0, "sad": 1}'

    scored = tampered(own_run, change, "ambi_demo_bon", at=0)
    assert not scored.agrees
    assert "candidates does not follow from the evidence" in scored.differences[0]


def test_a_tampered_score_of_an_utterance(own_run: Path) -> None:
    scored = tampered(own_run, lambda one: one.update(js=0.0))
    assert differing(scored) == set()
    assert not scored.agrees
    assert "js is 0.0 in the log, 0." in scored.differences[0]


def test_a_removed_score_of_an_utterance(own_run: Path) -> None:
    scored = tampered(own_run, lambda one: one["metrics"].remove("js"))
    assert "js is not in the log, 0." in scored.differences[0]


def test_a_tampered_soft_label(own_run: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        one["doc"]["soft_label"] = one["doc"]["soft_label"][::-1]

    scored = tampered(own_run, change, "ambi_demo_direct", at=0)
    assert "js" in differing(scored)
    assert len(scored.differences) == 1


def test_a_tampered_prediction(own_run: Path) -> None:
    scored = tampered(own_run, lambda one: one["doc"].update(prediction=[1, 0, 0, 0]))
    assert scored.differences[0].endswith("prediction does not follow from the evidence.")


def test_a_tampered_verdict(own_run: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        verdicts = one["doc"]["verdicts"]
        known = next(n for n, verdict in enumerate(verdicts) if verdict is not None)
        verdicts[known]["text"] = "I cannot rate it."

    scored = tampered(own_run, change, "ambi_demo_walmv")
    assert not scored.agrees


def test_another_strategy(own_run: Path) -> None:
    scored = tampered(own_run, lambda one: one["doc"]["strategy"].update(vote="argmax"))
    assert not scored.agrees


@pytest.mark.parametrize(
    "metric", ["js", "js_stderr", "parsed", "js_answered", "ece", "f1_macro_se", "ent_corr_se"]
)
def test_a_tampered_result(own_run: Path, metric: str) -> None:
    (path,) = own_run.rglob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    scores = content["results"][TASK]
    scores[f"{metric},none"] = math.nextafter(scores[f"{metric},none"], 2)
    path.write_text(json.dumps(content), encoding="utf-8")
    scored = rescored(own_run)
    assert differing(scored) == {metric}
    assert scored.differences == ()


def test_the_standard_error_that_the_harness_does_not_give(own_run: Path) -> None:
    (path,) = own_run.rglob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["results"][TASK]["ece_stderr,none"] = 0.5
    path.write_text(json.dumps(content), encoding="utf-8")
    assert differing(rescored(own_run)) == {"ece_stderr"}


def test_options_are_those_of_the_run(own_run: Path) -> None:
    (path,) = own_run.rglob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    options = content["configs"][TASK]["metrics"]
    assert options["ece"] == {"bins": 10, "correctness": "soft"}
    options["ece"]["correctness"] = "hard"
    path.write_text(json.dumps(content), encoding="utf-8")
    changed = differing(rescored(own_run))
    assert {"ece"} <= changed <= {"ece", "ece_se"}
    options["ece"]["bin"] = 1
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(
        UserError, match=f"configs.{TASK}.metrics, as .*: The metric 'ece' has no option"
    ):
        rescored(own_run)


def test_runs_from_before_the_metrics_of_the_corpus(own_run: Path) -> None:
    (path,) = own_run.rglob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["configs"][TASK]["metrics"]
    scores = content["results"][TASK]
    for name in [key for key in scores if key.startswith(("ece", "f1_", "ent_", "kl"))]:
        del scores[name]
    path.write_text(json.dumps(content), encoding="utf-8")
    scored = rescored(own_run)
    assert scored.agrees
    assert {one.metric for one in scored.scores if one.agrees is None} >= {"ece", "ece_se", "kl"}


def test_a_score_that_is_none_of_ours(own_run: Path) -> None:
    (path,) = own_run.rglob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["results"][TASK]["charm,none"] = 1.0
    path.write_text(json.dumps(content), encoding="utf-8")
    assert differing(rescored(own_run)) == {"charm"}
    scored = tampered(own_run, lambda one: (one["metrics"].append("wit"), one.update(wit=1.0)))
    assert "wit is none of its scores" in scored.differences[0]


# --- what cannot be scored -----------------------------------------------------------------------


def test_a_log_without_results(tmp_path: Path) -> None:
    write_run(tmp_path, {TASK: sc_lines()}).unlink()
    with pytest.raises(UserError, match=r"samples_.*: there are no results of the same run"):
        rescored(tmp_path)


def test_results_that_say_nothing_of_the_task(tmp_path: Path) -> None:
    results = write_run(tmp_path, {TASK: sc_lines()})
    content = json.loads(results.read_text())
    content["results"] = {}
    results.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"\(.*results_{TIME}.json says nothing of {TASK}\)"):
        rescored(tmp_path)


def test_a_draw_without_what_the_strategy_weighs_by(tmp_path: Path) -> None:
    draws = [draw([0.5, 0.5, 0], log_likelihood=-2.0), draw([0, 0.5, 0.5], log_likelihood=-1.0)]
    lines = [line(record("u", [1, 0, 0], fields("wbon", candidates="sample"), draws=draws))]
    del lines[0]["doc"]["draws"][1]["log_likelihood"]
    write_run(tmp_path, {"ambi_demo_wbon": lines})
    with pytest.raises(UserError, match=r"jsonl:1: An answer came without its log-likelihood"):
        rescored(tmp_path, "ambi_demo_wbon")
