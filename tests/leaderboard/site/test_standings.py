"""The numbers of the pages are those of `ambi_tasks.statistics`, and compare only what compares."""

import datetime
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ambi_tasks.corpora import get_corpus
from ambi_tasks.leaderboard.board import read_board
from ambi_tasks.leaderboard.scores import SEED
from ambi_tasks.leaderboard.site.compute import fronts
from ambi_tasks.leaderboard.site.standings import standings
from ambi_tasks.metrics import all_metrics, jensen_shannon
from ambi_tasks.statistics import (
    Clusters,
    compare_runs,
    holm,
    rank_runs,
    reference_scores,
    score_run,
)
from tests.leaderboard.site.conftest import DAY, MODELS, RESAMPLES, Written

BOARD = Path(__file__).parents[3] / "leaderboard"


def test_everybody_is_there_once(written: Written):
    keys = [one.entry.key for group in written.found for one in group.everybody]
    assert sorted(keys) == sorted(entry.key for entry in written.board.entries)
    assert [group.corpus.name for group in written.found] == ["crema_d", "demo"]


def test_scores_and_intervals_are_those_of_score_run(written: Written):
    for group in written.found:
        for one in group.models:
            expected = score_run(one.entry.run, seed=SEED, resamples=RESAMPLES)
            assert one.scores == expected


def test_a_score_is_the_mean_over_the_utterances(written: Written):
    """Not by our own bootstrap: straight from votes and predictions."""
    for one in written.of("crema_d").models:
        truth, predictions = one.entry.truth, one.entry.predictions
        by_hand = jensen_shannon(truth.soft_labels, predictions.distributions).mean()
        assert one.scores["js"].value == pytest.approx(by_hand, abs=1e-12)


def test_models_are_best_first(written: Written):
    values = [one.scores["js"].value for one in written.of("crema_d").models]
    assert len(values) == len(MODELS)
    assert values == sorted(values)


def test_ranks_are_those_of_the_paired_tests(written: Written):
    models = written.of("crema_d").models
    found = rank_runs([one.entry.run for one in models], seed=SEED, resamples=RESAMPLES, test="t")
    expected = {rank.name: rank for rank in found.ranks["js"]}
    assert {one.entry.key: one.rank for one in models} == expected
    assert len({one.rank.group for one in models}) > 2


def test_gains_are_paired_and_corrected_together(written: Written):
    group = written.of("crema_d")
    by_key = {one.entry.key: one for one in group.models}
    gains = {key: one.gain for key, one in by_key.items() if one.gain}
    assert {key.split("/")[-1] for key in gains} == {"sc", "sc--64-draws", "cot", "walmv"}
    p = {}
    for key, gain in gains.items():
        assert gain.baseline == f"{key.split('/')[0]}/crema_d/direct"
        found = compare_runs(
            [by_key[gain.baseline].entry.run, by_key[key].entry.run],
            seed=SEED,
            resamples=RESAMPLES,
        )
        (difference,) = found.differences.values()
        assert gain.better.value == difference["js"].value
        assert (gain.better.low, gain.better.high) == (
            difference["js"].low,
            difference["js"].high,
        )
        better = by_key[key].scores["js"].value < by_key[gain.baseline].scores["js"].value
        assert (gain.better.value > 0) == better
        effective = Clusters.of(by_key[key].entry.run.speakers).effective
        p[key] = 2 * stats.t.sf(abs(gain.better.value) / gain.better.se, effective - 1)
    adjusted = [gain.better.adjusted for gain in gains.values()]
    assert adjusted == pytest.approx(holm(list(p.values())), rel=1e-9)


def test_strata_are_the_scores_of_their_utterances(written: Written):
    one = written.of("crema_d").models[0]
    truth, run = one.entry.truth, one.entry.run
    chosen = {name: all_metrics()[name] for name in ("js", "bc", "acc")}
    assert set(one.strata) == {"unanimous", "low", "medium", "high"}
    for stratum, scores in one.strata.items():
        part = run.only(truth.strata == stratum)
        assert scores == score_run(part, seed=SEED, metrics=chosen, resamples=RESAMPLES)
    sizes = written.of("crema_d").stratum_sizes
    assert sum(sizes.values()) == len(truth.ids)


def test_skill_is_0_at_the_floor_and_1_at_the_ceiling(written: Written):
    for group in written.found:
        floor, ceiling = (group.references[name] for name in ("label_prior", "split_half"))
        assert floor.skill["js"] == 0
        assert ceiling.skill["js"] == 1
        for one in group.models:
            way = ceiling.scores["js"].value - floor.scores["js"].value
            gone = one.scores["js"].value - floor.scores["js"].value
            assert one.skill["js"] == pytest.approx(gone / way)


def test_the_ceiling_is_that_of_the_votes(written: Written):
    demo = get_corpus("demo")
    expected = reference_scores(
        demo.read(demo.bundled_root), demo.label_rule, seed=SEED, repetitions=200
    )
    found = written.of("demo").references["split_half"].scores
    assert found["js"] == expected.scores["split_half"]["js"]


def test_without_votes_everything_is_as_submitted_and_nobody_is_ranked(written: Written):
    entries = [replace(one, truth=None, status="self-reported") for one in written.board.entries]
    group = next(one for one in standings(entries, DAY) if one.corpus.name == "crema_d")
    assert len(group.models) == len(MODELS)
    assert group.speakers is None
    for one in group.models:
        assert one.rank is None
        assert one.gain is None
        record = one.entry.submission.scores["js"]
        assert one.scores["js"].value == record.value
        assert one.scores["js"].low == record.low
    assert [one.entry.key for one in group.models] == [
        one.entry.key for one in written.of("crema_d").models
    ]


