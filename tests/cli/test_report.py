"""`ambi report`: what it says, and its exit codes."""

import json

from tests.cli.runner import ambi, assert_refused, rows
from tests.report.builders import TIME, sc_lines, write_run

TASK = "ambi_demo_sc"


def test_a_report(tmp_path):
    write_run(tmp_path / "one", {TASK: sc_lines(6)}, model="m/one")
    write_run(tmp_path / "two", {TASK: sc_lines(6, draws=2)}, model="m/two")
    output = tmp_path / "report"
    result = ambi("report", tmp_path / "one", tmp_path / "two", "-o", output, "--resamples", 100)
    assert result.exit_code == 0, result.stderr
    (said,) = rows(result.stdout)
    assert said.startswith(f"Written: {output / 'index.html'}, about 2 runs; ")
    page = (output / "index.html").read_text("utf-8")
    assert "m/one" in page
    assert "m/two" in page


def test_what_is_left_out_is_said_and_is_the_exit_code(tmp_path):
    write_run(tmp_path / "r", {TASK: sc_lines(6)}, model="m/one")
    bad = write_run(tmp_path / "r", {TASK: sc_lines(6)}, model="m/two")
    log = bad.parent / f"samples_{TASK}_{TIME}.jsonl"
    log.write_bytes(log.read_bytes()[:-5])
    result = ambi("report", tmp_path / "r", "-o", tmp_path / "report", "--resamples", 100)
    assert result.exit_code == 1
    assert "Left out: " in result.stdout
    assert "the line breaks off" in " ".join(rows(result.stdout))
    assert (tmp_path / "report" / "index.html").is_file()


def test_runs_that_stand_apart_are_said(tmp_path):
    write_run(tmp_path / "r", {TASK: sc_lines(4)}, model="m/one")
    write_run(tmp_path / "r", {TASK: sc_lines(4)}, model="m/two", rule={"min_votes": 2})
    result = ambi("report", tmp_path / "r", "-o", tmp_path / "report", "--resamples", 100)
    assert result.exit_code == 0
    assert "min_votes is 1 in the one, 2 in the other" in " ".join(rows(result.stdout))


def test_refusals(tmp_path):
    assert_refused(ambi("report", tmp_path / "nothing"), "There is nothing at")
    assert_refused(ambi("report", tmp_path), "holds no results_<time>.json")
    path = write_run(tmp_path / "r", {TASK: sc_lines(4)})
    assert_refused(ambi("report", path, "--metric", "jss"), "did you mean 'js'?")
    content = json.loads(path.read_text())
    content["configs"] = content["results"] = {"hellaswag": {}}
    path.write_text(json.dumps(content))
    (path.parent / f"samples_{TASK}_{TIME}.jsonl").unlink()
    assert_refused(ambi("report", path), "no sample log of a task of this benchmark")
    wrong = ambi("report", path, "--audio", "loud")
    assert wrong.exit_code == 2
    assert "loud" in wrong.stderr
