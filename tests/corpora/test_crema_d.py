"""CREMA-D: the reader on look-alikes of its table, and on the real table where there is one."""

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ambi_tasks.audio import Clip, audio_fault, load_waveform
from ambi_tasks.corpora import get_corpus
from ambi_tasks.corpora.crema_d import read
from ambi_tasks.documents import select_documents
from ambi_tasks.errors import UserError
from ambi_tasks.labels import entropy_bits, soft_label
from tests.corpora.builders import CREMA_D_TABLE, write_crema_d

CLIPS = {
    "1001_DFA_ANG_XX": {"A": 3, "N": 2},
    "1001_IEO_HAP_LO": {"H": 1, "N": 4, "S": 1},
    "1091_WSI_FEA_XX": {"F": 6},
}


@pytest.fixture
def clone(tmp_path):
    return write_crema_d(tmp_path, CLIPS)


@pytest.fixture
def edit(clone):
    """Replaces the one occurrence of a text in the table."""

    def replace(old, new):
        table = clone / CREMA_D_TABLE
        content = table.read_bytes()
        assert content.count(old) == 1
        table.write_bytes(content.replace(old, new))
        return clone

    return replace


def test_reads_the_votes_on_the_voice_alone(clone):
    utterances = {utterance.id: utterance for utterance in read(clone)}
    assert list(utterances) == list(CLIPS)
    counted = {
        name: Counter(label for vote in utterance.votes for label in vote.labels)
        for name, utterance in utterances.items()
    }
    assert counted == {
        "1001_DFA_ANG_XX": {"anger": 3, "neutral": 2},
        "1001_IEO_HAP_LO": {"happy": 1, "neutral": 4, "sad": 1},
        "1091_WSI_FEA_XX": {"fear": 6},
    }
    assert [utterance.speaker for utterance in utterances.values()] == ["1001", "1001", "1091"]


def test_clips_are_the_wavs(clone):
    for utterance in read(clone):
        assert utterance.clip == Clip(str(clone / "AudioWAV" / f"{utterance.id}.wav"))
        assert len(load_waveform(utterance.clip)) == 800


def test_line_ends_and_byte_order_mark_do_not_matter(clone):
    plain = list(read(clone))
    table = clone / CREMA_D_TABLE
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    assert list(read(clone)) == plain


NAME = b'"1001_DFA_ANG_XX"'
ROW = b'"100001",3,0,0,0,2,0,' + NAME + b",5,"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace(b"3", b"3.5"), r":2: .*whole number .*'3\.5'"),
        (ROW.replace(b"3", b"NA"), ":2: .*whole number .*'NA'"),
        (ROW.replace(b"100001", b"1e5"), ":2: .*whole number .*'1e5'"),
        (ROW.replace(b"3,0,0", b"-1,0,4"), ":2: .*negative count"),
        (ROW.replace(b"2,0", b"2,1"), ":2: .*not add up.* of 5"),
        (ROW.replace(b"2,0", b",0"), ":2: no value for N"),
        (ROW.replace(b"100001", b"400001"), ":2: .*400001.*no known modality"),
        (ROW.replace(b"100001", b"1"), ":2: .*no known modality"),
        (ROW.replace(b"1001_DFA_ANG_XX", b"../other"), ":2: '../other' is not a clip name"),
        (ROW.replace(b"1001_DFA_ANG_XX", b"1001_IEO_HAP_LO"), ":3: a second row .*1001_IEO_HAP_LO"),
        (b'"100009",3,0,0\n' + ROW, ":2: the row is not as long as the header"),
        (ROW.replace(b"ANG", b"\xc4NG"), ": not UTF-8 text"),
    ],
)
def test_broken_rows(edit, row, message):
    root = edit(ROW, row)
    with pytest.raises(UserError, match=rf"tabulatedVotes\.csv{message}"):
        list(read(root))


@pytest.mark.parametrize(
    ("old", "new", "lacking"),
    [(b'"fileName"', b'"file"', "fileName"), (b'"","A"', b'"key","A"', "'' (the unnamed one)")],
)
def test_missing_columns(edit, old, new, lacking):
    root = edit(old, new)
    message = re.escape(f"tabulatedVotes.csv:1: the header lacks the column(s) {lacking}.")
    with pytest.raises(UserError, match=message):
        list(read(root))


def test_a_missing_table(tmp_path):
    with pytest.raises(UserError, match=r"tabulatedVotes\.csv: the file is missing"):
        list(read(tmp_path))


def test_a_clip_without_votes_is_dropped_by_name(tmp_path):
    root = write_crema_d(tmp_path, {**CLIPS, "1002_DFA_ANG_XX": {}})
    selection = select_documents(get_corpus("crema_d"), {"crema_d_root": str(root)})
    assert selection.counts["dropped"] == {"no_votes": 1}


# --- the real table ------------------------------------------------------------------------------

_VARIABLE = "AMBI_TEST_CREMA_D"


@pytest.fixture(scope="module")
def real_root():
    root = Path(os.environ.get(_VARIABLE) or "not-named")
    if not (root / CREMA_D_TABLE).is_file():
        pytest.skip(f"{_VARIABLE} names no clone of the real CREMA-D")
    return root


@pytest.fixture(scope="module")
def real_utterances(real_root):
    return list(read(real_root))


def test_real_votes(real_utterances):
    votes = Counter(vote.labels[0] for one in real_utterances for vote in one.votes)
    assert len(real_utterances) == 7442
    assert votes == {
        "anger": 9863, "disgust": 8851, "fear": 8212, "happy": 4590, "neutral": 30152, "sad": 6900,
    }  # fmt: skip
    assert votes.total() == 68_568
    assert len({one.speaker for one in real_utterances}) == 91
    assert {len(one.votes) for one in real_utterances} == set(range(4, 13))


def test_real_ambiguity(real_utterances):
    rule = get_corpus("crema_d").label_rule
    labels = [soft_label(one.votes, rule) for one in real_utterances]
    entropies = [entropy_bits(label.distribution) for label in labels]
    ties = sum(label.masses.count(max(label.masses)) > 1 for label in labels)
    assert entropies.count(0.0) == 383
    assert ties == 644
    assert np.mean(entropies) == pytest.approx(1.196, abs=5e-4)
    assert max(entropies) == pytest.approx(2.522, abs=5e-4)


@pytest.fixture(scope="module")
def real_present(real_utterances):
    return {one.id for one in real_utterances if audio_fault(one.clip) is None}


def test_real_copy_without_audio_is_refused_in_a_sentence(real_root, real_present):
    absent = 7442 - len(real_present)
    if not absent:
        pytest.skip("this copy of CREMA-D has all its audio")
    with pytest.raises(UserError) as refusal:
        select_documents(get_corpus("crema_d"), {"crema_d_root": str(real_root)})
    message = str(refusal.value)
    assert re.match(
        rf"CREMA-D: {absent} of 7442 utterances have no audio \({absent} x the audio", message
    )
    assert "Git LFS" in message
    assert "\n" not in message


def test_real_clips_are_kept_where_the_others_are_skipped(real_root, real_present):
    if not real_present:
        pytest.skip("this copy of CREMA-D has no audio")
    metadata = {"crema_d_root": str(real_root), "missing_audio": "skip"}
    selection = select_documents(get_corpus("crema_d"), metadata)
    assert {document["id"] for document in selection.documents} == real_present
    assert selection.counts["read"] == 7442
    assert selection.counts["dropped"].get("missing_audio", 0) == 7442 - len(real_present)
    samples = load_waveform(Clip.from_mapping(selection.documents[0]["audio"]))
    assert 1.2 < len(samples) / 16_000 < 5.1
