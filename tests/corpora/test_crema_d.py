"""CREMA-D: the reader on look-alikes of its table, and on the real table where there is one."""

import logging
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
from ambi_tasks.labels import Vote, entropy_bits, soft_label
from tests.corpora.builders import (
    CREMA_D_TABLE,
    LFS_STUB,
    write_crema_d,
    write_crema_d_people,
    write_crema_d_responses,
)

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


# --- modalities, folds, actors -------------------------------------------------------------------


@pytest.mark.parametrize(("modality", "raters"), [("face", 9), ("audio_visual", 10)])
def test_votes_of_another_modality(clone, modality, raters):
    utterances = list(read(clone, modality=modality))
    assert [one.id for one in utterances] == list(CLIPS)
    assert all(one.votes == (Vote(("disgust",)),) * raters for one in utterances)
    assert all(Path(one.clip.path).parent == clone / "AudioWAV" for one in utterances)


def test_a_doubled_row_of_another_modality_alone(edit):
    root = edit(
        b'"300002",0,10,0,0,0,0,"1001_IEO_HAP_LO"', b'"300002",0,10,0,0,0,0,"1001_DFA_ANG_XX"'
    )
    assert len(list(read(root))) == 3
    with pytest.raises(UserError, match="a second row for 1001_DFA_ANG_XX in the same modality"):
        list(read(root, modality="audio_visual"))


FOLDS = {
    "1": ["1001", "1018"],
    "2": ["1019", "1036"],
    "3": ["1037", "1054"],
    "4": ["1055", "1072"],
    "5": ["1073", "1091"],
}


@pytest.mark.parametrize("fold", FOLDS)
def test_folds_are_actors(tmp_path, fold):
    actors = [actor for pair in FOLDS.values() for actor in pair]
    root = write_crema_d(tmp_path, {f"{actor}_DFA_ANG_XX": {"A": 1} for actor in actors})
    assert [one.speaker for one in read(root, fold=fold)] == FOLDS[fold]
    assert [one.speaker for one in read(root)] == actors


def test_actors(clone):
    assert all(one.attributes == {} for one in read(clone))
    people = {"1001": (51, "Male", "Caucasian"), "1091": (22, "Female", "African American")}
    path = write_crema_d_people(clone, people)
    assert {one.speaker: one.attributes for one in read(clone)} == {
        "1001": {"sex": "male", "age": "51", "race": "Caucasian"},
        "1091": {"sex": "female", "age": "22", "race": "African American"},
    }
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert next(read(clone)).attributes["sex"] == "male"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1091", "1090", "no row for the actor 1091; restore the original"),
        ("1091", "1001", ":3: a second row for the actor 1001"),
        (',"Female"', ',""', ":3: no value for Sex"),
        ("ActorID", "Actor", ":1: the header lacks .*ActorID"),
    ],
)
def test_broken_actors(clone, old, new, message):
    people = {"1001": (51, "Male", "Caucasian"), "1091": (22, "Female", "African American")}
    path = write_crema_d_people(clone, people)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=rf"VideoDemographics\.csv.*{message}"):
        list(read(clone))


# --- the table of single responses ---------------------------------------------------------------

RESPONSES = [  # key, rater, session, modality, clip, answer
    ("1", "9001_1", "7", 1, "1001_DFA_ANG_XX", "A"),
    ("2", "9001_1", "7", 1, "1001_IEO_HAP_LO", "H"),
    ("3", "9001_1", "7", 2, "1001_DFA_ANG_XX", "D"),
    ("4", "9002_1", "8", 1, "1001_DFA_ANG_XX", "N"),
    ("5", "9002_1", "8", 3, "1001_DFA_ANG_XX", "F"),
]
VOICE = {
    "1001_DFA_ANG_XX": (Vote(("anger",), "9001_1"), Vote(("neutral",), "9002_1")),
    "1001_IEO_HAP_LO": (Vote(("happy",), "9001_1"),),
}


def responses_under(root, **options):
    return {one.id: one.votes for one in read(root, vote_table="responses", **options)}


def test_responses_name_their_raters(tmp_path):
    write_crema_d_responses(tmp_path, RESPONSES)
    assert responses_under(tmp_path) == VOICE
    assert responses_under(tmp_path, modality="face") == {
        "1001_DFA_ANG_XX": (Vote(("disgust",), "9001_1"),)
    }
    assert responses_under(tmp_path, modality="audio_visual") == {
        "1001_DFA_ANG_XX": (Vote(("fear",), "9002_1"),)
    }


def test_clips_stand_in_the_order_of_their_numbers(tmp_path):
    path = write_crema_d_responses(tmp_path, RESPONSES)
    heading, first, second, *others = path.read_text().splitlines()
    path.write_text("\n".join([heading, second, first, *others]) + "\n")
    assert list(responses_under(tmp_path)) == list(VOICE)


def test_line_ends_of_responses_do_not_matter(tmp_path):
    path = write_crema_d_responses(tmp_path, RESPONSES)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert responses_under(tmp_path) == VOICE


