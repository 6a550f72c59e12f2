"""Draws of a log as arrays: those that the curve reads from the texts."""

import dataclasses

import numpy as np
import pytest

from ambi_tasks.errors import UserError
from ambi_tasks.metrics import get_metric
from ambi_tasks.report.compute import cost, curve_of
from ambi_tasks.report.curve import curve, read_pool, why_no_curve
from ambi_tasks.report.logged_pool import read_logged_pool, settings_of
from ambi_tasks.report.logged_run import read_run
from ambi_tasks.report.sample_log import find_logs
from tests.report.builders import draw, fields, line, record, sc_lines, write_lines, write_run


def runs_with_a_curve(folder):
    runs = [read_run(log) for log in find_logs(folder).tasks]
    return [one for one in runs if not why_no_curve(settings_of(one))]


def test_pools_and_curves_of_a_run_by_the_harness(harness_run):
    runs = runs_with_a_curve(harness_run)
    assert {one.strategy["name"] for one in runs} == {"sc", "almv", "walmv"}
    for one in runs:
        in_order = sorted(one.log.utterances(), key=lambda found: found.record["id"])
        expected, found = read_pool(in_order), read_logged_pool(one)
        assert found.labels == expected.labels
        assert found.settings == expected.settings
        np.testing.assert_allclose(found.truth, expected.truth)
        np.testing.assert_allclose(found.contributions, expected.contributions)
        for name in ("readable", "log_likelihoods", "has_log_likelihood", "tokens", "scores"):
            np.testing.assert_array_equal(
                getattr(found.evidence, name), getattr(expected.evidence, name)
            )
        metrics = [get_metric("js")]
        ours, theirs = curve(found, metrics, 3), curve(expected, metrics, 3)
        assert [point.subset for point in ours] == pytest.approx([p.subset for p in theirs])
        assert ours[-1].prefix == pytest.approx(one.log.reported["js,none"])


def test_tokens_of_points(tmp_path):
    (log,) = find_logs(write_run(tmp_path, {"ambi_demo_sc": sc_lines(4, draws=4)})).tasks
    run = read_run(log)
    points = curve_of(run, get_metric("js"), seed=1)
    assert [(point.draws, point.tokens) for point in points] == [(1, 7.0), (2, 14.0), (4, 28.0)]
    found = cost(run)
    assert (found.candidates, found.tokens, found.seconds) == (4.0, 28.0, None)


DRAWN = {"drawn": 6, "stored": 2, "seconds": 6.0}
VERDICTS = {"drawn": 5, "stored": 0, "seconds": 2.0}


@pytest.mark.parametrize(
    ("settings", "tasks", "seconds"),
    [
        ({"draws": DRAWN}, 1, 2.0),  # 8 s for all 8, of 4 utterances
        ({"draws": DRAWN, "verdicts": VERDICTS}, 1, 2.5),
        ({"draws": DRAWN, "verifier": {"verdicts": VERDICTS, "model_name": "judge"}}, 1, 2.5),
        ({"draws": DRAWN, "recogniser": {"transcripts": {**VERDICTS, "stored": 5}}}, 1, 3.0),
        ({"draws": DRAWN, "recogniser": {"transcripts": {**VERDICTS, "drawn": 0}}}, 1, None),
        ({"scores": {"scored": 16, "stored": 0, "seconds": 1.0}}, 1, 0.25),
        ({"draws": DRAWN}, 2, None),  # which may have shared draws
        ({"draws": {**DRAWN, "drawn": 0}}, 1, None),
        ({"draws": DRAWN, "verdicts": {**VERDICTS, "drawn": 0}}, 1, None),
        ({"draws": {"drawn": 6, "stored": 2}}, 1, None),
        ({"draws": {**DRAWN, "seconds": float("nan")}}, 1, None),
        ({"draws": {**DRAWN, "seconds": "long"}}, 1, None),
        ({"draws": "many", "verifier": "one"}, 1, None),
        ({}, 1, None),
    ],
)
def test_seconds_are_those_of_answering(tmp_path, settings, tasks, seconds):
    (log,) = find_logs(write_run(tmp_path, {"ambi_demo_sc": sc_lines(4)})).tasks
    run = read_run(log)
    log = dataclasses.replace(log, settings=settings, tasks_of_run=tasks)
    assert cost(dataclasses.replace(run, log=log)).seconds == seconds


def test_no_curve_of_a_corpus_metric_or_a_single_answer(tmp_path):
    one = record("u", [1, 0, 0], fields("direct"), draws=[draw([1, 0, 0])])
    write_run(tmp_path, {"ambi_demo_direct": [line(one)], "ambi_demo_sc": sc_lines()})
    direct, sc = (read_run(log) for log in find_logs(tmp_path).tasks)
    assert curve_of(direct, get_metric("js"), seed=1) == []
    assert curve_of(sc, get_metric("ece"), seed=1) == []
    assert curve_of(sc, get_metric("js"), seed=1)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (sc_lines(3), "has changed"),
        ([*sc_lines(3), *[{**sc_lines(4, draws=2)[3]}]], "differ in the number of draws"),
        ([{"doc": 1}], "cannot be read"),
    ],
)
def test_a_log_that_changed(tmp_path, lines, message):
    (log,) = find_logs(write_run(tmp_path, {"ambi_demo_sc": sc_lines(4)})).tasks
    run = read_run(log)
    write_lines(log.path, lines)
    with pytest.raises(UserError, match=message):
        read_logged_pool(run)
