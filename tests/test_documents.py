"""From a corpus on disk to documents: nothing is lost in silence, nothing heavy is kept."""

import dataclasses
import json
import logging
import shutil

import pytest

from ambi_tasks.corpora import get_corpus
from ambi_tasks.documents import select_documents
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule
from tests.corpora.builders import LFS_STUB, Turn, write_crema_d, write_demo, write_iemocap

CLIPS = {
    "a_1": ["happy", "happy", "sad", "neutral"],
    "a_2": ["angry", "angry"],
    "b_1": ["happy", "sad"],
    "b_2": ["neutral", "neutral", "sad"],
}


@pytest.fixture
def root(tmp_path):
    return write_demo(tmp_path / "demo", CLIPS)


def select(root, corpus="demo", **metadata):
    return select_documents(get_corpus(corpus), {f"{corpus}_root": str(root), **metadata})


def test_documents_by_hand(root):
    documents = list(select(root).documents)
    assert [document["id"] for document in documents] == list(CLIPS)
    assert documents[0] == {
        "id": "a_1",
        "audio": {"path": str(root / "audio" / "a_1.wav"), "start": None, "end": None},
        "speaker": "a",
        "labels": ["neutral", "happy", "angry", "sad"],
        "soft_label": [0.25, 0.5, 0.0, 0.25],
        "votes": [1.0, 2.0, 0.0, 1.0],
        "annotators": 4,
        "annotators_outside": 0,
        "entropy": 1.5,
        "stratum": "high",
    }
    assert [document["stratum"] for document in documents] == ["high", "unanimous", "medium", "low"]


def test_a_document_is_small_whatever_its_audio(root):
    wav = root / "audio" / "a_1.wav"
    for document in select(root).documents:
        assert len(json.dumps(document)) < 2000
    before = json.dumps(select(root).documents[0])
    wav.write_bytes(wav.read_bytes() * 50)
    assert json.dumps(select(root).documents[0]) == before


def test_every_utterance_is_accounted_for(tmp_path, caplog):
    turns = [
        Turn("Ses01F_impro01_F000", [("E1", "Anger;", "()"), ("E2", "Frustration;", "()")]),
        Turn("Ses01F_impro01_F001", [("E1", "Fear;", "()")]),
        Turn("Ses01F_impro01_F002", []),
        Turn("Ses01F_impro01_F003", [("E1", "Neutral; Fear;", "()"), ("E2", "Sadness;", "()")]),
        Turn("Ses01F_impro01_F004", [("E1", "Sadness;", "()")]),
    ]
    release = write_iemocap(tmp_path, turns)
    (release / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F004.wav").unlink()
    with caplog.at_level(logging.INFO, logger="lm_eval.ambi_tasks.documents"):
        selection = select(release, "iemocap", missing_audio="skip")
    assert selection.counts == {
        "read": 5,
        "kept": 2,
        "dropped": {"out_of_set": 1, "no_votes": 1, "missing_audio": 1},
        "votes": {"counted": 3, "outside": 1},
    }
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        (
            "IEMOCAP: 1 of 3 utterances have no audio (1 x the audio file is missing; for example "
            "Ses01F_impro01_F004); they are skipped."
        ),
        (
            "IEMOCAP: 5 utterances read, 2 kept, 3 dropped (out_of_set: 1, no_votes: 1, "
            "missing_audio: 1); 3 votes counted, 1 outside the classes."
        ),
    ]


def test_manifest_does_not_depend_on_the_folder(root, tmp_path):
    elsewhere = shutil.copytree(root, tmp_path / "elsewhere")
    assert select(elsewhere).manifest_sha256 == select(root).manifest_sha256


