"""IEMOCAP: the reader on look-alikes of its annotation files, with all their traps."""

import logging
import re
import shutil

import pytest

from ambi_tasks.audio import load_waveform
from ambi_tasks.corpora import get_corpus
from ambi_tasks.corpora.iemocap import read
from ambi_tasks.documents import select_documents
from ambi_tasks.errors import UserError
from ambi_tasks.label_index import label_index
from ambi_tasks.labels import Vote
from tests.corpora.builders import Turn, write_iemocap

TURNS = [
    Turn(
        "Ses01F_impro01_F000",
        [
            ("E2", "Neutral;", "()"),
            ("E3", "Neutral state;", "(flat; then Anger; a bit sad)"),
            ("E4", "Frustration; Anger;", "(the phone; she is Excited; Fear)"),
            ("F1", "Happiness;", "(curious)"),
            ("M1", "Surprise;", "()"),
        ],
        code="neu",
    ),
    # She is recorded (Ses01F), he speaks (M003).
    Turn("Ses01F_impro01_M003", [("E2", "Excited;", "()"), ("E3", "Happiness; Excited;", "()")]),
    Turn("Ses05M_script01_1b_F011", [("E2", "Sadness;", "()"), ("E12", "Other;", "(bored)")]),
]
VOTES = {
    "Ses01F_impro01_F000": (
        Vote(("neutral",), "E2"),
        Vote(("neutral",), "E3"),
        Vote(("frustrated", "angry"), "E4"),
    ),
    "Ses01F_impro01_M003": (Vote(("excited",), "E2"), Vote(("happy", "excited"), "E3")),
    "Ses05M_script01_1b_F011": (Vote(("sad",), "E2"), Vote(("other",), "E12")),
}
DIALOGUE = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"


@pytest.fixture
def release(tmp_path):
    return write_iemocap(tmp_path, TURNS)


@pytest.fixture
def edit(release):
    """Replaces the first occurrence of some bytes in the first dialogue's annotation."""

    def replace(old, new):
        path = release / DIALOGUE
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))
        return release

    return replace


def votes_under(root):
    return {utterance.id: utterance.votes for utterance in read(root)}


def test_reads_the_observers_votes(release):
    # Self reports, words of comments and the look-alike files around the annotation stay out.
    assert votes_under(release) == VOTES


def test_root_may_be_the_folder_of_the_release(release):
    assert list(read(release.parent)) == list(read(release))


def test_speakers_and_clips(release):
    utterances = list(read(release))
    assert [one.speaker for one in utterances] == ["Ses01F", "Ses01M", "Ses05F"]
    assert [one.attributes for one in utterances] == [{"session": number} for number in "115"]
    wavs = release / "Session5" / "sentences" / "wav"
    assert utterances[2].clip.path == str(
        wavs / "Ses05M_script01_1b" / "Ses05M_script01_1b_F011.wav"
    )
    assert all(len(load_waveform(one.clip)) == 800 for one in utterances)


SESSIONS = [Turn(f"Ses0{session}F_impro01_M000", [("E1", "Anger;", "()")]) for session in "12345"]


@pytest.mark.parametrize("fold", "12345")
def test_a_fold_is_a_session(tmp_path, fold):
    root = write_iemocap(tmp_path, SESSIONS)
    assert [one.id for one in read(root, fold=fold)] == [f"Ses0{fold}F_impro01_M000"]
    assert [one.id for one in read(root)] == [turn.name for turn in SESSIONS]


def test_a_fold_that_is_not_there(release):
    message = r"no file Session3/dialog/EmoEvaluation/\*\.txt is there"
    with pytest.raises(UserError, match=message):
        list(read(release, fold="3"))


def test_the_preset_of_erc_slt22(release):
    # Every tick counts, excitement as happiness and what is no class as other; none is dropped.
    metadata = {"iemocap_root": str(release), "label_rule": "erc_slt22"}
    selection = select_documents(get_corpus("iemocap"), metadata)
    assert selection.documents["labels"][0] == ["neutral", "happy", "sad", "angry", "other"]
    assert {one["id"]: one["votes"] for one in selection.documents} == {
        "Ses01F_impro01_F000": [2, 0, 0, 1, 1],
        "Ses01F_impro01_M003": [0, 3, 0, 0, 0],
        "Ses05M_script01_1b_F011": [0, 0, 1, 0, 1],
    }
    assert selection.counts["dropped"] == {}


