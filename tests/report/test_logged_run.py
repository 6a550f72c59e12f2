"""A log as arrays: what is in them, and what is refused."""

import json
import math

import numpy as np
import pytest

from ambi_tasks.errors import UserError
from ambi_tasks.metrics import all_metrics, get_metric
from ambi_tasks.report.logged_run import read_run
from ambi_tasks.report.sample_log import TaskLog, find_logs
from ambi_tasks.statistics import score_run
from tests.report.builders import (
    LABELS,
    TIME,
    draw,
    fields,
    line,
    record,
    sc_lines,
    write_lines,
    write_run,
)

TASK = "ambi_demo_sc"


def one_log(path) -> TaskLog:
    (log,) = find_logs(path).tasks
    return log


@pytest.fixture
def results(tmp_path):
    return write_run(tmp_path, {TASK: sc_lines(5)})


def samples(results):
    return results.parent / f"samples_{TASK}_{TIME}.jsonl"


def edited(results, edit):
    """The log, after a change to its lines."""
    path = samples(results)
    lines = [json.loads(one) for one in path.read_text().splitlines()]
    edit(lines)
    write_lines(path, lines)
    return one_log(results)


def edited_results(results, edit):
    content = json.loads(results.read_text())
    edit(content)
    results.write_text(json.dumps(content))
    return one_log(results)


# --- what is read --------------------------------------------------------------------------------


def test_every_strategy_of_a_run_by_the_harness(harness_run):
    logs = find_logs(harness_run).tasks
    assert len(logs) == 8
    for log in logs:
        found = read_run(log)
        utterances = {one.record["id"]: one.record for one in log.utterances()}
        assert found.run.ids.tolist() == sorted(utterances)
        for index, name in enumerate(found.run.ids.tolist()):
            doc = utterances[name]
            assert found.truth[index].tolist() == doc["soft_label"]
            assert found.prediction[index].tolist() == doc["prediction"]
            assert found.run.speakers[index] == doc["speaker"]
            assert found.utterances.votes[index].tolist() == doc["votes"]
            assert found.utterances.annotators[index] == doc["annotators"]
            assert found.utterances.strata[index] == doc["stratum"]
            assert found.utterances.answered[index] == doc["answered"]
            assert found.utterance(index).record == doc
        assert found.run.rule.classes == tuple(doc["labels"])
        assert found.strategy == doc["strategy"]
        assert found.corpus.name == "demo"
        failed = sum(bool(c["failure"]) for doc in utterances.values() for c in doc["candidates"])
        assert sum(found.failures.values()) == failed
        assert (found.utterances.candidates - found.utterances.read).sum() == failed


def test_scores_are_those_that_the_harness_reports(harness_run):
    for log in find_logs(harness_run).tasks:
        found = read_run(log)
        scores = score_run(found.run, seed=0, metrics=found.metrics, resamples=10)
        assert {"js", "f1_macro", "ece", "parsed"} <= set(scores)
        for name, score in scores.items():
            assert score.value == pytest.approx(log.reported[f"{name},none"], abs=1e-12)


def test_utterances_come_in_the_order_of_their_names(results):
    before = read_run(one_log(results))
    records = [before.utterance(index).record for index in range(5)]
    after = read_run(edited(results, lambda lines: lines.reverse()))
    assert after.run.ids.tolist() == before.run.ids.tolist() == [f"u{n}" for n in range(5)]
    assert (after.prediction == before.prediction).all()
    assert [after.utterance(index).record for index in range(5)] == records


def test_without_a_speaker_an_utterance_is_its_own(tmp_path):
    one = record("u", [1, 0, 0], fields("direct"), draws=[draw([1, 0, 0])])
    found = read_run(one_log(write_run(tmp_path, {"ambi_demo_direct": [line(one)]})))
    assert found.run.speakers.tolist() == ["u"]
    assert found.utterances.votes is None
    assert found.utterances.strata.tolist() == ["unanimous"]
    assert math.isnan(found.utterances.tokens[0])


