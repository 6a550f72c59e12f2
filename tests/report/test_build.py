"""A report in its folder: what is written, what is set apart, what is left out."""

import csv
import json
import math
import re
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from ambi_tasks.errors import UserError
from ambi_tasks.report.analysis import Settings
from ambi_tasks.report.build import build_report, merge_logs
from ambi_tasks.report.logged_run import read_run
from ambi_tasks.report.sample_log import find_logs
from ambi_tasks.statistics import rank_runs
from tests.report.builders import TIME, draw, fields, line, record, sc_lines, write_lines, write_run

TASK = "ambi_demo_sc"
QUICK = Settings(resamples=100)


def build(results, folder, settings=QUICK, **rest):
    paths = results if isinstance(results, list) else [results]
    logs = merge_logs([find_logs(path, set_apart=True) for path in paths])
    return build_report(logs, folder, settings, **rest)


@pytest.fixture(scope="module")
def built(harness_run, tmp_path_factory):
    """A report on all strategies."""
    return build(harness_run, tmp_path_factory.mktemp("report") / "deep" / "report")


@pytest.fixture(scope="module")
def page(built):
    return built.page.read_text(encoding="utf-8")


def rows(built, name):
    with (built.page.parent / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- what is written -----------------------------------------------------------------------------


def test_files(built, page):
    folder = built.page.parent
    figures = {path.stem for path in (folder / "figures").iterdir()}
    tables = {path.stem for path in (folder / "tables").iterdir()}
    assert len(figures) == built.figures
    assert len(tables) == built.tables
    for kind, names, endings in (
        ("figures", figures, ("png", "svg")),
        ("tables", tables, ("csv", "tex")),
    ):
        for name in names:
            for ending in endings:
                assert (folder / kind / f"{name}.{ending}").stat().st_size > 20
                assert f'href="{kind}/{name}.{ending}"' in page
    assert {"matrix-js", "matrix-acc", "demo-scores", "demo-entropy", "demo-reliability"} <= figures
    assert {"demo-compute", "demo-failures", "demo-by-ambiguity", "demo-by-class"} <= figures
    assert {"runs", "matrix", "demo-main", "demo-skill", "demo-utterances"} <= tables
    assert (built.runs, built.left_out, built.apart) == (8, (), ())


def test_the_main_table_has_the_scores_of_statistics(built, harness_run):
    runs = [read_run(log, name=log.task.rpartition("_")[2]) for log in find_logs(harness_run).tasks]
    expected = rank_runs([one.run for one in runs], seed=1234, resamples=100)
    found = rows(built, "demo-main")
    assert [row["strategy"] for row in found[:8]] == [one.name for one in expected.ranks["js"]]
    for row in found[:8]:
        for metric in ("js", "bc", "acc", "f1_macro", "ece", "parsed"):
            score = expected.scores[row["strategy"]][metric]
            got = [float(row[f"{metric}{end}"]) for end in ("", "_low", "_high", "_se")]
            assert got == pytest.approx([score.value, score.low, score.high, score.se])
    assert [row["model"] for row in found[8:]] == [
        "floor: uniform",
        "floor: label prior",
        "human ceiling: split-half",
    ]


def test_every_figure_has_its_numbers(page):
    for block in re.findall(r"<section aria-labelledby.*?</section>", page, flags=re.DOTALL):
        if "<figure>" in block:
            assert "<table aria-label" in block


def test_the_curve_ends_at_the_run(built):
    found = [row for row in rows(built, "demo-compute") if row["strategy"] == "sc"]
    assert [row["candidates"] for row in found] == ["6.0", "1.0", "2.0", "4.0", "6.0"]
    assert float(found[0]["js"]) == pytest.approx(float(found[-1]["js"]))


def test_the_curve_over_seconds_of_a_run_of_one_task(built, own_run, tmp_path):
    assert {row["seconds"] for row in rows(built, "demo-compute")} == {
        ""
    }  # eight tasks share draws
    for log in own_run.rglob("samples_*"):
        if f"samples_{TASK}_" not in log.name:
            log.unlink()
    (results,) = own_run.rglob("results_*.json")
    content = json.loads(results.read_text(encoding="utf-8"))
    content["configs"] = {TASK: content["configs"][TASK]}
    content["config"]["draws"]["seconds"] = 2.0
    for other in ("verdicts", "scores"):
        del content["config"][other]
    results.write_text(json.dumps(content), encoding="utf-8")
    drawn = content["config"]["draws"]
    whole = 2.0 * (1 + drawn["stored"] / drawn["drawn"]) / content["results"][TASK]["sample_len"]
    alone = build(own_run, tmp_path / "report")
    found = [float(row["seconds"]) for row in rows(alone, "demo-compute")]
    assert found == pytest.approx([whole, whole / 6, whole / 3, whole / 1.5, whole])
    assert "seconds per utterance" in alone.page.read_text(encoding="utf-8")


def test_failures_are_all_counted(built, harness_run):
    for log in find_logs(harness_run).tasks:
        run = read_run(log)
        (row,) = [
            one for one in rows(built, "demo-failures") if one["strategy"] == run.strategy["name"]
        ]
        assert int(row["failed"]) == sum(run.failures.values())
        assert int(row["candidates"]) == run.utterances.candidates.sum()


def test_nothing_is_fetched_from_anywhere(page):
    addresses = re.findall(r'(?:src|href|action|url)\s*[=(]\s*"?([^"\s)>]+)', page)
    outside = [one for one in addresses if re.match(r"(?:https?:)?//", one)]
    assert outside == []
    assert "default-src 'none'" in page
    assert "@import" not in page


def test_ids_are_unique_and_links_within_the_page_lead_somewhere(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for name in re.findall(r'(?:xlink:)?href="#([^"]+)"', page) + re.findall(
        r"url\(#([^)]+)\)", page
    ):
        assert name in ids


def test_the_same_runs_make_the_same_report(built, page, harness_run, tmp_path):
    again = build(harness_run, tmp_path / "again")
    assert again.page.read_text(encoding="utf-8") == page
    for path in sorted((built.page.parent / "figures").iterdir()):
        assert (tmp_path / "again" / "figures" / path.name).read_bytes() == path.read_bytes()


def test_steps_are_told(harness_run, tmp_path):
    log = next(one for one in find_logs(harness_run).tasks if one.task == TASK)
    told = []
    build(log.path, tmp_path / "r", step=lambda *what: told.append(what))
    assert told[0] == ("Logs", 0, 1)
    assert told[-1] == ("Files", 1, 1)
    assert all(0 <= done <= total for _, done, total in told)


def test_large_logs_are_read_by_processes(tmp_path, monkeypatch):
    for name in ("m/a", "m/b"):
        write_run(tmp_path / "results", {TASK: sc_lines(4)}, model=name)
    bad = write_run(tmp_path / "results", {TASK: sc_lines(4)}, model="m/c")
    (bad.parent / f"samples_{TASK}_{TIME}.jsonl").write_text("{")
    alone = build(tmp_path / "results", tmp_path / "one")
    monkeypatch.setattr("ambi_tasks.report.reading._WORTH_PROCESSES", 0)
    together = build(tmp_path / "results", tmp_path / "two", workers=2)
    assert together.page.read_text("utf-8") == alone.page.read_text("utf-8")
    assert len(together.left_out) == 1


# --- other input ---------------------------------------------------------------------------------


def crema_d_run(folder):
    path = write_run(folder, {"ambi_crema_d_sc": sc_lines(6)}, model="m/one")
    content = json.loads(path.read_text())
    for config in content["configs"].values():
        config["corpus"]["name"] = "crema_d"
    path.write_text(json.dumps(content))
    return path


def test_published_numbers_stand_beside_ours_and_are_marked(tmp_path):
    found = build(crema_d_run(tmp_path / "results"), tmp_path / "report")
    table = rows(found, "matrix")
    assert [row["whose"] for row in table] == ["measured", *["reported"] * 4]
    (wbon,) = [row for row in table if row["whose"] == "reported" and row["strategy"] == "wbon"]
    assert (wbon["model"], wbon["acc"], wbon["acc_low"]) == ("Qwen2-Audio 7B", "0.5324", "")
    page = found.page.read_text("utf-8")
    assert "2602.03873" in page
    picture = (tmp_path / "report" / "figures" / "matrix-acc.svg").read_text("utf-8")
    assert "CREMA-D: Qwen2-Audio 7B, reported" in picture


def test_markup_in_names_and_answers_is_text(tmp_path):
    lines = sc_lines(4)
    for one in lines:
        one["doc"]["draws"][0]["text"] = "<script>alert(1)</script>"
        one["doc"]["speaker"] = '"><img src=x onerror=alert(2)>' + one["doc"]["speaker"]
    path = write_run(tmp_path / "results", {TASK: lines}, model="<b>&$x_$</b>")
    page = build(path, tmp_path / "report").page.read_text("utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>&$x" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_prompt_of_another_form_is_not_named(tmp_path):
    results = write_run(tmp_path / "r", {TASK: sc_lines(2)})
    content = json.loads(results.read_text())
    content["configs"][TASK]["prompt"] = "direct"
    results.write_text(json.dumps(content))
    (run,) = rows(build(results, tmp_path / "report"), "runs")
    assert run["prompt"] == "? v?"


def test_an_empty_answer_is_no_read_out(tmp_path):
    silent = record("u0", [1, 0, 0], fields("direct"), draws=[draw("")])
    found = build(write_run(tmp_path / "r", {TASK: [line(silent)]}), tmp_path / "report")
    page = found.page.read_text("utf-8")
    assert "Nothing was said." in page
    assert "without words" not in page


def test_attributes_of_speakers_have_sections(tmp_path):
    lines = sc_lines(8)
    for number, one in enumerate(lines):
        one["doc"]["attributes"] = {"sex": ("male", "female")[number // 2 % 2], "part": "all"}
    found = build(write_run(tmp_path / "r", {TASK: lines}), tmp_path / "report")
    assert [row["sex"] for row in rows(found, "demo-by-sex")] == ["female", "male"]
    assert "By part" not in found.page.read_text("utf-8")


def test_names_of_attributes_are_no_paths(tmp_path):
    lines = sc_lines(8)
    names = ["../../../outside", "class", "model", "a/b", "a b", "<i>"]
    for number, one in enumerate(lines):
        one["doc"]["attributes"] = dict.fromkeys(names, ("x", "y")[number % 2])
    found = build(write_run(tmp_path / "r", {TASK: lines}), tmp_path / "deep" / "er" / "report")
    made = {path.name for path in (found.page.parent / "tables").glob("demo-by-*.csv")}
    assert {"demo-by-outside.csv", "demo-by-class.csv", "demo-by-class-2.csv"} <= made
    assert {"demo-by-a-b.csv", "demo-by-a-b-2.csv", "demo-by-model.csv", "demo-by-i.csv"} <= made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "r"]
    assert "<i>" not in found.page.read_text("utf-8")


def test_one_utterance(tmp_path):
    found = build(write_run(tmp_path / "r", {TASK: sc_lines(1)}), tmp_path / "report")
    assert "no intervals and no ranks" in found.page.read_text("utf-8")


CHECKPOINT = "/data/checkpoints/emotion/qwen2-audio-7b-instruct-lora-r16-lr1e-4/checkpoint-12000"


@pytest.fixture
def pictures(monkeypatch):
    """Each PNG's box, and the words in it with theirs."""
    found = []
    save = Figure.savefig

    def measure(figure, *args, **rest):
        save(figure, *args, **rest)
        if rest["format"] == "png":
            figure.dpi = rest["dpi"]
            figure.draw_without_rendering()
            texts = [one for one in figure.findobj(Text) if re.search("[a-z]", one.get_text())]
            boxes = [(one.get_text(), one.get_window_extent()) for one in texts]
            shown = [(text, box) for text, box in boxes if box.width > 1]  # others are hidden
            found.append((figure.bbox.padded(2), shown))

    monkeypatch.setattr(Figure, "savefig", measure)
    return found


@pytest.mark.parametrize("models", [("Qwen/Qwen2-Audio-7B-Instruct", CHECKPOINT), ("again",)])
def test_long_names_of_runs_are_read_in_every_figure(tmp_path, pictures, models):
    for model in models:
        for time in (TIME, "2026-01-02T03-05-00", "2026-01-02T03-06-00"):
            write_run(tmp_path / "r", {TASK: sc_lines(6)}, model=model, time=time)
    assert build(tmp_path / "r", tmp_path / "report").figures == len(pictures)
    for paper, texts in pictures:
        for text, box in texts:
            assert paper.fully_contains(*box.min), text
            assert paper.fully_contains(*box.max), text
        for (text, one), (other, its) in combinations(texts, 2):
            assert not one.padded(-1).overlaps(its), (text, other)


def test_another_primary_metric(tmp_path):
    path = write_run(tmp_path / "r", {TASK: sc_lines(6)})
    found = build(path, tmp_path / "report", Settings("ece", resamples=50))
    page = found.page.read_text("utf-8")
    assert "best first by ece" in page
    assert "By js, of the best runs" in page  # ece has no value of an utterance
    with pytest.raises(UserError, match="did you mean 'js'"):
        build(path, tmp_path / "report", Settings("jss"))
    with pytest.raises(UserError, match="cannot be ordered by 'verified'"):
        build(path, tmp_path / "report", Settings("verified"))


# --- bad input -----------------------------------------------------------------------------------


def results_of(folder, model, lines=None, **rest):
    return write_run(folder, {TASK: lines or sc_lines(6)}, model=model, **rest)


def samples(results):
    return results.parent / f"samples_{TASK}_{TIME}.jsonl"


def test_runs_that_do_not_compare_stand_apart(tmp_path):
    results = tmp_path / "results"
    results_of(results, "m/one")
    results_of(results, "m/two")
    results_of(results, "m/strict", rule={"min_votes": 2})
    results_of(results, "m/more", sc_lines(8))
    found = build(results, tmp_path / "report")
    assert found.runs == 4
    sentences = " ".join(found.apart)
    assert "min_votes is 1 in the one, 2 in the other" in sentences
    assert "not on the same utterances" in sentences
    mains = {
        path.name: [row["model"] for row in csv.DictReader(path.open("r")) if row["strategy"]]
        for path in (tmp_path / "report" / "tables").glob("*-main.csv")
    }
    assert sorted(map(sorted, mains.values())) == [["m/more"], ["m/one", "m/two"], ["m/strict"]]
    corpora = [row["corpus"] for row in rows(found, "matrix")]
    assert sorted(set(corpora)) == [f"The demo corpus, group {n}" for n in (1, 2, 3)]
    page = found.page.read_text("utf-8")
    for sentence in found.apart:
        assert sentence.replace("'", "&#39;") in page


def truncate(results):
    path = samples(results)
    path.write_bytes(path.read_bytes()[:-30])


def drop_a_line(results):
    path = samples(results)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def put_nan(results):
    lines = [json.loads(one) for one in samples(results).read_text().splitlines()]
    lines[0]["doc"]["prediction"][0] = math.nan
    write_lines(samples(results), lines)


def other_version(results):
    content = json.loads(results.read_text())
    content["results"][TASK]["bc,none"] += 0.01
    results.write_text(json.dumps(content))


def unknown_metric(results):
    content = json.loads(results.read_text())
    content["configs"][TASK]["metrics"] = {"better_js": {}}
    results.write_text(json.dumps(content))


def no_log(results):
    samples(results).unlink()


def no_json(results):
    results.write_text("{")


DAMAGES = [
    (truncate, "the line breaks off"),
    (drop_a_line, "the log is not complete"),
    (put_nan, "NaN or infinity"),
    (other_version, "the metric is of another version"),
    (unknown_metric, "There is no metric 'better_js'"),
    (no_log, "evaluate with --log_samples"),
    (no_json, "is not JSON"),
]


def test_what_is_damaged_is_left_out_and_named(tmp_path):
    results_of(tmp_path / "results", "m/good")
    for number, (damage, _) in enumerate(DAMAGES):
        damage(results_of(tmp_path / "results", f"m/bad{number}"))
    found = build(tmp_path / "results", tmp_path / "report")
    assert found.runs == 1
    assert len(found.left_out) == len(DAMAGES)
    page = found.page.read_text("utf-8")
    assert "Left out" in page
    for number, (_, sentence) in enumerate(DAMAGES):
        (said,) = [one for one in found.left_out if sentence in one]
        assert f"m__bad{number}" in said
        assert sentence.replace("'", "&#39;") in page
    assert "m/bad" not in (tmp_path / "report" / "tables" / "demo-main.csv").read_text("utf-8")


def test_results_of_other_tasks_are_named(tmp_path):
    path = results_of(tmp_path / "results", "m/good")
    content = json.loads(path.read_text())
    content["results"]["hellaswag"] = {"acc,none": 0.5}
    content["configs"]["hellaswag"] = {"task": "hellaswag"}
    path.write_text(json.dumps(content))
    page = build(path, tmp_path / "report").page.read_text("utf-8")
    assert "hellaswag" in page
    assert "no task of this benchmark" in page


def test_nothing_left(tmp_path):
    path = results_of(tmp_path / "results", "m/bad")
    truncate(path)
    with pytest.raises(UserError, match=r"No run can be read\. .*breaks off"):
        build(path, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "report").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        build(results_of(tmp_path / "results", "m/a"), tmp_path / "report")


def test_the_same_folder_twice_is_once(tmp_path):
    path = results_of(tmp_path / "results", "m/a")
    found = merge_logs([find_logs(path), find_logs(tmp_path / "results"), find_logs(Path(path))])
    assert len(found.tasks) == 1
