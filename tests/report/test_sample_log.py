"""Runs read back: which files belong together, and what cannot be read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ambi_tasks.errors import UserError
from ambi_tasks.report.sample_log import find_logs
from ambi_tasks.strategies import all_strategies
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
LATER = "2026-01-02T03-05-00"  # a whole second has no fraction
LOG = f"samples_{TASK}_{TIME}.jsonl"


def read_all(path: Path) -> None:
    for log in find_logs(path).tasks:
        list(log.utterances())


def refusal(path: Path) -> str:
    """What is said where a run cannot be read to its end."""
    with pytest.raises(UserError) as caught:
        read_all(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- files ---------------------------------------------------------------------------------------


def test_a_run_of_the_harness_is_read_as_it_was_written(harness_run: Path) -> None:
    logs = find_logs(harness_run)
    assert {log.task for log in logs.tasks} == {f"ambi_demo_{name}" for name in all_strategies()}
    assert logs.skipped == ()
    for log in logs.tasks:
        utterances = list(log.utterances())
        assert log.size == len(utterances) == 4
        assert log.reported is not None
        assert "js,none" in log.reported
        assert log.model == json.loads(log.results_path.read_text())["model_name"]
        assert utterances[1].where == f"{log.path}:2"
        assert {"js", "parsed"} <= set(utterances[1].scores)
        assert utterances[1].strategy.name == log.task.removeprefix("ambi_demo_")


def test_several_runs_and_models_in_one_tree(tmp_path: Path) -> None:
    write_run(tmp_path, {TASK: sc_lines(2)})
    write_run(tmp_path, {TASK: sc_lines(3), "ambi_demo_mine": sc_lines(1)}, time=LATER)
    write_run(tmp_path / "deep" / "er", {TASK: sc_lines(4)}, model="other")
    found = [(log.model, log.time, log.task, log.size) for log in find_logs(tmp_path).tasks]
    assert sorted(found) == [
        ("m/one", TIME, TASK, 2),
        ("m/one", LATER, "ambi_demo_mine", 1),
        ("m/one", LATER, TASK, 3),
        ("other", TIME, TASK, 4),
    ]


def test_one_file_stands_for_its_run_or_its_task(tmp_path: Path, monkeypatch: Any) -> None:
    results = write_run(tmp_path, {TASK: sc_lines(), "ambi_demo_mine": sc_lines()})
    write_run(tmp_path, {TASK: sc_lines()}, time=LATER)
    both = find_logs(results)
    assert [(log.task, log.time) for log in both.tasks] == [("ambi_demo_mine", TIME), (TASK, TIME)]
    (one,) = find_logs(results.parent / LOG).tasks
    assert (one.task, one.size, one.results_path) == (TASK, 3, results)
    monkeypatch.chdir(results.parent)
    (here,) = find_logs(Path(LOG)).tasks
    assert (here.size, here.model) == (3, "m/one")


def test_tasks_of_others_are_named(tmp_path: Path) -> None:
    results = write_run(tmp_path, {TASK: sc_lines()})
    content = json.loads(results.read_text())
    content["configs"]["hellaswag"] = {"task": "hellaswag"}
    results.write_text(json.dumps(content))
    write_lines(results.parent / f"samples_hellaswag_{TIME}.jsonl", [{"doc": {"ctx": "A man"}}])
    write_lines(results.parent / f"samples_arc_{LATER}.jsonl", [{"doc": {"question": "?"}}])
    logs = find_logs(tmp_path)
    assert [log.task for log in logs.tasks] == [TASK]
    assert [sentence.split("'")[1] for sentence in logs.skipped] == ["hellaswag", "arc"]
    assert all("no task of this benchmark, and skipped." in one for one in logs.skipped)
    (results.parent / LOG).unlink()
    del content["configs"][TASK]
    results.write_text(json.dumps(content))
    assert "holds no sample log of a task of this benchmark" in refusal(tmp_path)
    assert "'hellaswag'" in refusal(tmp_path)


def test_a_log_without_results_is_known_by_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "folder" / LOG
    path.parent.mkdir()
    write_lines(path, sc_lines())
    (log,) = find_logs(tmp_path).tasks
    assert (log.model, log.reported, log.results_path, log.size) == ("folder", None, None, None)
    assert len(list(log.utterances())) == 3


def test_output_path_of_the_users_own_name(tmp_path: Path) -> None:
    """`--output_path my.json` writes my_<time>.json."""
    results = write_run(tmp_path, {TASK: sc_lines()})
    renamed = results.rename(results.with_name(f"my_run_{TIME}.json"))
    (log,) = find_logs(renamed).tasks
    assert log.results_path == renamed


def test_what_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no") == f"There is nothing at {tmp_path / 'no'}."
    assert "holds no results_<time>.json" in refusal(tmp_path)
    other = tmp_path / "notes.txt"
    other.write_text("x")
    assert "named neither like results_<time>.json nor" in refusal(other)
    assert "holds no results_<time>.json" in refusal(tmp_path)


def test_results_without_samples(tmp_path: Path) -> None:
    results = write_run(tmp_path, {TASK: sc_lines()})
    (results.parent / LOG).unlink()
    message = f"{results}: it reports {TASK}, but there is no {LOG} beside it; evaluate with --log_"
    assert refusal(tmp_path).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "the file is not JSON"),
        ("[]", "there is no 'results' in it"),
        ('{"results": {}}', "there is no 'configs' in it"),
        ('{"results": {}, "configs": []}', "there is no 'configs' in it"),
        (b"\xff\xfe", "the file is not JSON"),
    ],
)
def test_results_that_cannot_be_read(tmp_path: Path, content: str | bytes, message: str) -> None:
    results = write_run(tmp_path, {TASK: sc_lines()})
    results.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert refusal(tmp_path).startswith(f"{results}: {message}")


# --- lines ---------------------------------------------------------------------------------------


def broken(tmp_path: Path, change: Callable[[list[Any]], None]) -> str:
    """The refusal of a run whose lines a function changed."""
    lines = sc_lines()
    results = write_run(tmp_path, {TASK: lines})
    change(lines)
    write_lines(results.parent / LOG, lines)
    return refusal(tmp_path).removeprefix(f"{results.parent / LOG}:")


def test_the_last_line_breaks_off(tmp_path: Path) -> None:
    path = write_run(tmp_path, {TASK: sc_lines()}).parent / LOG
    path.write_bytes(path.read_bytes()[:-20])
    assert refusal(tmp_path).startswith(f"{path}:3: the line breaks off (")


def test_lines_are_missing_or_there_twice(tmp_path: Path) -> None:
    assert "it holds 2 utterances, but" in broken(tmp_path, lambda lines: lines.pop())
    twice = broken(tmp_path, lambda lines: lines.append(lines[0]))
    assert twice == "4: the utterance 'u0' is there twice, first in line 1."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"nonsense\n", "1: the line is not JSON"),
        (b"\xff\n", "1: the line is not JSON"),
        (b"\n", "1: the line is not JSON"),
        (b"[1]\n", "1: the line is no JSON object."),
        (b"", " the file is empty."),
    ],
)
def test_what_is_no_line(tmp_path: Path, text: bytes, message: str) -> None:
    path = write_run(tmp_path, {TASK: sc_lines()}).parent / LOG
    path.write_bytes(text)
    assert refusal(tmp_path).startswith(f"{path}:{message}")


def test_logs_without_evidence(tmp_path: Path) -> None:
    """The first version logged candidates, and neither draws nor the strategy."""

    def forget(lines: list[Any]) -> None:
        del lines[1]["doc"]["strategy"], lines[1]["doc"]["draws"]

    assert broken(tmp_path, forget).startswith("2: there is no evidence in the line")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("doc", None, "doc: "),
        ("doc.id", 7, "doc.id: "),
        ("doc.labels", "neutral", "doc.labels: "),
        ("doc.soft_label", [0.5, 0.5], "doc.soft_label is no distribution over the 3 labels"),
        ("doc.soft_label", [0.5, 0.5, 0.5], "doc.soft_label is no distribution over the 3"),
        ("doc.soft_label", [1.5, -0.5, 0.0], "doc.soft_label.1: "),
        ("doc.soft_label", [float("nan"), 0.5, 0.5], "doc.soft_label.0: "),
        ("doc.strategy", "sc", "doc.strategy: "),
        ("doc.strategy", {"draws": 4}, "doc.strategy.name: "),
        ("doc.strategy.name", "scc", "There is no strategy 'scc'; did you mean 'sc'?"),
        ("doc.strategy.draws", 0, "The strategy 'sc': draws is 0"),
        ("doc.strategy.votes", 1, "The strategy 'sc' has no field 'votes'"),
        ("doc.draws", [], "doc.draws: "),
        ("doc.draws", None, "there are no draws in the line"),
        ("doc.draws.1.text", 3, "doc.draws.1.text: "),
        ("doc.draws.1.tokens", -1, "doc.draws.1.tokens: "),
        ("doc.draws.1.log_likelihood", float("nan"), "doc.draws.1.log_likelihood: "),
        ("metrics", None, "metrics: "),
        ("js", "low", "js is no number: 'low'"),
        ("js", True, "js is no number: True"),
    ],
)
def test_lines_that_cannot_be_scored(
    tmp_path: Path, path: str, value: object, message: str
) -> None:
    def change(lines: list[Any]) -> None:
        *way, last = path.split(".")
        place = lines[1]
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        place[last] = value

    assert broken(tmp_path, change).startswith(f"2: {message}")


def test_a_score_that_is_announced_and_missing(tmp_path: Path) -> None:
    assert broken(tmp_path, lambda lines: lines[0].pop("js")).startswith("1: js is no number")


VERIFIED = fields("almv", draws=2)
READ_OUT = {"log_likelihoods": [-1.0, -2.0, -3.0], "tokens": [1, 1, 2], "content_free": []}


@pytest.mark.parametrize(
    ("strategy", "evidence", "message"),
    [
        (VERIFIED, {"verdicts": None}, "doc.verdicts are not as many as doc.draws."),
        (VERIFIED, {"verdicts": [None]}, "doc.verdicts are not as many as doc.draws."),
        (VERIFIED, {"verdicts": [None, {}]}, "doc.verdicts.1."),
        (
            VERIFIED,
            {"verdicts": [None, {"log_likelihoods": [-1.0, -2.0]}]},
            "doc.verdicts are not those of score=rating.",
        ),
        (
            VERIFIED | {"score": "probability"},
            {"verdicts": [None, {"text": "8"}]},
            "doc.verdicts are not those of score=probability.",
        ),
        (VERIFIED | {"scale": None}, {"verdicts": [None] * 2}, "doc.strategy.scale is not"),
        (fields("tlr"), {}, "there is no read-out in the line"),
        (fields("tlr"), {"read_out": READ_OUT | {"tokens": [1]}}, "doc.read_out is not of the 3"),
        (
            fields("tlr"),
            {"read_out": READ_OUT | {"content_free": [1.0]}},
            "doc.read_out is not of the 3",
        ),
        (fields("tlr"), {"read_out": READ_OUT | {"more": 1}}, "doc.read_out.more: "),
    ],
)
def test_evidence_that_is_not_that_of_the_strategy(
    tmp_path: Path, strategy: dict[str, Any], evidence: dict[str, Any], message: str
) -> None:
    draws = [draw([0.5, 0.5, 0.0]), draw([1, 0, 0])]
    good = line(record("u1", [0.5, 0.25, 0.25], fields("sc"), draws=draws))
    good["doc"] |= {"strategy": strategy, **evidence}
    path = write_run(tmp_path, {TASK: [good]}).parent / LOG
    assert refusal(tmp_path).startswith(f"{path}:1: {message}")
