"""MSP-IMPROV: the reader on look-alikes of its annotation file, and its tasks."""

import logging

import pytest
from lm_eval.tasks import TaskManager

from ambi_tasks.audio import load_waveform
from ambi_tasks.corpora import get_corpus
from ambi_tasks.corpora.msp_improv import read
from ambi_tasks.documents import select_documents
from ambi_tasks.errors import UserError
from ambi_tasks.labels import Vote
from ambi_tasks.plugin import tasks_path
from ambi_tasks.strategies import all_strategies
from tests.corpora.builders import ImprovTurn, write_msp_improv

TURNS = [
    ImprovTurn("S01A-F01-P-FM01", [("x1-p2", "Happy"), ("y_2-p3", "Neutral"), ("x3-p1", "Other")]),
    ImprovTurn("S01A-M01-S-MF12", [("x1-p2", "Angry")]),
    ImprovTurn("S20N-F06-R-FF02", [("x3-p1", "Sad"), ("x1-p2", "Neutral state")]),
    ImprovTurn("S11H-M06-T-MF01", [("y_2-p3", "Sad")]),
]
VOTES = {
    "MSP-IMPROV-S01A-F01-P-FM01": (
        Vote(("happy",), "x1-p2"),
        Vote(("neutral",), "y_2-p3"),
        Vote(("other",), "x3-p1"),
    ),
    "MSP-IMPROV-S01A-M01-S-MF12": (Vote(("angry",), "x1-p2"),),
    "MSP-IMPROV-S20N-F06-R-FF02": (Vote(("sad",), "x3-p1"), Vote(("neutral",), "x1-p2")),
    "MSP-IMPROV-S11H-M06-T-MF01": (Vote(("sad",), "y_2-p3"),),
}
NATURAL, OTHER, READ, TARGET = VOTES
LABELS = "Evalution.txt"


@pytest.fixture
def root(tmp_path):
    return write_msp_improv(tmp_path, TURNS)


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, logger="lm_eval.ambi_tasks.corpora.msp_improv")
    return lambda: [record.getMessage() for record in caplog.records]


def edit(root, old, new):
    content = (root / LABELS).read_bytes()
    assert old in content
    (root / LABELS).write_bytes(content.replace(old, new, 1))


def votes_under(root, **options):
    return {one.id: one.votes for one in read(root, **options)}


def test_reads_the_primary_emotions(root, told):
    # The consensus (O), the secondary emotions and the words of their comments stay out.
    assert votes_under(root) == VOTES
    assert told() == []


@pytest.mark.parametrize("audio", ["Audio", ""])
@pytest.mark.parametrize("labels", ["Evalution.txt", "Evaluation.txt"])
def test_every_layout(tmp_path, labels, audio):
    root = write_msp_improv(tmp_path, TURNS, labels=labels, audio=audio)
    utterances = list(read(root))
    assert {one.id: one.votes for one in utterances} == VOTES
    assert all(len(load_waveform(one.clip)) == 800 for one in utterances)
    assert get_corpus("msp_improv").label_files(root) == [root / labels]


def test_speakers_attributes_and_clips(root):
    utterances = list(read(root))
    assert [one.speaker for one in utterances] == ["F01", "M01", "F06", "M06"]
    assert [one.attributes for one in utterances] == [
        {"part": "natural", "session": "1", "sex": "female"},
        {"part": "other_improvised", "session": "1", "sex": "male"},
        {"part": "target_read", "session": "6", "sex": "female"},
        {"part": "target_improvised", "session": "6", "sex": "male"},
    ]
    folder = root / "Audio" / "session6" / "S20N" / "R"
    assert utterances[2].clip.path == str(folder / "MSP-IMPROV-S20N-F06-R-FF02.wav")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"part": "all", "fold": "all"}, [NATURAL, OTHER, READ, TARGET]),
        ({"part": "natural"}, [NATURAL]),
        ({"part": "other_improvised"}, [OTHER]),
        ({"part": "target_read"}, [READ]),
        ({"part": "target_improvised"}, [TARGET]),
        ({"fold": "1"}, [NATURAL, OTHER]),
        ({"fold": "6", "part": "target_read"}, [READ]),
    ],
)
def test_parts_and_folds(root, options, names):
    assert list(votes_under(root, **options)) == names


def test_a_part_and_fold_that_are_not_there(root):
    message = r"Evalution\.txt: 4 turns are there, but none of part 'target_read' and fold '1'"
    with pytest.raises(UserError, match=message):
        list(read(root, part="target_read", fold="1"))