def test_tokens_are_those_of_draws_and_written_verdicts(tmp_path):
    draws = [draw([1, 0, 0], tokens=5), draw("no", tokens=2)]
    verdicts = [{"text": "7", "tokens": 1}, None]
    one = record("u", [1, 0, 0], fields("walmv"), draws=draws, verdicts=verdicts)
    found = read_run(one_log(write_run(tmp_path, {"ambi_demo_walmv": [line(one)]})))
    assert found.utterances.tokens.tolist() == [8.0]
    assert found.utterances.candidates.tolist() == [2]
    assert found.utterances.read.tolist() == [1]
    assert found.failures == {"no_object": 1}
    assert found.run.inputs["verdicts"][1].tolist() == [1]


def test_a_judgement_by_probabilities_generates_nothing(tmp_path):
    settings = fields("walmv", score="probability", verifier_prompt="verifier_probability")
    verdicts = [{"log_likelihoods": [-1.0, -2.0]}]
    one = record("u", [1, 0, 0], settings, draws=[draw([1, 0, 0], tokens=5)], verdicts=verdicts)
    found = read_run(one_log(write_run(tmp_path, {"ambi_demo_walmv": [line(one)]})))
    assert found.utterances.tokens.tolist() == [5.0]


def test_attributes_become_columns(results):
    def edit(lines):
        for number, one in enumerate(lines):
            one["doc"]["attributes"] = {"sex": "female" if number else None, "part": "test"}

    found = read_run(edited(results, edit))
    assert found.utterances.attributes["sex"].tolist() == ["unknown", *["female"] * 4]
    assert found.utterances.attributes["part"].tolist() == ["test"] * 5


def test_options_of_metrics_are_those_of_the_run(tmp_path):
    lines = sc_lines()
    rooted = get_metric("js").choose({"root": True})
    for one in lines:
        doc = one["doc"]
        one["js"] = float(rooted.compute([doc["soft_label"]], [doc["prediction"]])[0])
        one["js_answered"] = one["js"]
    log = edited_results(
        write_run(tmp_path, {TASK: lines}),
        lambda content: content["configs"][TASK].update(metrics={"js": {"root": True}}),
    )
    found = read_run(log)
    assert found.metrics["js"].options["root"] is True
    assert list(found.metrics) == list(all_metrics())


def test_its_name(results):
    assert read_run(one_log(results)).run.name == f"{TASK}, m/one, {TIME}"
    assert read_run(one_log(results), name="mine").run.name == "mine"


# --- what is refused -----------------------------------------------------------------------------


def refusal(log):
    with pytest.raises(UserError) as raised:
        read_run(log)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_without_results(results):
    results.unlink()
    assert "label rule is not known" in refusal(one_log(samples(results)))


def test_a_log_that_breaks_off(results):
    path = samples(results)
    path.write_bytes(path.read_bytes()[:-40])
    assert f"{path}:5: the line breaks off" in refusal(one_log(results))


def test_a_log_that_lacks_lines(results):
    message = refusal(edited(results, lambda lines: lines.pop()))
    assert "holds 4 utterances" in message
    assert "counts 5" in message


@pytest.mark.parametrize("place", ["prediction", "soft_label"])
def test_nan(results, place):
    def edit(lines):
        lines[2]["doc"][place][1] = math.nan

    assert ":3: the line holds NaN or infinity" in refusal(edited(results, edit))


