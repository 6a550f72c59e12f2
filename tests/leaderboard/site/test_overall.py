"""The mean over corpora."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ambi_tasks.leaderboard.site.overall import (
    main_standings,
    mean_skill,
    overall,
    overall_references,
)
from ambi_tasks.leaderboard.site.standings import Standings
from tests.leaderboard.site.conftest import MODELS, Written


def test_the_demo_corpus_is_in_no_mean(written: Written):
    assert set(main_standings(written.found)) == {"crema_d"}
    rows = overall(written.found)
    assert len(rows) == len(MODELS)
    assert all(set(row.standings) == {"crema_d"} for row in rows)


def test_of_one_corpus_the_mean_is_its_skill(written: Written):
    group = written.of("crema_d")
    way = abs(
        group.references["split_half"].scores["js"].value
        - group.references["label_prior"].scores["js"].value
    )
    for row in overall(written.found):
        one = row.standings["crema_d"]
        assert row.skill.value == pytest.approx(one.skill["js"])
        assert row.skill.se == pytest.approx(one.scores["js"].se / way)
        assert row.skill.high - row.skill.value == pytest.approx(1.959964 * row.skill.se, rel=1e-6)


def test_two_corpora_err_independently(written: Written):
    group = written.of("crema_d")
    one = group.models[0]
    alone, twice = mean_skill([(one, group)]), mean_skill([(one, group), (one, group)])
    assert twice.value == pytest.approx(alone.value)
    assert twice.se == pytest.approx(alone.se / math.sqrt(2))


def test_of_one_corpus_the_ranks_are_its_own(written: Written):
    for row in overall(written.found):
        one, other = row.rank, row.standings["crema_d"].rank
        assert (one.group, one.best, one.worst) == (other.group, other.best, other.worst)


def test_variances_of_differences_are_those_of_the_paired_test(written: Written):
    group = written.of("crema_d")
    keys = [one.entry.key for one in group.models]
    variances = group.errors.paired(keys)
    assert np.all(variances.diagonal() == 0)
    for one in group.models:
        if one.gain:
            row, column = keys.index(one.entry.key), keys.index(one.gain.baseline)
            assert math.sqrt(variances[row, column]) == pytest.approx(one.gain.better.se, rel=1e-9)
    errors = np.sqrt(group.errors.covariance.diagonal())
    for key, place in group.errors.place.items():
        se = next(one.scores["js"].se for one in group.models if one.entry.key == key)
        assert errors[place] == pytest.approx(se, rel=1e-9)


def test_a_second_corpus_of_equal_numbers_tells_more_apart(written: Written, monkeypatch):
    """Each corpus is evidence of its own: t grows by sqrt(2), and so do the degrees of freedom."""
    monkeypatch.setattr(Standings, "is_default", True)
    group = written.of("crema_d")

    def moved(key: str) -> str:
        return key.replace("crema_d", "iemocap")

    models = tuple(
        replace(one, entry=replace(one.entry, key=moved(one.entry.key))) for one in group.models
    )
    places = {moved(key): place for key, place in group.errors.place.items()}
    corpus = group.corpus.model_copy(update={"name": "iemocap"})
    twin = replace(group, corpus=corpus, models=models, errors=replace(group.errors, place=places))
    alone = {row.any.entry.key: row.rank for row in overall([group])}
    both = {row.any.entry.key: row.rank for row in overall([group, twin])}
    assert set(both) == set(alone)
    for key, rank in both.items():
        assert rank.worst - rank.best <= alone[key].worst - alone[key].best


def test_floors_and_ceiling_frame_the_means(written: Written):
    found = {row.any.entry.submission.reference: row for row in overall_references(written.found)}
    assert found["label_prior"].skill.value == 0
    assert found["split_half"].skill.value == 1


def test_without_a_ceiling_there_is_no_mean(written: Written):
    group = written.of("crema_d")
    bare = replace(group.models[0], skill={})
    assert math.isnan(mean_skill([(bare, replace(group, references={}))]).value)


def test_more_corpora_come_first_whatever_the_mean(written: Written, monkeypatch):
    monkeypatch.setattr(Standings, "is_default", True)
    group = written.of("crema_d")
    last = group.models[-1]
    elsewhere = last.entry.key.replace("crema_d", "iemocap")
    moved = replace(last, entry=replace(last.entry, key=elsewhere))
    corpus = group.corpus.model_copy(update={"name": "iemocap"})
    two = [group, replace(group, corpus=corpus, models=(moved,))]
    rows = overall(two)
    assert set(rows[0].standings) == {"crema_d", "iemocap"}
    assert all(len(row.standings) == 1 for row in rows[1:])
    means = [row.skill.value for row in rows[1:]]
    assert means == sorted(means, reverse=True)
