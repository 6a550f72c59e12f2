"""Which runs may stand in one table."""

import json

import pytest

from ambi_tasks.errors import UserError
from ambi_tasks.report.comparable import check_comparable, comparable_groups
from ambi_tasks.report.logged_run import read_run
from ambi_tasks.report.sample_log import find_logs
from tests.report.builders import sc_lines, write_run

TASK = "ambi_demo_sc"


def a_run(folder, name, *, lines=None, edit=None, **rest):
    """A run of its own, read; `edit` changes the task's settings in the results first."""
    path = write_run(folder / name, {TASK: lines or sc_lines(4)}, model=name, **rest)
    if edit is not None:
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))
    (log,) = find_logs(path).tasks
    return read_run(log, name=name)


def other_votes():
    lines = sc_lines(4)
    lines[2]["doc"]["soft_label"] = [0.25, 0.5, 0.25]
    return lines


def without_scores(content):
    content["results"][TASK] = {"sample_len": 4}


def another_option(content):
    without_scores(content)
    content["configs"][TASK]["metrics"] = {"js": {"root": True}}


def another_corpus(content):
    content["configs"][TASK]["corpus"]["name"] = "crema_d"


DIFFERING = [
    ({"rule": {"min_votes": 2}}, "different label rules.*min_votes is 1 in the one, 2 in"),
    ({"rule": {"out_of_set": "drop_utterance"}}, "out_of_set is 'drop_vote' in the one"),
    ({"lines": sc_lines(5)}, r"not on the same utterances.*'two' has 1 more \(for example u4\)"),
    ({"edit": another_option}, "other options of the metrics.*js: root is False in the one, True"),
    ({"edit": another_corpus}, "'one' is of the corpus demo, 'two' of crema_d"),
    ({"lines": other_votes(), "edit": without_scores}, "the annotators' distribution of 1 utter"),
]


@pytest.mark.parametrize(("change", "message"), DIFFERING)
def test_runs_that_differ_are_refused(tmp_path, change, message):
    runs = [a_run(tmp_path, "one"), a_run(tmp_path, "two", **change)]
    with pytest.raises(UserError, match=message):
        check_comparable(runs)


@pytest.mark.parametrize(("change", "message"), DIFFERING)
def test_runs_that_differ_are_set_apart(tmp_path, change, message):
    del message
    runs = [a_run(tmp_path, "one"), a_run(tmp_path, "two", **change), a_run(tmp_path, "three")]
    groups = comparable_groups(runs)
    assert [[run.run.name for run in group.runs] for group in groups] == [["one", "three"], ["two"]]
    assert groups[0].apart == []
    if "edit" in change and change["edit"] is another_corpus:
        assert groups[1].apart == []  # nobody would compare them
    else:
        (sentence,) = groups[1].apart
        assert sentence.startswith(("'one' and 'two'", "The runs are"))


def test_options_of_metrics_that_do_not_matter(tmp_path):
    runs = [a_run(tmp_path, "one"), a_run(tmp_path, "two", edit=another_option)]
    check_comparable(runs, metrics=["bc"])
    with pytest.raises(UserError, match="root"):
        check_comparable(runs, metrics=["js", "bc"])


def test_other_utterances_where_common_ones_are_compared(tmp_path):
    runs = [a_run(tmp_path, "one"), a_run(tmp_path, "two", lines=sc_lines(5))]
    check_comparable(runs, common=True)


def test_groups_of_a_corpus_stand_together(tmp_path):
    names = {"a": None, "b": another_corpus, "c": another_option}
    runs = [a_run(tmp_path, name, edit=edit) for name, edit in names.items()]
    groups = comparable_groups(runs)
    assert [group.runs[0].run.name for group in groups] == ["a", "c", "b"]
    assert groups[1].metrics["js"].options["root"] is True