def test_other_votes_stand_apart(written: Written):
    """The same corpus by another truth is no competitor."""
    entries = list(written.board.entries)
    one = next(entry for entry in entries if entry.key.endswith("Hearing-7B/crema_d/direct"))
    other = one.submission.model_copy(
        update={"corpus": one.submission.corpus.model_copy(update={"manifest_sha256": "f" * 64})}
    )
    entries.append(
        replace(
            one, submission=other, truth=None, key="X__Y/crema_d/direct", status="self-reported"
        )
    )
    groups = [g for g in standings(entries, DAY, resamples=10) if g.corpus.name == "crema_d"]
    assert [len(group.models) for group in groups] == [len(MODELS), 1]
    assert groups[1].references == {}
    assert groups[1].models[0].skill == {}


def test_a_score_that_there_is_not_comes_last(written: Written):
    entries = [one for one in written.board.entries if "/demo/" in one.key]
    changed = []
    for entry in entries:
        if entry.key.endswith("/direct"):
            scores = dict(entry.submission.scores)
            scores["js"] = scores["js"].model_copy(update={"value": None})
            submission = entry.submission.model_copy(update={"scores": scores})
            changed.append(replace(entry, submission=submission, truth=None))
        else:
            changed.append(entry)
    (group,) = standings(changed, DAY, resamples=10)
    assert math.isnan(group.models[-1].scores["js"].value)
    assert not np.isnan(group.models[0].scores["js"].value)


def test_who_takes_no_part_is_shown_without_a_rank(written: Written):
    """A control, one that was trained on the labels, and an interface's after a year."""
    changed = []
    for entry in written.board.entries:
        if "Hearing-7B/crema_d/sc--64" in entry.key:
            model = entry.submission.model.model_copy(update={"control": True})
            changed.append(
                replace(entry, submission=entry.submission.model_copy(update={"model": model}))
            )
        elif "Hearing-7B/crema_d/cot" in entry.key:
            training = entry.submission.training.model_copy(update={"saw_corpus": "labels"})
            changed.append(
                replace(
                    entry, submission=entry.submission.model_copy(update={"training": training})
                )
            )
        elif "/crema_d/" in entry.key:
            changed.append(entry)
    (group,) = standings(changed, datetime.date(2027, 11, 25), resamples=10)
    apart = {one.entry.key.partition("__")[2]: one.apart for one in group.models if one.apart}
    assert apart == {
        "Hearing-7B/crema_d/sc--64-draws": "control that cannot hear the voice",
        "Hearing-7B/crema_d/cot": "trained on the corpus's labels",
        "Closed-Pro/crema_d/direct": "expired on 2027-11-25",
    }
    for one in group.models:
        assert (one.rank is None) == bool(one.apart)
    on_front = {point.key for front in fronts(group.models).values() for point in front}
    assert not any(one.entry.key in on_front for one in group.models if one.apart)


def dated(entry, day):
    return replace(entry, submission=entry.submission.model_copy(update={"evaluated": day}))


@pytest.mark.parametrize("day", [DAY + datetime.timedelta(days=1), datetime.date.max])
def test_a_day_to_come_is_no_way_around_expiry(written: Written, day: datetime.date):
    closed = next(one for one in written.board.entries if "Closed-Pro" in one.key)
    (group,) = standings([dated(closed, day)], DAY, resamples=10)
    assert group.models[0].apart == f"dated {day}, a day to come"
    assert group.models[0].rank is None


def test_a_false_hash_moves_nobody(written: Written):
    """An entry whose votes nobody has says another one's hash, with a label rule of its own."""
    entries = [one for one in written.board.entries if "/crema_d/" in one.key]
    corpus = entries[0].submission.corpus
    rule = corpus.label_rule.model_copy(update={"min_votes": 3})
    false = corpus.model_copy(update={"options": {**corpus.options, "fold": "1"}})
    first = next(one for one in entries if not one.is_reference)
    strangers = [
        replace(
            first,
            key="A__B/crema_d/direct",
            truth=None,
            status="self-reported",
            submission=first.submission.model_copy(update={"corpus": record}),
        )
        for record in (false, corpus.model_copy(update={"label_rule": rule}))
    ]
    group = standings([strangers[0], *entries], DAY, resamples=10)[0]
    assert group.is_default
    assert group.corpus == corpus
    assert strangers[1].comparable != first.comparable


def test_the_committed_references_on_the_real_votes(real_root):
    board = read_board(BOARD, {"crema_d_root": str(real_root)}, thorough=False)
    group = next(one for one in standings(board.entries, DAY) if one.corpus.name == "crema_d")
    assert group.speakers == 91
    assert sum(group.stratum_sizes.values()) == 7441
    for name in ("uniform", "label_prior"):
        one = group.references[name]
        assert one.entry.status == "recomputed"
        record = one.entry.submission.scores["js"]
        assert one.scores["js"].value == pytest.approx(record.value, abs=1e-12)
        assert one.scores["js"].low == pytest.approx(record.low, abs=1e-12)
    assert group.references["uniform"].skill["js"] < 0
    assert group.references["split_half"].skill["js"] == 1
