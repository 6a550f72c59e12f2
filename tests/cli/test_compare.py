"""`ambi compare`: what it prints, and what it refuses."""

import json

import pytest

from ambi_tasks.report.logged_run import read_run
from ambi_tasks.report.sample_log import find_logs
from ambi_tasks.statistics import compare_runs
from tests.cli.runner import ambi, assert_refused, rows
from tests.report.builders import TIME, draw, fields, line, record, sc_lines, write_lines, write_run

TASK = "ambi_demo_sc"


def better_lines(count=6):
    """The same utterances, and a model that says the truth."""
    settings = fields("sc")
    made = []
    for number in range(count):
        one = record(f"u{number}", [0.5, 0.25, 0.25], settings, draws=[draw([0.5, 0.25, 0.25])] * 4)
        made.append(line(one | {"speaker": f"s{number // 2}"}))
    return made


@pytest.fixture
def pair(tmp_path):
    return [
        write_run(tmp_path, {TASK: sc_lines(6)}, model="m/worse"),
        write_run(tmp_path, {TASK: better_lines()}, model="m/right"),
    ]


def runs(paths):
    logs = [find_logs(path).tasks[0] for path in paths]
    return [read_run(log, name=log.model).run for log in logs]


def test_a_pair(pair):
    result = ambi("compare", *pair, width=80)
    assert result.exit_code == 0, result.stderr
    printed = rows(result.stdout)
    assert printed[:2] == [f"A = {TASK}, m/worse", f"B = {TASK}, m/right"]
    expected = compare_runs(runs(pair), seed=1234)
    js = expected.differences["m/worse", "m/right"]["js"]
    score = expected.scores["m/worse"]["js"]
    shown = f"js ↓ {score.value:.4f} 0.0000 {js.value:+.4f} {js.low:+.4f} {js.high:+.4f}"
    assert f"{shown} {js.adjusted:.4f} {'B' if js.adjusted <= 0.05 else '-'}" in printed
    assert printed[-2].startswith("demo: 6 utterances of 3 speakers, 10,000 resamples")
    assert {"acc", "brier", "f1_macro", "ece", "ent_corr", "parsed"} <= {
        one.split()[0] for one in printed if one
    }


def test_a_run_against_itself(pair):
    again = json.loads(ambi("compare", pair[0], pair[0].parent, pair[1], "--json").stdout)
    assert len(again["scores"]) == 2  # a file that is named twice is one run


def test_json(pair):
    content = json.loads(ambi("compare", *pair, "--json", "--metric", "bc", "--seed", "7").stdout)
    expected = compare_runs(runs(pair), seed=7)
    (difference,) = content["differences"]
    assert difference["first"] == f"{TASK}, m/worse"
    assert list(difference["metrics"]) == ["bc"]
    bc = expected.differences["m/worse", "m/right"]["bc"]
    assert difference["metrics"]["bc"]["p"] == pytest.approx(bc.p)
    assert content["seed"] == 7


def test_many_runs_have_ranks_and_pairs(pair, tmp_path):
    third = write_run(tmp_path, {TASK: sc_lines(6, draws=2)}, model="m/third")
    result = ambi("compare", pair[0].parent, pair[1], third)
    assert result.exit_code == 0, result.stderr
    printed = rows(result.stdout)
    assert any(one.startswith("group rank js ↓") for one in printed)
    assert sum(one.startswith(("1 - 2", "1 - 3", "2 - 3")) for one in printed) == 3
    assert not any(one.startswith("group rank bc") for one in printed)


def test_metrics_in_common_only(pair):
    result = ambi("compare", *pair, "--metric", "verified")
    assert_refused(result, "'verified' cannot be computed for all of these runs")
    assert_refused(ambi("compare", *pair, "--metric", "jss"), "did you mean 'js'?")


def test_one_run(pair):
    assert_refused(ambi("compare", pair[0]), "There is one run")


def test_other_utterances(pair, tmp_path):
    more = write_run(tmp_path / "more", {TASK: sc_lines(8)}, model="m/more")
    assert_refused(ambi("compare", pair[0], more), "'ambi_demo_sc, m/more' has 2 more")
    result = ambi("compare", pair[0], more, "--common")
    assert result.exit_code == 0
    assert f"{TASK}, m/more: 2 utterances left out." in rows(result.stdout)


def test_other_label_rules(pair, tmp_path):
    other = write_run(tmp_path / "o", {TASK: sc_lines(6)}, model="m/o", rule={"min_votes": 3})
    assert_refused(ambi("compare", pair[0], other), "min_votes is 1 in the one, 3 in the other")


def test_a_truncated_log(pair):
    log = pair[0].parent / f"samples_{TASK}_{TIME}.jsonl"
    log.write_bytes(log.read_bytes()[:-9])
    assert_refused(ambi("compare", *pair), f"{log}:6: the line breaks off")


def test_nan(pair):
    log = pair[0].parent / f"samples_{TASK}_{TIME}.jsonl"
    lines = sc_lines(6)
    lines[1]["doc"]["prediction"][0] = float("nan")
    write_lines(log, lines)
    assert_refused(ambi("compare", *pair), f"{log}:2: the line holds NaN")


def test_tasks_of_others_are_named(pair):
    content = json.loads(pair[0].read_text())
    content["configs"]["hellaswag"] = {"task": "hellaswag"}
    pair[0].write_text(json.dumps(content))
    result = ambi("compare", *pair)
    assert result.exit_code == 0
    assert "no task of this benchmark, and skipped" in result.stdout


def test_a_single_speaker(tmp_path):
    lines = sc_lines(2)
    paths = [write_run(tmp_path, {TASK: lines}, model=name) for name in ("a", "b")]
    assert_refused(ambi("compare", *paths), "All utterances are of the speaker 's0'")