@pytest.mark.parametrize("known", ["137526", "312184"])
@pytest.mark.parametrize("first", [False, True])
def test_the_known_repeats_are_left_out_aloud(tmp_path, caplog, known, first):
    repeat = (known, "9001_1", "7", 1, "1001_IEO_HAP_LO", "S")
    path = write_crema_d_responses(tmp_path, [*RESPONSES, repeat])
    if first:
        heading, *lines = path.read_text().splitlines()
        path.write_text("\n".join([heading, lines[-1], *lines[:-1]]) + "\n")
    with caplog.at_level(logging.INFO, logger="lm_eval.ambi_tasks.corpora.crema_d"):
        assert responses_under(tmp_path) == VOICE
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"{path}: 1 repeated responses are left out."]


def test_a_row_of_a_known_key_that_repeats_nothing_counts(tmp_path):
    others = [row for row in RESPONSES if row[0] != "1"]
    write_crema_d_responses(tmp_path, [("137526", *RESPONSES[0][1:]), *others])
    assert responses_under(tmp_path) == VOICE


def test_a_row_that_differs_in_its_key_alone_is_left_out(tmp_path):
    path = write_crema_d_responses(tmp_path, RESPONSES)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1].replace('"1"', '"99"', 1)]) + "\n")
    assert responses_under(tmp_path) == VOICE


def test_another_response_of_the_same_session_is_refused(tmp_path):
    repeat = ("6", "9001_1", "7", 1, "1001_DFA_ANG_XX", "S")
    write_crema_d_responses(tmp_path, [*RESPONSES, repeat])
    with pytest.raises(UserError, match=r"csv:7: another response than row 1 .*\"tabulated\""):
        responses_under(tmp_path)


def test_the_same_rater_in_another_session_counts(tmp_path):
    again = ("6", "9001_1", "9", 1, "1001_IEO_HAP_LO", "S")
    write_crema_d_responses(tmp_path, [*RESPONSES, again])
    assert responses_under(tmp_path)["1001_IEO_HAP_LO"] == (
        Vote(("happy",), "9001_1"),
        Vote(("sad",), "9001_1"),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"A_64","3561",1', b'"A_64","3561",4', ":2: the queryType '4' is no known modality"),
        (b'7,"A"', b'7,"X"', ":2: unknown respEmo 'X'; there are A, D, F, H, N, S"),
        (b'7,"A"', b'7,""', ":2: no value for respEmo"),
        (b'4,"1001_DFA_ANG_XX",7', b'4,"ANG_HI_practice",7', ":2: 'ANG_HI_practice' is not a clip"),
        (b"1,1,1,0,4", b"1,1,one,0,4", ":2: the clipNum is not a whole number"),
        (b',80,"X"', b"", ":2: the row is not as long as the header"),
        (b'"localid"', b'"id"', r":1: the header lacks the column\(s\) localid"),
        (b'"9001_1"', b'"\xe9"', ": not UTF-8 text"),
    ],
)
def test_broken_responses(tmp_path, old, new, message):
    path = write_crema_d_responses(tmp_path, RESPONSES)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(UserError, match=rf"finishedResponses\.csv{message}"):
        responses_under(tmp_path)


def test_responses_that_are_not_there(clone):
    with pytest.raises(UserError, match=r"finishedResponses\.csv: the file is missing"):
        responses_under(clone)
    (clone / "finishedResponses.csv").write_text(LFS_STUB)
    with pytest.raises(UserError, match=r"finishedResponses\.csv: a Git LFS stub"):
        responses_under(clone)


# --- the real table ------------------------------------------------------------------------------


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


def test_real_modalities_and_folds(real_root):
    # Counted from the table by hand: every modality has every clip once.
    for modality in ("face", "audio_visual"):
        assert len(list(read(real_root, modality=modality))) == 7442
    folds = [{one.speaker for one in read(real_root, fold=fold)} for fold in "12345"]
    assert [len(actors) for actors in folds] == [18, 18, 18, 18, 19]
    assert len(set().union(*folds)) == 91


def test_real_actors(real_root):
    if not (real_root / "VideoDemographics.csv").is_file():
        pytest.skip("this copy of CREMA-D has no VideoDemographics.csv")
    people = {one.speaker: one.attributes for one in read(real_root)}
    assert Counter(one["sex"] for one in people.values()) == {"male": 48, "female": 43}
    assert people["1001"] == {"sex": "male", "age": "51", "race": "Caucasian"}


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
    return {
        one.id
        for one in real_utterances
        if one.id != "1076_MTI_SAD_XX" and audio_fault(one.clip) is None
    }


def test_real_copy_without_audio_is_refused_in_a_sentence(real_root, real_present):
    absent = 7441 - len(real_present)  # one clip is known to be silent
    if not absent:
        pytest.skip("this copy of CREMA-D has all its audio")
    with pytest.raises(UserError) as refusal:
        select_documents(get_corpus("crema_d"), {"crema_d_root": str(real_root)})
    message = str(refusal.value)
    assert re.match(
        rf"CREMA-D: {absent} of 7441 utterances have no audio \({absent} x the audio", message
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
    dropped = selection.counts["dropped"]
    assert dropped["known_silent"] == 1
    assert dropped.get("missing_audio", 0) == 7441 - len(real_present)
    samples = load_waveform(Clip.from_mapping(selection.documents[0]["audio"]))
    assert 1.2 < len(samples) / 16_000 < 5.1