def test_the_default_rule(root):
    selection = select_documents(get_corpus("msp_improv"), {"msp_improv_root": str(root)})
    assert selection.label_rule.classes == ("neutral", "happy", "angry", "sad")
    assert {one["id"]: one["votes"] for one in selection.documents} == {
        NATURAL: [1, 1, 0, 0],
        OTHER: [0, 0, 1, 0],
        READ: [1, 0, 0, 1],
        TARGET: [0, 0, 0, 1],
    }
    assert selection.counts["votes"] == {"counted": 6, "outside": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n", b"\r\n"),
        (b"so-so?", b"\xe9 \x92"),
        (b"UTD-IMPROV-S01A-F01", b"\xef\xbb\xbfUTD-IMPROV-S01A-F01"),
        (b"; Happy;", b" ;happy ; "),
        (b".avi; O;", b".avi ;X;"),
        (b"Excited,Other (Sad; Angry: so-so?)", b""),
        (b"UTD-IMPROV-S01A-M01", b"\n \nUTD-IMPROV-S01A-M01"),
        (b"\n\nUTD", b"\nUTD"),
    ],
    ids=["crlf", "latin_1", "bom", "blanks", "head", "no_secondary", "gap", "no_gap"],
)
def test_harmless_differences(root, told, old, new):
    content = (root / LABELS).read_bytes()
    assert old in content
    (root / LABELS).write_bytes(content.replace(old, new))
    assert votes_under(root) == VOTES
    assert told() == []


def test_a_worker_who_judges_twice_counts_once(root, told):
    edit(root, b"y_2-p3; Neutral", b"x1-p2; Sad")
    assert votes_under(root)[NATURAL] == (Vote(("happy",), "x1-p2"), Vote(("other",), "x3-p1"))
    assert told() == ["MSP-IMPROV: 1 second votes of a worker for the same turn are left out."]


def test_a_worker_without_an_emotion_is_told(root, told):
    edit(root, b"; Happy;", b"; ;")
    assert votes_under(root)[NATURAL][0] == Vote((), "x1-p2")
    assert told() == ["MSP-IMPROV: 1 workers gave no emotion for a turn and are not counted."]


def test_a_turn_without_votes_is_read(root):
    edit(root, b"y_2-p3; Sad; Excited,Other (Sad; Angry: so-so?); A:2.0; V:3.0; D:NaN; N:4.0;", b"")
    assert votes_under(root) == {**VOTES, TARGET: ()}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"; Happy;", b"; Hapy;", ":2: unknown emotion 'Hapy'; restore"),
        (b"; Happy;", b";", ":2: unknown emotion 'Excited,Other"),
        (b"A:2.0;", b"2.0;", ":2: neither a turn 'UTD-IMPROV-....avi; N; A:2.5; ...' nor a vote"),
        (b"x1-p2; Happy", b"x1 Happy", ":2: neither a turn .* nor a vote 'rater; Happy;"),
        (b"S01A-F01-P", b"S01A-F07-P", ":1: 'UTD-IMPROV-S01A-F07-P-FM01.avi' is not a file like"),
        (b"S01A-F01-P", b"S01A-F01-Q", ":1: 'UTD-IMPROV-S01A-F01-Q-FM01.avi' is not a file like"),
        (b"x1-p2; Happy", b"\nx1-p2; Happy", ":3: a vote without a turn above it"),
        (
            b"S01A-M01-S-MF12",
            b"S01A-F01-P-FM01",
            r":6: MSP-IMPROV-S01A-F01-P-FM01 was already annotated at .*Evalution\.txt:1; restore",
        ),
    ],
)
def test_broken_lines(root, old, new, message):
    edit(root, old, new)
    with pytest.raises(UserError, match=rf"Evalution\.txt{message}"):
        list(read(root))


def test_an_empty_root(tmp_path):
    with pytest.raises(
        UserError,
        match=r"neither Evalution\.txt nor Evaluation\.txt is there; MSP_IMPROV_ROOT must name",
    ):
        list(read(tmp_path))
    (tmp_path / LABELS).touch()
    with pytest.raises(UserError, match="0 turns are there, but none of part 'all'"):
        list(read(tmp_path))


def test_the_tasks_are_a_group_of_their_own(root, monkeypatch):
    monkeypatch.setenv("MSP_IMPROV_ROOT", str(root))
    manager = TaskManager(include_path=tasks_path(), include_defaults=False)
    tasks = manager.load(["ambi_msp_improv"])["tasks"]
    assert set(tasks) == {f"ambi_msp_improv_{name}" for name in all_strategies()}
    for task in tasks.values():
        assert {document["id"] for document in task.test_docs()} == set(VOTES)
    assert "ambi_msp_improv" not in manager.task_index["ambi"].cfg["task"]