@pytest.mark.parametrize(
    "row", [[0.5, 0.5, 0.5], [1.5, -0.5, 0.0], [0.0, 0.0, 0.0], [1e308, 1e308, 1e308]]
)
def test_what_is_no_distribution(results, row):
    def edit(lines):
        lines[1]["doc"]["prediction"] = row

    assert ":2: doc.prediction is no distribution" in refusal(edited(results, edit))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda doc: doc.update(labels=["a", "b", "c"]), 'its labels are ["a", "b", "c"], but'),
        (lambda doc: doc.update(labels=LABELS[:2]), 'its labels are ["neutral", "happy"], but'),
        (lambda doc: doc.update(soft_label=[1.0]), "doc.soft_label has 1 numbers for 3 labels"),
        (lambda doc: doc.update(votes=[1.0]), "doc.votes has 1 numbers for 3 labels"),
        (lambda doc: doc.update(id="u0"), "the utterance 'u0' is there twice, first in line 1"),
        (lambda doc: doc.update(strategy={"name": "bon"}), "its strategy is not what the results"),
        (lambda doc: doc.pop("prediction"), "`prediction`"),
        (lambda doc: doc.update(prediction="no"), "Expected `array`"),
        (lambda doc: doc.update(candidates=None), "Expected `array`"),
    ],
)
def test_a_line_that_is_not_of_the_run(results, edit, message):
    found = refusal(edited(results, lambda lines: edit(lines[3]["doc"])))
    assert f"{samples(results).name}:4: " in found
    assert message in found


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"doc": 1}', "null", "\x00", '"\ud800"', "[" * 100_000]
)
def test_what_is_no_line(results, text):
    path = samples(results)
    path.write_bytes(path.read_bytes() + text.encode(errors="surrogatepass") + b"\n")
    assert f"{path.name}:6: " in refusal(one_log(results))


def test_a_metric_of_another_version(results):
    def edit(content):
        content["results"][TASK]["js,none"] *= 1.001

    message = refusal(edited_results(results, edit))
    assert "it reports js = " in message
    assert "another version" in message


def test_a_metric_that_we_do_not_know(results):
    def edit(content):
        content["configs"][TASK]["metrics"] = {"jss": {}}
        content["config"] = {"ambi_tasks_version": "9.9"}

    message = refusal(edited_results(results, edit))
    assert "as ambi_tasks 9.9 wrote it: There is no metric 'jss'" in message


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda config: config["corpus"].pop("label_rule"), "KeyError"),
        (lambda config: config["corpus"]["label_rule"].update(classes=["x"]), "two or more"),
        (lambda config: config["corpus"]["label_rule"].update(colour=1), "TypeError"),
        (lambda config: config.update(strategy={}), "strategy has no name"),
        (lambda config: config.update(strategy=3), "label rule is not known"),
    ],
)
def test_results_of_another_form(results, edit, message):
    log = edited_results(results, lambda content: edit(content["configs"][TASK]))
    assert message in refusal(log)


def test_a_file_that_changes_while_it_is_used(results):
    found = read_run(one_log(results))
    edited(results, lambda lines: lines.reverse())
    with pytest.raises(UserError, match="changed since"):
        found.utterance(0)


def test_broken_runs_are_set_apart_where_that_is_asked_for(tmp_path):
    good = write_run(tmp_path, {TASK: sc_lines()})
    bad = write_run(tmp_path, {TASK: sc_lines()}, model="m/two")
    bad.write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        find_logs(tmp_path)
    found = find_logs(tmp_path, set_apart=True)
    assert [log.results_path for log in found.tasks] == [good]
    assert len(found.broken) == 1
    bad.unlink()
    lonely = write_run(tmp_path, {TASK: sc_lines()}, model="m/three")
    samples(lonely).unlink()
    found = find_logs(tmp_path, set_apart=True)
    assert any("no samples_" in one for one in found.broken)


def test_speed(tmp_path):
    """A line takes microseconds; json alone would take more."""
    import time  # noqa: PLC0415

    results = write_run(tmp_path, {TASK: sc_lines(40)})
    path = samples(results)
    lines = path.read_text().splitlines()
    many = []
    for copy in range(50):
        for text in lines:
            many.append(text.replace('"id": "u', f'"id": "v{copy}_', 1))  # noqa: PERF401
    path.write_text("\n".join(many) + "\n")
    content = json.loads(results.read_text())
    content["results"][TASK] = {"sample_len": len(many)}
    results.write_text(json.dumps(content))
    start = time.process_time()
    found = read_run(one_log(results))
    assert len(found.run.ids) == np.unique(found.run.ids).size == 2000
    assert time.process_time() - start < 2
