"""The mean over corpora."""

import math
from dataclasses import replace

import pytest

from ambi_tasks.leaderboard.site.overall import main_standings, mean_skill, overall
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
