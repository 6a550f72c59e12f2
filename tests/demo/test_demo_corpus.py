"""The bundled corpus is what its script makes, and apart from what the model was trained on."""

import csv
import shutil
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from ambi_tasks.audio import Clip, load_waveform
from ambi_tasks.corpora.demo import CORPUS
from ambi_tasks.demo import CORPUS_FOLDER, speech
from ambi_tasks.demo.build_corpus import CLIPS, COLUMNS, build_corpus, bundled_clips, votes_table
from ambi_tasks.demo.speech import EMOTIONS, PROTOTYPES, RATERS, draw_clips, vote_distribution
from ambi_tasks.demo.splits import DEMO_CORPUS, SPLITS, TRAINING, VALIDATION, check_disjoint
from ambi_tasks.errors import UserError
from ambi_tasks.labels import SoftLabel, soft_label

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"
)


@pytest.fixture(scope="module")
def votes():
    with (CORPUS_FOLDER / "votes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_utterance(votes):
    groups = defaultdict(list)
    for row in votes:
        groups[row["utterance"]].append(row)
    return groups


def test_votes_are_well_formed(votes):
    assert tuple(votes[0]) == COLUMNS
    groups = by_utterance(votes)
    assert list(groups) == [f"demo_{number:03d}" for number in range(1, CLIPS + 1)]
    for utterance, rows in groups.items():
        assert {row["path"] for row in rows} == {f"clips/{utterance}.flac"}
        assert len({row["speaker"] for row in rows}) == 1
        assert len({row["rater"] for row in rows}) == len(rows)
        assert 5 <= len(rows) <= 12
    assert {row["rater"] for row in votes} == set(RATERS)
    assert {row["emotion"] for row in votes} == set(EMOTIONS)
    assert len({row["speaker"] for row in votes}) == 12


def test_votes_range_from_unanimous_to_split(votes):
    different = [len({row["emotion"] for row in rows}) for rows in by_utterance(votes).values()]
    assert set(different) == {1, 2, 3, 4}
    counts = np.unique([row["emotion"] for row in votes], return_counts=True)[1]
    assert counts.min() > 0.15 * len(votes)


def test_clips_are_short_mono_and_all_named(votes):
    paths = {row["path"] for row in votes}
    assert {f"clips/{path.name}" for path in (CORPUS_FOLDER / "clips").iterdir()} == paths
    for path in paths:
        info = soundfile.info(CORPUS_FOLDER / path)
        assert (info.samplerate, info.channels, info.format) == (16_000, 1, "FLAC")
        assert info.subtype == "PCM_16"
        assert 1 <= info.duration <= 4
        assert np.abs(load_waveform(Clip(str(CORPUS_FOLDER / path)))).max() > 0.01


def test_the_folder_is_small():
    files = [path for path in CORPUS_FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 4_000_000


def test_the_card_says_that_it_is_simulated():
    card = (CORPUS_FOLDER / "README.md").read_text(encoding="utf-8")
    assert "Simulated emotion, simulated annotators" in card
    assert "CC0 1.0" in card
    assert max(map(len, card.splitlines())) <= 100


def test_the_benchmark_reads_it():
    utterances = list(CORPUS.read(CORPUS_FOLDER))
    labels = [soft_label(utterance.votes, CORPUS.label_rule) for utterance in utterances]
    assert all(isinstance(label, SoftLabel) for label in labels)
    for clip, label in zip(bundled_clips(), labels, strict=True):
        assert label.distribution == pytest.approx(clip.vote_shares)


def test_rebuilding_the_votes_gives_the_same():
    assert votes_table(bundled_clips()) == (CORPUS_FOLDER / "votes.csv").read_text("utf-8")


@needs_espeak
def test_speaking_again_gives_the_same():
    card = (CORPUS_FOLDER / "README.md").read_text(encoding="utf-8")
    if speech.espeak_version() not in card:
        pytest.skip("another version of espeak-ng spoke the bundled clips")
    for index in (0, 17, 42):
        spoken = speech.synthesize(bundled_clips()[index])
        path = CORPUS_FOLDER / "clips" / f"demo_{index + 1:03d}.flac"
        bundled = load_waveform(Clip(str(path)))
        assert len(spoken) == len(bundled)
        assert np.abs(spoken - bundled).max() < 1e-3


@needs_espeak
def test_the_script_builds_a_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr("ambi_tasks.demo.build_corpus.CLIPS", 3)
    build_corpus(tmp_path)
    assert len(list(CORPUS.read(tmp_path))) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "clips", "votes.csv"}


def test_a_missing_synthesizer_is_one_clear_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"espeak-ng, which is not on the PATH; install it"):
        build_corpus(tmp_path / "corpus")


def test_splits_share_nothing():
    check_disjoint()
    for one in SPLITS:
        for other in SPLITS:
            if one is not other:
                assert not set(one.voices) & set(other.voices)
                assert not set(one.sentences) & set(other.sentences)
                assert not set(one.lead_ins) & set(other.lead_ins)
    assert {clip.voice for clip in bundled_clips()} == set(DEMO_CORPUS.voices)


@pytest.mark.parametrize("attribute", ["voices", "sentences", "lead_ins", "stream"])
def test_shared_material_is_noticed(attribute):
    leaking = replace(VALIDATION, **{attribute: getattr(TRAINING, attribute)})
    with pytest.raises(ValueError, match="share"):
        check_disjoint((TRAINING, leaking))


def test_more_clips_only_add_to_fewer():
    assert list(draw_clips(TRAINING, 20))[:10] == list(draw_clips(TRAINING, 10))
    assert list(draw_clips(TRAINING, 10)) != list(draw_clips(TRAINING, 10, seed=1))


def test_prototypes_are_heard_as_their_emotion():
    for index, prototype in enumerate(PROTOTYPES):
        distribution = vote_distribution(prototype)
        assert distribution.sum() == pytest.approx(1)
        assert distribution.argmax() == index
        assert 0.4 < distribution.max() < 0.98
