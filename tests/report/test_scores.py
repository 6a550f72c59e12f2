"""Scores of a group: ranks, floors, ceiling, skill."""

import dataclasses
import math

import numpy as np
import pytest

from ambi_tasks.metrics import get_metric
from ambi_tasks.report.comparable import Group
from ambi_tasks.report.scores import score_group
from ambi_tasks.statistics import label_prior, rank_runs, score_run, skill_share
from tests.report.simulated import a_logged_run

JS = get_metric("js")


def score(runs, primary=JS):
    return score_group(Group(runs), primary, seed=3, resamples=200)


def three():
    return [
        a_logged_run("middle", 40, heard=0.5),
        a_logged_run("best", 40, heard=0.9),
        a_logged_run("worst", 40, heard=0.1),
    ]


def test_scores_and_ranks_are_those_of_statistics():
    runs = three()
    found = score(runs)
    expected = rank_runs([one.run for one in runs], seed=3, resamples=200)
    assert found.runs == {name: dict(of) for name, of in expected.scores.items()}
    assert found.ranking.ranks["js"] == expected.ranks["js"]
    assert found.order == ("best", "middle", "worst")
    assert score(runs, get_metric("bc")).order == found.order  # of the other direction
    assert found.note == found.references.note == ""


def test_floors_are_those_of_their_predictions():
    run = three()[0]
    found = score([run]).references.scores
    prior = label_prior(run.truth, run.run.speakers)
    inputs = {"distributions": (run.truth, prior)}
    expected = score_run(dataclasses.replace(run.run, inputs=inputs), seed=0, resamples=10)
    for name in ("js", "f1_macro", "ent_corr"):
        assert found["label_prior"][name].value == pytest.approx(expected[name].value)
    assert found["split_half"]["js"].value < found["label_prior"]["js"].value


def test_skill_is_the_share_of_the_way():
    found = score(three())
    references = found.references.scores
    for name in ("best", "worst"):
        assert found.skill[name]["js"] == skill_share(
            found.runs[name]["js"].value,
            references["label_prior"]["js"].value,
            references["split_half"]["js"].value,
            higher_is_better=False,
        )
    assert found.skill["best"]["js"] > found.skill["worst"]["js"]


def changed(run, **columns):
    return dataclasses.replace(run, utterances=dataclasses.replace(run.utterances, **columns))


def test_utterances_without_a_ceiling_are_left_out_of_skill():
    run = three()[0]
    votes = run.utterances.votes.copy()
    votes[:10] = [3.5, 3.5, 0.0]
    annotators = run.utterances.annotators.copy()
    annotators[10:15] = 1
    votes[10:15] = [1.0, 0.0, 0.0]
    found = score([changed(run, votes=votes, annotators=annotators)])
    assert found.references.utterances == 25
    assert "25 of 40 utterances" in found.references.note
    assert "5 with a single annotator and 10 with a vote shared" in found.references.note
    kept = np.arange(40) >= 15
    value = JS.compute(run.truth[kept], run.prediction[kept]).mean()
    references = found.references.scores
    assert found.skill["middle"]["js"] == pytest.approx(
        skill_share(
            value,
            references["label_prior"]["js"].value,
            references["split_half"]["js"].value,
            higher_is_better=False,
        )
    )


def test_without_votes_there_are_floors_alone():
    found = score([changed(three()[0], votes=None, annotators=None)])
    assert list(found.references.scores) == ["uniform", "label_prior"]
    assert "the log does not have the votes" in found.references.note
    assert found.skill == {"middle": {}}


def test_a_single_speaker_has_no_intervals():
    run = a_logged_run("one", 20, speakers=1)
    found = score([run, a_logged_run("other", 20, speakers=1)])
    assert math.isnan(found.runs["one"]["js"].low)
    assert found.runs["one"]["js"].value == pytest.approx(
        JS.compute(run.truth, run.prediction).mean()
    )
    assert found.ranking.ranks == {}
    assert "All utterances are of the speaker s0" in found.note
    assert list(found.references.scores) == ["uniform"]


def test_options_of_metrics_hold_for_floors_too():
    run = three()[0]
    rooted = JS.choose({"root": True})
    run = dataclasses.replace(run, metrics={**run.metrics, "js": rooted})
    found = score([run], rooted)
    uniform = np.full_like(run.truth, 1 / 3)
    expected = rooted.compute(run.truth, uniform).mean()
    assert found.references.scores["uniform"]["js"].value == pytest.approx(expected)