@pytest.mark.parametrize(
    ("label", "word"),
    [
        ("Neutral", "neutral"),
        ("Neutral state", "neutral"),
        ("Happiness", "happy"),
        ("Excited", "excited"),
        ("Sadness", "sad"),
        ("Anger", "angry"),
        ("Frustration", "frustrated"),
        ("Fear", "fear"),
        ("Surprise", "surprise"),
        ("Disgust", "disgust"),
        ("Other", "other"),
    ],
)
def test_every_label_of_the_corpus(tmp_path, label, word):
    root = write_iemocap(tmp_path, [Turn("Ses02F_impro01_F000", [("E1", f"{label};", "()")])])
    assert votes_under(root) == {"Ses02F_impro01_F000": (Vote((word,), "E1"),)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n", b"\r\n"),
        (b"(flat;", b"(flat \xe9 \x92;"),  # bytes of other encodings
        (b"()", b"(a comment with\ta tab)"),
        (b"C-E2:\tNeutral;\t()", b"C-E2:\tNeutral;"),
        (b"C-E2:\tNeutral;\t()", b" C-E2:\tneutral ;\t()"),
        (b"%", b"\xef\xbb\xbf%"),
    ],
    ids=["crlf", "latin_1", "tab_in_comment", "no_comment", "blanks", "byte_order_mark"],
)
def test_harmless_differences(release, old, new, caplog):
    path = release / DIALOGUE
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    assert votes_under(release) == VOTES
    assert not caplog.records


def test_a_missing_last_newline(release):
    path = release / DIALOGUE
    lines = path.read_bytes().split(b"\n")
    end = max(index for index, line in enumerate(lines) if line.startswith(b"C-"))
    path.write_bytes(b"\n".join(lines[: end + 1]))  # the file now ends in a vote
    assert votes_under(release) == VOTES


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"Frustration;", b"Frustated;", ":6: unknown emotion 'Frustated'"),
        (b"C-E2:\tNeutral;\t()", b"C-E2: Neutral; ()", ":4: not a vote line 'C-E1:<tab>"),
        (
            b"C-E2:\tNeutral;\t()",
            b"C-E2:\tNeutral; (curious)",
            r":4: unknown emotion '\(curious\)'",
        ),
        (b"C-E2:", b"C-X2:", ":4: unknown annotator 'X2'"),
        (b"\tSes01F_impro01_F000", b" Ses01F_impro01_F000", ":3: not a turn line"),
        (b"Ses01F_impro01_F000", b"Ses01F_impro01_X000", ":3: 'Ses01F_impro01_X000' is not a turn"),
        (b"% [START", b"C-E2:\tNeutral;\t()\n% [START", ":1: a vote before the first turn"),
    ],
)
def test_broken_lines(edit, old, new, message):
    root = edit(old, new)
    with pytest.raises(UserError, match=rf"Ses01F_impro01\.txt{message}"):
        list(read(root))


def test_lines_of_an_unknown_kind_are_left_out_aloud(edit, caplog):
    root = edit(b"C-E2:\tNeutral;", b"E2:\tNeutral;")
    with caplog.at_level(logging.WARNING, logger="lm_eval.ambi_tasks.corpora.iemocap"):
        votes = votes_under(root)
    assert votes["Ses01F_impro01_F000"] == VOTES["Ses01F_impro01_F000"][1:]
    assert [record.getMessage() for record in caplog.records] == [
        f"{root / DIALOGUE}:4: not a line of a known kind, left out."
    ]


def test_a_copied_annotation_file_does_not_double_votes(release):
    path = release / DIALOGUE
    shutil.copy(path, path.with_name("Ses01F_impro01 copy.txt"))
    with pytest.raises(
        UserError, match=r"F000 was already annotated at .*Ses01F_impro01 copy\.txt:3\."
    ):
        list(read(release))


def test_turns_without_votes_are_dropped_by_name(tmp_path):
    turns = [
        *TURNS,
        Turn("Ses01F_impro01_F001", []),
        Turn("Ses01F_impro01_F002", [("F1", "Anger;", "()")]),  # the actor's own report alone
        Turn("Ses01F_impro01_F003", [("E1", ";", "()")]),
        Turn("Ses01F_impro01_F004", [("E1", "Fear;", "()"), ("E2", "Other;", "()")]),
    ]
    root = write_iemocap(tmp_path, turns)
    selection = select_documents(get_corpus("iemocap"), {"iemocap_root": str(root)})
    # Excited is not merged into happy by default, so one utterance keeps one vote of two.
    assert selection.counts == {
        "read": 7,
        "kept": 3,
        "dropped": {"no_votes": 3, "out_of_set": 1},
        "votes": {"counted": 5, "outside": 2},
    }
    kept = {document["id"]: document["soft_label"] for document in selection.documents}
    assert kept == {
        "Ses01F_impro01_F000": pytest.approx([2 / 3, 0, 1 / 3, 0]),
        "Ses01F_impro01_M003": [0, 1, 0, 0],
        "Ses05M_script01_1b_F011": [0, 0, 0, 1],
    }


@pytest.mark.parametrize("folder", ["", "IEMOCAP_full_release"])
def test_an_empty_root(tmp_path, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    with pytest.raises(UserError, match=r"EmoEvaluation/\*\.txt is there; IEMOCAP_ROOT must name"):
        list(read(tmp_path))


def test_a_root_of_macos_leftovers_alone(release):
    for path in release.glob("Session*/dialog/EmoEvaluation/[!.]*.txt"):
        path.unlink()
    with pytest.raises(UserError, match="IEMOCAP_ROOT must name"):
        list(read(release))


# --- transcripts ---------------------------------------------------------------------------------

TRANSCRIPTION = "Session1/dialog/transcriptions/Ses01F_impro01.txt"
WORDS = {turn.name: turn.words for turn in TURNS}


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, logger="lm_eval.ambi_tasks.corpora.iemocap")
    return lambda: [record.getMessage() for record in caplog.records]


