"""`ambi rescore` and `ambi curve`: what they print and write, and their exit codes."""

import csv
import json
from pathlib import Path

import pytest

from tests.cli.runner import ambi, assert_refused, rows
from tests.report.builders import (
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
LATER = "2026-01-02T03-05-00"


@pytest.fixture
def results(tmp_path):
    return write_run(tmp_path / "results", {TASK: sc_lines()})


def greedy_lines():
    one = record("u", [1, 0, 0], fields("direct"), draws=[draw([1, 0, 0], tokens=3)])
    return [line(one)]


def curve_rows(folder):
    with (folder / "curve.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- rescore -------------------------------------------------------------------------------------


def test_rescore_of_a_run_that_agrees(results):
    result = ambi("rescore", results.parent.parent)
    assert result.exit_code == 0
    printed = rows(result.stdout)
    assert printed[0] == f"{TASK}, m/one, {TIME}"
    js = json.loads(results.read_text())["results"][TASK]["js,none"]
    assert f"js {js} {js} yes" in printed
    assert not any("_stderr" in one for one in printed)
    assert printed[-1].startswith("All agrees to the last digit: ")
    assert printed[-1].endswith("of 1 task, and those of each of 3 utterances.")


def test_rescore_of_a_tampered_result(results):
    content = json.loads(results.read_text())
    content["results"][TASK]["js,none"] = 0.125
    content["results"][TASK]["bc_stderr,none"] = 0.25
    results.write_text(json.dumps(content))
    result = ambi("rescore", results)
    assert result.exit_code == 1
    printed = "\n".join(rows(result.stdout))
    assert "js 0.125 0." in printed
    assert "bc_stderr 0.25 0." in printed  # standard errors are shown where they differ
    assert f"samples_{TASK}_{TIME}.jsonl: js is 0.125 in the results, 0." in printed
    assert "do not follow from the log: 2 scores and 0 utterances differ." in printed


def test_rescore_of_tampered_utterances(results):
    lines = sc_lines(9)
    write_run(results.parent.parent, {TASK: lines})
    for one in lines[:7]:
        one["js"] = 0.5
    write_lines(results.parent / f"samples_{TASK}_{TIME}.jsonl", lines)
    result = ambi("rescore", results, width=400)
    assert result.exit_code == 1
    assert ".jsonl:5 (u4): js is 0.5 in the log, 0." in result.stdout
    assert ".jsonl:6" not in result.stdout
    assert "and 2 more utterances." in result.stdout
    assert "0 scores and 7 utterances differ." in result.stdout


def test_rescore_after_predict_only(results):
    content = json.loads(results.read_text())
    content["results"][TASK] = {"alias": TASK, "sample_len": 0}
    results.write_text(json.dumps(content))
    result = ambi("rescore", results)
    assert result.exit_code == 0
    assert "agrees to the last digit" not in result.stdout
    assert "3 utterances were scored. The results report no score" in result.stdout


def test_rescore_names_what_the_run_did_not_report(results):
    content = json.loads(results.read_text())
    del content["results"][TASK]["js,none"]
    results.write_text(json.dumps(content))
    result = ambi("rescore", results)
    assert result.exit_code == 0
    assert any(one.startswith("js - 0.") for one in rows(result.stdout))
    assert "not reported" in result.stdout


def test_rescore_of_several_runs_with_tasks_of_others(results):
    write_run(results.parent.parent, {TASK: sc_lines(2)}, model="other")
    write_lines(results.parent / f"samples_arc_{LATER}.jsonl", [{"doc": {}}])
    result = ambi("rescore", results.parent.parent, width=400)
    assert result.exit_code == 0
    assert "'arc', no task of this benchmark, and skipped." in result.stdout
    assert "2 tasks, and those of each of 5 utterances" in result.stdout


def test_rescore_of_what_cannot_be_read(results):
    assert_refused(ambi("rescore", results / "no"), "There is nothing at")
    log = results.parent / f"samples_{TASK}_{TIME}.jsonl"
    log.write_bytes(log.read_bytes()[:-9])
    assert_refused(ambi("rescore", results), f"{log}:3: the line breaks off")
    results.unlink()
    assert_refused(ambi("rescore", results.parent), f"{log}: there are no results of the same run")


# --- curve ---------------------------------------------------------------------------------------


def test_curve_writes_a_table_and_a_picture(results, tmp_path):
    result = ambi("curve", results.parent.parent, "-o", tmp_path / "out" / "curve")
    assert result.exit_code == 0, result.stderr
    written = curve_rows(tmp_path / "out" / "curve")
    assert [(one["draws"], one["tokens"]) for one in written] == [
        ("1", "7.0"),
        ("2", "14.0"),
        ("4", "28.0"),
    ]
    first, _, last = written
    assert {first[name] for name in ("task", "model", "run", "metric")} == {
        TASK,
        "m/one",
        TIME,
        "js",
    }
    assert (first["subsets"], first["subsets_are"], first["utterances"]) == ("4", "all", "3")
    js = json.loads(results.read_text())["results"][TASK]["js,none"]
    assert float(last["prefix_score"]) == pytest.approx(js, abs=1e-12)
    assert float(last["subset_score"]) == pytest.approx(js, abs=1e-12)
    assert (tmp_path / "out" / "curve" / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert f"4 28.0 {js:.4f} {js:.4f} all 1" in "\n".join(rows(result.stdout))


def test_curve_of_several_metrics(results, tmp_path):
    asked = ("--metric", "brier", "--metric", "js")
    assert ambi("curve", results, "-o", tmp_path / "c", *asked).exit_code == 0
    found = [(one["metric"], one["draws"]) for one in curve_rows(tmp_path / "c")]
    assert found == [(metric, n) for metric in ("brier", "js") for n in ("1", "2", "4")]


def with_options(results, options):
    """The same run, scored with other options of metrics."""
    content = json.loads(results.read_text())
    content["configs"][TASK]["metrics"] = options
    results.write_text(json.dumps(content))


def test_a_curve_has_the_options_of_its_run(results, tmp_path):
    assert ambi("curve", results, "-o", tmp_path / "bits").exit_code == 0
    with_options(results, {"js": {"base": 4.0}})
    assert ambi("curve", results, "-o", tmp_path / "half").exit_code == 0
    bits, half = (
        [float(one["prefix_score"]) for one in curve_rows(tmp_path / name)]
        for name in ("bits", "half")
    )
    assert half == pytest.approx([one / 2 for one in bits], abs=1e-12)


def test_curves_of_other_options_do_not_stand_together(results, tmp_path):
    folder = results.parent.parent
    with_options(write_run(folder, {TASK: sc_lines(2)}, model="two"), {"js": {"root": True}})
    result = ambi("curve", folder, "-o", tmp_path / "c")
    assert_refused(result, "were scored with other options of js, so their curves do not compare")
    assert ambi("curve", folder, "-o", tmp_path / "c", "--metric", "bc").exit_code == 0


def test_curve_names_what_has_none(results, tmp_path):
    folder = results.parent.parent
    write_run(folder, {"ambi_demo_direct": greedy_lines()}, time=LATER)
    result = ambi("curve", folder, "-o", tmp_path / "c")
    assert result.exit_code == 0
    sentence = "ambi_demo_direct has no curve: there is one answer to each utterance."
    assert sentence in result.stdout
    assert {one["task"] for one in curve_rows(tmp_path / "c")} == {TASK}


def test_nothing_has_a_curve(tmp_path):
    write_run(tmp_path / "results", {"ambi_demo_direct": greedy_lines()})
    result = ambi("curve", tmp_path / "results", "-o", tmp_path / "c")
    assert_refused(result, "nothing has a curve. ambi_demo_direct has no curve: there is one")
    assert not (tmp_path / "c").exists()


def test_curve_without_tokens_or_log_likelihoods(tmp_path):
    one = record(
        "u", [1, 0, 0], fields("sc", draws=2), draws=[draw([1, 0, 0]), draw([0.5, 0.5, 0])]
    )
    write_run(tmp_path / "results", {TASK: [line(one)]})
    result = ambi("curve", tmp_path / "results", "-o", tmp_path / "c")
    assert result.exit_code == 0
    assert f"{TASK}: its log has no numbers of tokens, so it is drawn against draws" in (
        result.stdout
    )
    assert {row["tokens"] for row in curve_rows(tmp_path / "c")} == {""}


def test_curves_of_the_same_task_have_names_of_their_own(results, tmp_path):
    folder = results.parent.parent
    write_run(folder, {TASK: sc_lines(2)}, model="two", time=LATER)
    write_run(folder, {TASK: sc_lines(2)}, time=LATER)
    result = ambi("curve", folder, "-o", tmp_path / "c")
    printed = "\n".join(rows(result.stdout))
    for name in (f"{TASK}, two", f"{TASK}, m/one, {TIME}", f"{TASK}, m/one, {LATER}"):
        assert name in printed
    assert len(curve_rows(tmp_path / "c")) == 9


def test_mistakes(results, tmp_path):
    wrong = ambi("curve", results, "-o", tmp_path / "c", "--metric", "jss")
    assert_refused(wrong, "no metric 'jss'; did you mean 'js'?")
    (tmp_path / "file").write_text("")
    assert_refused(ambi("curve", results, "-o", tmp_path / "file"), "file cannot be written")
    assert_refused(ambi("curve", tmp_path / "no"), "There is nothing at")
    assert ambi("curve").exit_code == 2
    assert not Path("curve").exists()