def test_manifest_depends_on_every_vote(root):
    before = select(root).manifest_sha256
    table = root / "votes.csv"
    text = table.read_text()
    for old, new in [("r2,happy", "r2,angry"), ("a_2,", "a_3,")]:
        assert old in text
        table.write_text(text.replace(old, new))
        assert select(root).manifest_sha256 != before
    table.write_text(text.replace("r4,neutral", "r4,happy").replace("r1,happy", "r1,neutral", 1))
    assert select(root).manifest_sha256 == before  # the same votes, by other raters


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ("happy", "neutral", "angry", "sad")},
        {"merge": {"furious": "angry"}},
        {"multi_tick": "sum"},
        {"out_of_set": "drop_utterance"},
        {"min_votes": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_manifest_depends_on_every_part_of_the_rule(root, change):
    corpus = get_corpus("demo")
    rule = dataclasses.replace(corpus.label_rule, **change)
    metadata = {"demo_root": str(root)}
    other = select_documents(dataclasses.replace(corpus, label_rule=rule), metadata)
    assert other.manifest_sha256 != select(root).manifest_sha256
    assert other.counts == select(root).counts  # on these votes the rules agree


def test_missing_audio_is_refused_by_kind(root):
    (root / "audio" / "a_1.wav").write_text(LFS_STUB)
    (root / "audio" / "b_1.wav").write_text(LFS_STUB)
    (root / "audio" / "b_2.wav").unlink()
    with pytest.raises(UserError) as refusal:
        select(root)
    assert str(refusal.value) == (
        "The demo corpus: 3 of 4 utterances have no audio (2 x a Git LFS stub, not audio (run "
        "`git lfs pull` in the corpus); 1 x the audio file is missing; for example a_1, b_1, b_2). "
        "Complete the copy (it comes with the package), or evaluate the utterances that have audio "
        'with --metadata \'{"missing_audio": "skip"}\'.'
    )


def test_a_cut_off_wav_is_found_before_the_run(root):
    wav = root / "audio" / "a_1.wav"
    wav.write_bytes(wav.read_bytes()[:400])
    with pytest.raises(UserError, match="1 x the audio file is cut off"):
        select(root)


def test_skipping_leaves_the_other_documents_as_they_were(root):
    everything = {document["id"]: document for document in select(root).documents}
    complete = select(root).manifest_sha256
    (root / "audio" / "a_1.wav").unlink()
    selection = select(root, missing_audio="skip")
    assert selection.counts["dropped"] == {"missing_audio": 1}
    assert list(selection.documents) == [everything[name] for name in ("a_2", "b_1", "b_2")]
    assert selection.manifest_sha256 != complete


@pytest.mark.parametrize("policy", ["ignore", "", None, True, ["skip"]])
def test_a_bad_policy(root, policy):
    with pytest.raises(UserError, match="missing_audio is 'refuse' or 'skip', not "):
        select(root, missing_audio=policy)


def test_nothing_left_for_want_of_audio(tmp_path):
    root = write_crema_d(tmp_path, {"1001_DFA_ANG_XX": {"A": 5}}, audio=False)
    with pytest.raises(UserError) as refusal:
        select(root, "crema_d", missing_audio="skip")
    assert str(refusal.value) == (
        "CREMA-D: no utterance is left (1 utterances read, 0 kept, 1 dropped (missing_audio: 1)); "
        f"check the copy at {root} (clone github.com/CheyneyComputerScience/CREMA-D with Git LFS)."
    )


def test_nothing_left_for_want_of_votes_in_the_classes(root):
    rule = LabelRule(classes=("joy", "grief"))
    corpus = dataclasses.replace(get_corpus("demo"), label_rule=rule)
    with pytest.raises(UserError, match=r"4 utterances read, 0 kept, 4 dropped \(out_of_set: 4\)"):
        select_documents(corpus, {"demo_root": str(root)})


def test_an_empty_table(tmp_path):
    with pytest.raises(UserError, match=r"no utterance is left \(0 utterances read"):
        select(write_demo(tmp_path, {}))


def test_root_comes_from_metadata_before_the_environment(root, tmp_path, monkeypatch):
    other = write_demo(tmp_path / "other", {"c_1": ["sad"]})
    monkeypatch.setenv("DEMO_ROOT", str(other))
    assert select_documents(get_corpus("demo"), {}).counts["read"] == 1
    assert select(root).counts["read"] == 4