def words_under(root):
    return {utterance.id: utterance.transcript for utterance in read(root)}


def test_transcripts(release, told):
    assert words_under(release) == WORDS
    assert len(set(WORDS.values())) == len(WORDS)
    assert told() == []  # words of no turn, and turns without a label, are as they should be


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n", b"\r\n"),
        (b"M: Yeah.", b"F: \xe9 \x92"),
        (b"Ses01F_impro01_F000 [", b"\xef\xbb\xbfSes01F_impro01_F000 ["),
        (b"[006.2901-008.2357]:", b" [6.2901 - 8.2357]:  "),
    ],
    ids=["crlf", "latin_1", "byte_order_mark", "blanks"],
)
def test_harmless_differences_of_transcriptions(release, told, old, new):
    path = release / TRANSCRIPTION
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    assert words_under(release) == WORDS
    assert told() == []


def test_undecodable_words_are_replaced(release):
    path = release / TRANSCRIPTION
    path.write_bytes(path.read_bytes().replace(b"Verbatim: F000", b"Caf\xe9"))
    assert words_under(release)["Ses01F_impro01_F000"] == "[LAUGHTER] Caf\ufffd, yeah."


def test_absent_transcriptions_are_one_line(release, told):
    for path in release.glob("Session*/dialog/transcriptions"):
        shutil.rmtree(path)
    assert words_under(release) == dict.fromkeys(WORDS, "")
    assert votes_under(release) == VOTES
    first, second = told()
    assert first == second  # one for each reading
    assert first == (
        f"IEMOCAP: 2 of 2 dialogues have no transcription, like {release / TRANSCRIPTION}; "
        "their transcripts stay empty."
    )


def test_an_absent_transcription_leaves_the_others(release, told):
    (release / TRANSCRIPTION).unlink()
    last = TURNS[-1]
    assert words_under(release) == {**dict.fromkeys(WORDS, ""), last.name: last.words}
    assert len(told()) == 1
    assert "1 of 2 dialogues have no transcription" in told()[0]


def test_lines_of_transcriptions_that_do_not_parse(release, told):
    path = release / TRANSCRIPTION
    lines = path.read_text().splitlines()
    broken = [lines[0].replace("]:", "]"), "Somebody whispers.", *lines[1:], lines[-1], "", "Hush."]
    path.write_text("\n".join(broken))
    assert words_under(release) == {**WORDS, "Ses01F_impro01_F000": ""}
    assert told() == [
        (
            "IEMOCAP: 4 lines of transcriptions do not parse or repeat a turn, and are left out: "
            f"{path}:1, {path}:2, {path}:6 and 1 more."
        )
    ]


def test_words_leave_the_reader_in_no_way(release, monkeypatch, tmp_path, caplog):
    path = release / TRANSCRIPTION
    path.write_text(path.read_text() + "Verbatim without a turn\n")
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))
    corpus = get_corpus("iemocap")
    with caplog.at_level(logging.DEBUG):
        utterances = list(read(release))
        index = label_index(corpus, release, {"fold": "all"}, corpus.label_rule)
        selection = select_documents(corpus, {"iemocap_root": str(release)})
    assert all("Verbatim" in one.transcript for one in utterances)
    assert "Verbatim" not in repr(utterances)
    assert f"{path}:5" in caplog.text
    assert "Verbatim" not in caplog.text
    assert len(index.rows) == len(selection.documents) == 3
    for rows in (index.rows, selection.documents):
        assert "transcript" not in rows.column_names
        assert "Verbatim" not in repr(list(rows))
    written = [one for one in (tmp_path / "cache").rglob("*") if one.is_file()]
    content = b"".join(one.read_bytes() for one in written)
    assert b"Ses01F_impro01_F000" in content
    assert b"Verbatim" not in content


def test_transcriptions_are_no_label_files(release):
    files = get_corpus("iemocap").label_files(release)
    assert len(files) == 2
    assert {path.parent.name for path in files} == {"EmoEvaluation"}


def test_a_second_vote_of_an_annotator_is_left_out_and_told(tmp_path):
    votes = [("E1", "Neutral;", "()"), ("E2", "Anger;", "()"), ("E1", "Sadness;", "()")]
    release = write_iemocap(tmp_path, [Turn("Ses01F_impro01_F000", votes)])
    metadata = {"iemocap_root": str(release)}
    counts = select_documents(get_corpus("iemocap"), metadata).counts
    assert counts["votes"]["counted"] == 2
    (note,) = counts["notes"]
    assert re.search(r"txt:\d+: a second vote of E1 for Ses01F_impro01_F000, left out", note)
