"""The reader of the demo corpus, on small tables."""

import pytest

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.demo import read
from ambi_tasks.errors import UserError
from ambi_tasks.labels import Vote
from tests.corpora.builders import write_demo

CLIPS = {"a_1": ["happy", "sad", "happy"], "a_2": ["neutral"], "b_1": ["angry", "angry"]}


@pytest.fixture
def root(tmp_path):
    return write_demo(tmp_path, CLIPS)


def test_reads_votes_speakers_and_clips(root):
    utterances = list(read(root))
    assert [one.id for one in utterances] == ["a_1", "a_2", "b_1"]
    assert utterances[0].votes == (
        Vote(("happy",), "r1"),
        Vote(("sad",), "r2"),
        Vote(("happy",), "r3"),
    )
    assert [one.speaker for one in utterances] == ["a", "a", "b"]
    assert utterances[2].clip == Clip(str(root / "audio" / "b_1.wav"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "r2,sad",
            "r2,bored",
            ": a_1: unknown emotion 'bored'; there are neutral, happy, angry, sad",
        ),
        ("r2,sad", "r1,sad", ":3: a second vote of r1 for a_1"),
        ("a,r2,sad", "c,r2,sad", ":3: the speaker of a_1 was 'a' and is now 'c'"),
        ("a_1.wav,a,r2", "a_2.wav,a,r2", ":3: the path of a_1 was 'audio/a_1.wav' and is now"),
        ("r3,happy", "r3,", ":4: no value for emotion"),
        ("utterance", "name", r":1: the header lacks the column\(s\) utterance"),
    ],
)
def test_broken_tables(root, old, new, message):
    table = root / "votes.csv"
    text = table.read_text()
    assert text.count(old) == 1
    table.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=rf"votes\.csv{message}"):
        list(read(root))


def test_votes_of_an_utterance_stand_together(root):
    with (root / "votes.csv").open("a") as file:
        file.write("a_1,audio/a_1.wav,a,r4,sad\n")
    with pytest.raises(UserError, match=r"votes\.csv:8: the votes of a_1 are not next to each"):
        list(read(root))


def test_a_missing_table(tmp_path):
    with pytest.raises(UserError, match=r"votes\.csv: the file is missing"):
        list(read(tmp_path))
