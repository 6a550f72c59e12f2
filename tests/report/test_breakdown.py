"""Scores of parts of a corpus."""

import dataclasses
import math

import numpy as np
import pytest

from ambi_tasks.labels import LabelRule
from ambi_tasks.metrics import all_metrics, get_metric
from ambi_tasks.report.breakdown import _attribute, breakdowns
from ambi_tasks.report.comparable import Group
from ambi_tasks.report.profile import entropy_profile, reliability
from ambi_tasks.statistics import Run, score_run
from tests.report.simulated import LABELS, a_logged_run

METRICS = [get_metric("js"), get_metric("ece"), get_metric("ent_corr")]


def by(found, name):
    return next(one for one in found if one.by == name)


def test_parts_are_scored_as_if_they_were_all():
    run = a_logged_run("one", 60)
    found = breakdowns(Group([run]), METRICS, seed=1, resamples=200)
    assert [one.by for one in found] == ["ambiguity", "class", "sex", "age"]
    for breakdown in found:
        for part in breakdown.parts:
            alone = run.run.only(part.keep)
            expected = score_run(alone, seed=1, resamples=20)
            for metric in METRICS:
                got = breakdown.scores["one"][part.name][metric.name]
                assert got.value == pytest.approx(expected[metric.name].value)
                assert got.low <= got.value <= got.high or metric.name == "ece"


def test_intervals_are_those_of_the_part_where_every_speaker_has_all_of_it():
    """Speakers who are all in the part are resampled as they are without the others."""
    run = a_logged_run("one", 60)
    everybody = np.full(60, "all")
    utterances = dataclasses.replace(run.utterances, strata=everybody)
    (ambiguity, *_) = breakdowns(
        Group([dataclasses.replace(run, utterances=utterances)]), METRICS, seed=5, resamples=300
    )
    (part,) = ambiguity.parts
    expected = score_run(run.run, seed=5, resamples=300, metrics={one.name: one for one in METRICS})
    assert ambiguity.scores["one"][part.name] == expected


def test_runs_are_scored_on_the_same_resamples_however_many_there_are():
    runs = [a_logged_run(f"r{n}", 30, seed=n) for n in range(11)]
    together = breakdowns(Group(runs), METRICS, seed=2, resamples=50)
    alone = breakdowns(Group([runs[10]]), METRICS, seed=2, resamples=50)
    for one, other in zip(together, alone, strict=True):
        assert one.scores["r10"] == other.scores["r10"]


def test_ties_between_classes_are_in_no_part():
    run = a_logged_run("one", 40)
    truth = run.truth.copy()
    truth[:5] = [0.5, 0.5, 0.0]
    inputs = {**run.run.inputs, "distributions": (truth, run.prediction)}
    run = dataclasses.replace(run, run=dataclasses.replace(run.run, inputs=inputs))
    found = by(breakdowns(Group([run]), METRICS, seed=1, resamples=20), "class")
    tied = int(((truth == truth.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())
    assert found.note == f"In no part: {tied} with a tie between classes."
    assert sum(part.size for part in found.parts) == 40 - tied


def test_a_part_of_one_speaker_has_no_interval():
    run = a_logged_run("one", 40)
    strata = np.where(run.run.speakers == "s0", "high", "low")
    run = dataclasses.replace(run, utterances=dataclasses.replace(run.utterances, strata=strata))
    found = by(breakdowns(Group([run]), METRICS, seed=1, resamples=20), "ambiguity")
    score = found.scores["one"]["high"]["js"]
    assert math.isnan(score.low)
    assert not math.isnan(score.value)
    assert not math.isnan(found.scores["one"]["low"]["js"].low)


def test_a_single_speaker():
    run = a_logged_run("one", 12, speakers=1)
    for breakdown in breakdowns(Group([run]), METRICS, seed=1, resamples=20):
        for scores in breakdown.scores["one"].values():
            assert math.isnan(scores["js"].se)
            assert not math.isnan(scores["js"].value)


@pytest.mark.parametrize(
    ("values", "names", "note"),
    [
        (["b", "a", "a"], ["a", "b"], ""),
        ([str(n) for n in range(20, 40)], ["20 to 25", "26 to 30", "31 to 34", "35 to 39"], ""),
        ([*[str(n) for n in range(20, 40)], "unknown"], None, "In no part: 1 without"),
        ([f"name {n}" for n in range(20)], [], ""),
        (["30"] * 5, ["30"], ""),
    ],
)
def test_attributes(values, names, note):
    parts, said = _attribute(np.array(values))
    if names is not None:
        assert [part.name for part in parts] == names
    assert said.startswith(note)
    assert not parts or sum(part.size for part in parts) == len(values) - bool(note)


# --- profiles ------------------------------------------------------------------------------------


def test_reliability_adds_up_to_the_calibration_error():
    run = a_logged_run("one", 80)
    bins = reliability(run)
    error = sum(
        one.utterances * abs(one.confidence - one.correctness) for one in bins if one.utterances
    )
    value = get_metric("ece").compute(run.truth, run.prediction)
    assert error / 80 == pytest.approx(value)
    assert sum(one.utterances for one in bins) == 80
    assert [one.high for one in bins] == pytest.approx(np.arange(1, 11) / 10)
    assert all(one.low < one.confidence <= one.high for one in bins if one.utterances)


def test_reliability_by_the_options_of_the_run():
    run = a_logged_run("one", 80)
    hard = run.metrics["ece"].choose({"bins": 4, "correctness": "hard"})
    bins = reliability(dataclasses.replace(run, metrics={**run.metrics, "ece": hard}))
    assert len(bins) == 4


def test_entropies_by_hand():
    rule = LabelRule(("a", "b"))
    truth = [[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]]
    predicted = [[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]]
    inputs = {"distributions": (truth, predicted), "draws": ([1] * 3, [1] * 3)}
    run = Run.of("x", ids=["1", "2", "3"], speakers=["s"] * 3, rule=rule, inputs=inputs)
    unanimous, mixed = entropy_profile(dataclasses.replace(a_logged_run("one", 3), run=run))
    assert (unanimous.utterances, unanimous.votes, unanimous.prediction) == (2, 0.0, 0.5)
    assert (unanimous.lower, unanimous.upper) == (0.25, 0.75)
    assert (mixed.utterances, mixed.votes, mixed.prediction, mixed.high) == (1, 1.0, 1.0, 1.0)


def test_all_metrics_are_known_to_the_simulated_runs():
    assert set(a_logged_run("one", 6).metrics) == set(all_metrics())
    assert len(LABELS) == 3
