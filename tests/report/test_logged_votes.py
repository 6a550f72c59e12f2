"""Votes out of a log, and the ceiling that follows from them."""

import numpy as np
import pytest

from ambi_tasks.corpora import get_corpus
from ambi_tasks.labels import LabelRule, SoftLabel, soft_label
from ambi_tasks.report.logged_run import read_run
from ambi_tasks.report.logged_votes import logged_votes
from ambi_tasks.report.sample_log import find_logs
from ambi_tasks.statistics import reference_scores, table_references, vote_table
from tests.report.builders import draw, fields, line, record, write_run
from tests.statistics.builders import utterance

LABELS = ("neutral", "happy", "angry")
RULE = LabelRule(LABELS)
TASK = "ambi_demo_direct"


def read(folder, utterances, *, with_votes=True):
    lines = []
    for one in utterances:
        label = soft_label(one.votes, RULE)
        assert isinstance(label, SoftLabel)
        votes = {"votes": list(label.masses), "annotators": label.annotators} if with_votes else {}
        made = record(one.id, label.distribution, fields("direct"), draws=[draw([1, 0, 0])])
        lines.append(line({**made, "speaker": one.speaker, **votes}))
    (log,) = find_logs(write_run(folder, {TASK: lines})).tasks
    return read_run(log)


UTTERANCES = [
    utterance("c", ["happy", "neutral", "happy"], "s1"),
    utterance("a", ["angry", "neutral"], "s2"),
    utterance("b", ["neutral", "neutral", "angry", "happy"], "s1"),
]


def test_the_table_is_that_of_the_corpus(tmp_path):
    found = logged_votes(read(tmp_path, UTTERANCES))
    expected = vote_table(UTTERANCES, RULE)
    np.testing.assert_array_equal(found.table.masses, expected.masses)
    np.testing.assert_array_equal(found.table.annotators, expected.annotators)
    np.testing.assert_allclose(found.table.distributions, expected.distributions)
    np.testing.assert_array_equal(found.table.speakers, expected.speakers)
    assert found.kept.all()


def test_the_ceiling_is_that_of_the_corpus(tmp_path):
    found = logged_votes(read(tmp_path, UTTERANCES))
    expected = reference_scores(UTTERANCES, RULE, seed=7, repetitions=20, resamples=50)
    assert table_references(found.table, RULE, seed=7, repetitions=20, resamples=50) == expected


def test_the_ceiling_of_the_demo_corpus(harness_run):
    log = find_logs(harness_run).tasks[0]
    found = logged_votes(read_run(log))
    assert found.kept.all()
    assert found.table.masses.sum() == found.table.annotators.sum()


def test_what_is_left_out_is_counted(tmp_path):
    more = [
        *UTTERANCES,
        utterance("d", ["happy"], "s3"),
        utterance("e", [LABELS[:2], "angry"], "s"),
    ]
    found = logged_votes(read(tmp_path, more))
    assert found.kept.tolist() == [True, True, True, False, False]
    assert (found.alone, found.shared) == (1, 1)
    expected = vote_table(UTTERANCES, RULE)
    np.testing.assert_array_equal(found.table.masses, expected.masses)


def test_shared_votes_that_add_up_to_whole_ones_are_taken_for_whole(tmp_path):
    """Two halves of two annotators look like one vote each: a log cannot tell."""
    two = utterance("x", [("neutral", "happy"), ("neutral", "happy")], "s")
    assert logged_votes(read(tmp_path, [two])).kept.all()


def test_a_log_without_votes(tmp_path):
    assert logged_votes(read(tmp_path, UTTERANCES, with_votes=False)) is None


def test_real_crema_d(real_root, tmp_path):
    corpus = get_corpus("crema_d")
    some = [one for n, one in enumerate(corpus.read(real_root)) if n % 50 == 0]
    rule, lines = corpus.label_rule, []
    for one in some:
        label = soft_label(one.votes, rule)
        uniform = dict.fromkeys(rule.classes, 1 / 6)
        doc = {
            "id": one.id,
            "labels": list(rule.classes),
            "soft_label": list(label.distribution),
            "strategy": fields("direct"),
            "draws": [{"text": str(uniform)}],
            "votes": list(label.masses),
            "annotators": label.annotators,
            "speaker": one.speaker,
        }
        lines.append(line(doc))
    path = write_run(tmp_path, {TASK: lines}, rule={"classes": list(rule.classes)})
    (log,) = find_logs(path).tasks
    found = logged_votes(read_run(log))
    expected = reference_scores(some, rule, seed=0, repetitions=3, resamples=20)
    got = table_references(found.table, rule, seed=0, repetitions=3, resamples=20)
    assert got.scores["split_half"]["js"].value == pytest.approx(
        expected.scores["split_half"]["js"].value, abs=1e-12
    )
