"""The check of a copy: every kind of fault on look-alikes, and what must not be taken for one."""

import dataclasses
import subprocess

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks import corpus_check
from ambi_tasks.audio import Clip
from ambi_tasks.corpora import Corpus, Utterance, get_corpus
from ambi_tasks.corpus_check import (
    Kind,
    Severity,
    check_corpus,
    lfs_checksums,
    overview,
    portrait,
    smoothing_floor,
)
from ambi_tasks.errors import UserError
from ambi_tasks.labels import DropReason, LabelRule, Vote, rule_summary, soft_label
from tests.corpora.builders import (
    CREMA_D_TABLE,
    LFS_STUB,
    RATE,
    Turn,
    write_crema_d,
    write_demo,
    write_iemocap,
    write_tone,
)

CLIPS = {
    "1001_DFA_ANG_XX": {"A": 3, "N": 2},
    "1001_IEO_HAP_LO": {"H": 1, "N": 4, "S": 1},
    "1006_TIE_HAP_XX": {"H": 5},
    "1006_TIE_NEU_XX": {"N": 5, "S": 1},
    "1076_MTI_SAD_XX": {"N": 4, "S": 2},
}
FIRST = "1001_DFA_ANG_XX"


@pytest.fixture
def clone(tmp_path):
    return write_crema_d(tmp_path / "CREMA-D", CLIPS)


@pytest.fixture
def wav(clone):
    return lambda name: clone / "AudioWAV" / f"{name}.wav"


def crema_d(**changes):
    return dataclasses.replace(get_corpus("crema_d"), **{"expected_utterances": 5, **changes})


def check(root, corpus=None, progress=None, **metadata):
    corpus = corpus or crema_d()
    return check_corpus(corpus, {f"{corpus.name}_root": str(root), **metadata}, progress)


def found(report):
    """The findings as `(severity, kind) -> examples`."""
    return {(one.severity.value, one.kind.value): one.examples for one in report.findings}


def test_a_good_copy(clone):
    report = check(clone)
    assert report.findings == ()
    assert not report.faulty
    assert (report.read, report.kept, report.votes, report.decoded) == (5, 5, 28, 5)
    assert report.seconds == pytest.approx(0.25)
    assert report.checksums == 0


def test_progress_reaches_the_total(clone):
    calls = []
    check(clone, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(n, 5) for n in range(1, 6)]


# --- audio ---------------------------------------------------------------------------------------


def write_samples(path, samples, *, subtype="PCM_16", rate=RATE):
    soundfile.write(path, samples, rate, subtype=subtype)


def remove(path):
    path.unlink()


def stub(path):
    path.write_text(LFS_STUB)


def no_bytes(path):
    path.write_bytes(b"")


def no_samples(path):
    write_samples(path, np.zeros(0))


def header_of_more_than_44_bytes_alone(path):
    write_samples(path, np.zeros(0), subtype="FLOAT")
    assert path.stat().st_size > 44


def cut(path):
    write_tone(path, seconds=1.0)
    path.write_bytes(path.read_bytes()[:9000])


def garbage(path):
    path.write_bytes(b"no audio at all " * 10)


def a_folder(path):
    path.unlink()
    path.mkdir()


def not_a_number(path):
    write_samples(path, np.array([0.1, np.nan, 0.2]), subtype="FLOAT")


def infinite(path):
    write_samples(path, np.array([0.1, np.inf, 0.2]), subtype="FLOAT")


def zeros(path):
    write_samples(path, np.zeros(800))


def whisper(path):
    write_samples(path, np.full(800, 0.9e-4), subtype="FLOAT")


def opposite_channels(path):
    tone = 0.5 * np.sin(np.arange(800))
    write_samples(path, np.stack([tone, -tone], axis=1))


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (remove, "missing"),
        (stub, "lfs_stub"),
        (no_bytes, "empty"),
        (no_samples, "empty"),
        (header_of_more_than_44_bytes_alone, "empty"),
        (cut, "truncated"),
        (garbage, "unreadable"),
        (a_folder, "unreadable"),
        (not_a_number, "not_finite"),
        (infinite, "not_finite"),
        (zeros, "silent"),
        (whisper, "silent"),
    ],
)
def test_damaged_audio_is_a_fault_of_its_kind(clone, wav, damage, kind):
    damage(wav(FIRST))
    report = check(clone)
    place = f"AudioWAV/{FIRST}.wav" if kind == "missing" else FIRST
    assert found(report) == {("fault", kind): (place,)}
    assert report.findings[0].count == 1
    assert report.faulty


@pytest.mark.skipif("MP3" not in soundfile.available_formats(), reason="libsndfile without MP3")
def test_a_compressed_file_that_is_cut_off(tmp_path):
    path = tmp_path / "speech.mp3"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 2 * RATE), RATE, format="MP3")
    corpus = listed(Utterance("a", Clip(str(path)), (Vote(("happy",)),), "s"))
    assert check(tmp_path, corpus).findings == ()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert found(check(tmp_path, corpus)) == {("fault", "truncated"): ("a",)}


def test_quiet_audio_is_not_silent(clone, wav):
    write_samples(wav(FIRST), np.full(800, 1.1e-4), subtype="FLOAT")
    assert check(clone).findings == ()


def test_channels_that_cancel_each_other_are_heard_as_silence(clone, wav):
    opposite_channels(wav(FIRST))
    assert set(found(check(clone))) == {("fault", "silent"), ("note", "channels")}


def test_another_rate_and_several_channels_are_no_faults(clone, wav):
    write_tone(wav(FIRST), rate=22_050, channels=2)
    report = check(clone)
    assert found(report) == {
        ("note", "sampling_rate"): (f"{FIRST} (22,050 Hz)",),
        ("note", "channels"): (f"{FIRST} (2 channels)",),
    }
    assert not report.faulty


def test_every_file_of_a_kind_is_counted(clone, wav):
    for name in list(CLIPS)[1:]:
        remove(wav(name))
    (finding,) = check(clone).findings
    assert (finding.kind, finding.count, len(finding.examples)) == (Kind.MISSING, 4, 4)


def test_faults_come_first(clone, wav):
    write_tone(wav(FIRST), channels=2)
    zeros(wav("1076_MTI_SAD_XX"))
    remove(wav("1001_IEO_HAP_LO"))
    severities = [finding.severity for finding in check(clone).findings]
    assert severities == [Severity.FAULT, Severity.KNOWN, Severity.NOTE]


# --- known faults and equal files ----------------------------------------------------------------


def test_the_known_faults_of_crema_d_are_not_new_ones(clone, wav):
    zeros(wav("1076_MTI_SAD_XX"))
    wav("1006_TIE_NEU_XX").write_bytes(wav("1006_TIE_HAP_XX").read_bytes())
    report = check(clone)
    assert found(report) == {
        ("known", "silent"): ("1076_MTI_SAD_XX",),
        ("known", "identical"): ("1006_TIE_HAP_XX = 1006_TIE_NEU_XX",),
    }
    assert not report.faulty


def test_another_fault_of_a_clip_with_a_known_one_is_new(clone, wav):
    remove(wav("1076_MTI_SAD_XX"))
    assert found(check(clone)) == {("fault", "missing"): ("AudioWAV/1076_MTI_SAD_XX.wav",)}


def test_equal_files_are_listed_as_groups(clone, wav):
    wav("1001_IEO_HAP_LO").write_bytes(wav(FIRST).read_bytes())
    report = check(clone)
    assert found(report) == {("fault", "identical"): (f"{FIRST} = 1001_IEO_HAP_LO",)}
    assert report.faulty


def test_a_third_file_makes_a_known_pair_a_new_fault(clone, wav):
    for name in (FIRST, "1006_TIE_NEU_XX"):
        wav(name).write_bytes(wav("1006_TIE_HAP_XX").read_bytes())
    group = f"{FIRST} = 1006_TIE_HAP_XX = 1006_TIE_NEU_XX"
    assert found(check(clone)) == {("fault", "identical"): (group,)}


@pytest.mark.parametrize("damage", [stub, zeros, garbage])
def test_damaged_files_are_counted_once(clone, wav, damage):
    damage(wav(FIRST))
    damage(wav("1001_IEO_HAP_LO"))
    (finding,) = check(clone).findings
    assert finding.count == 2


# --- stretches of one file -----------------------------------------------------------------------


def listed(*utterances: Utterance, **settings) -> Corpus:
    """A corpus that is its list of utterances."""
    rule = LabelRule(classes=("neutral", "happy", "sad"))
    return Corpus(
        "listed", "Listed", "none", "none", rule, lambda _root: iter(utterances), **settings
    )


def test_stretches_of_one_file(tmp_path):
    path = tmp_path / "dialogue.wav"
    tone = 0.5 * np.sin(np.arange(RATE))
    write_samples(path, np.concatenate([tone, np.zeros(RATE)]))
    votes = (Vote(("happy",)),)
    stretches = {
        "a": (0.0, 0.5),
        "b": (0.5, 1.0),
        "c": (0.5, 1.0),
        "d": (1.2, 1.8),
        "e": (3.0, 4.0),
    }
    corpus = listed(
        *(Utterance(name, Clip(str(path), *ends), votes, "s") for name, ends in stretches.items())
    )
    report = check(tmp_path, corpus)
    assert found(report) == {
        ("fault", "silent"): ("d",),
        ("fault", "empty"): ("e",),
        ("fault", "identical"): ("b = c",),
    }
    assert report.seconds == pytest.approx(0.5 * 3 + 0.6)


# --- sha256 --------------------------------------------------------------------------------------


def git(folder, *arguments):
    settings = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", "-C", folder, *settings, *arguments], check=True, capture_output=True)


def pointer_to(path):
    digest = corpus_check.clip_sha256(Clip(str(path)))
    size = path.stat().st_size
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n"


@pytest.fixture
def git_clone(clone, wav):
    """Audio in the folder and LFS pointers in the HEAD, as `git lfs pull` leaves a clone."""
    audio = {name: wav(name).read_bytes() for name in CLIPS}
    for name in CLIPS:
        wav(name).write_text(pointer_to(wav(name)))
    git(clone, "init", "--quiet")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "Pointers")
    for name, content in audio.items():
        wav(name).write_bytes(content)
    return clone


def test_files_agree_with_the_checksums_of_the_clone(git_clone):
    report = check(git_clone)
    assert report.findings == ()
    assert report.checksums == 5


def test_another_file_than_the_clone_names_is_a_fault(git_clone, wav):
    write_tone(wav(FIRST), frequency=1000.0)
    report = check(git_clone)
    assert found(report) == {("fault", "checksum"): (FIRST,)}
    assert report.checksums == 5


def test_files_that_cannot_be_hashed_are_not_compared(git_clone, wav):
    stub(wav(FIRST))
    report = check(git_clone)
    assert found(report) == {("fault", "lfs_stub"): (FIRST,)}
    assert report.checksums == 4


def test_the_environment_does_not_lead_git_elsewhere(git_clone, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert check(git_clone).checksums == 5


def test_audio_that_is_in_git_itself_has_no_known_checksum(clone, wav):
    git(clone, "init", "--quiet")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "Audio")
    assert lfs_checksums(clone, {str(wav(name)) for name in CLIPS}) == {}


def test_checksums_without_a_clone_or_git(git_clone, tmp_path, wav, monkeypatch):
    paths = {str(wav(FIRST))}
    assert len(lfs_checksums(git_clone, paths)) == 1
    assert lfs_checksums(tmp_path, paths) == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lfs_checksums(git_clone, paths) == {}


# --- labels --------------------------------------------------------------------------------------


def test_a_line_that_does_not_parse_is_a_fault_with_its_place(clone, wav):
    table = clone / CREMA_D_TABLE
    table.write_bytes(table.read_bytes().replace(b'"100003",0', b'"100003",x'))
    remove(wav(FIRST))
    report = check(clone)
    (message,) = found(report)["fault", "labels"]
    assert message.startswith(f"{table}:4: ")
    assert set(found(report)) == {("fault", "labels"), ("fault", "missing")}  # before the line
    assert report.read == 2


def test_a_missing_table_is_a_fault(clone):
    (clone / CREMA_D_TABLE).unlink()
    (finding,) = check(clone).findings
    assert finding.kind is Kind.LABELS
    assert "tabulatedVotes.csv: the file is missing" in finding.examples[0]


@pytest.mark.parametrize(("expected", "difference"), [(7, 2), (4, 1)])
def test_another_number_of_utterances_is_a_fault(clone, expected, difference):
    (finding,) = check(clone, crema_d(expected_utterances=expected)).findings
    assert (finding.kind, finding.severity) == (Kind.UTTERANCES, Severity.FAULT)
    assert finding.count == difference
    assert finding.examples == (f"5 read, {expected} expected",)


def test_a_part_of_a_corpus_need_not_be_complete(clone):
    report = check(clone, fold="5")
    assert report.read == 1
    assert report.options["fold"] == "5"
    assert report.findings == ()


def test_the_number_of_a_corpus_may_be_unknown(clone):
    assert check(clone, crema_d(expected_utterances=None)).findings == ()


def test_utterances_without_a_soft_label_are_noted(tmp_path):
    root = write_crema_d(tmp_path, {**CLIPS, "1002_DFA_ANG_XX": {}})
    report = check(root, crema_d(expected_utterances=6))
    assert found(report) == {("note", "no_label"): ("1002_DFA_ANG_XX (no_votes)",)}
    assert (report.read, report.kept) == (6, 5)


def test_the_label_rule_may_be_another(clone):
    report = check(clone, label_rule={"min_votes": 6})
    assert report.kept == 3
    assert found(report) == {
        ("note", "no_label"): (f"{FIRST} (too_few_votes)", "1006_TIE_HAP_XX (too_few_votes)")
    }


def test_lines_that_the_reader_leaves_out_are_noted(tmp_path, caplog):
    turns = [Turn("Ses01F_impro01_F000", [("E2", "Neutral;", "()")])]
    root = write_iemocap(tmp_path, turns)
    (labels,) = root.glob("Session1/dialog/EmoEvaluation/Ses*.txt")
    labels.write_text(labels.read_text() + "what is this?\n")
    corpus = dataclasses.replace(get_corpus("iemocap"), expected_utterances=1)
    report = check(root, corpus)
    ((key, (line,)),) = found(report).items()
    assert key == ("note", "left_out")
    assert str(labels) in line
    assert not caplog.records  # it is in the report, so not on the screen too


def utterance(tmp_path, name, *votes):
    pitch = 200 + 7 * len(list(tmp_path.iterdir()))
    path = write_tone(tmp_path / f"{name}.wav", frequency=pitch)
    return Utterance(name, Clip(str(path)), votes, "s")


def test_doubled_names_and_annotators(tmp_path):
    once = utterance(tmp_path, "a", Vote(("happy",), "r1"), Vote(("sad",), "r2"))
    again = utterance(tmp_path, "b", Vote(("happy",), "r1"), Vote(("sad",), "r1"))
    unnamed = utterance(tmp_path, "c", Vote(("happy",)), Vote(("happy",)))
    assert found(check(tmp_path, listed(once, again, unnamed, once))) == {
        ("fault", "doubled_id"): ("a",),
        ("note", "doubled_rater"): ("b (r1)",),
    }


def test_votes_made_from_smoothed_labels_are_found(tmp_path):
    classes = ("neutral", "happy", "sad")
    floor = tuple(Vote((label,)) for label in classes)
    pretended = [
        utterance(tmp_path, f"u{n}", *floor, *[Vote((classes[n % 3],))] * 37) for n in range(12)
    ]
    findings = {one.kind: one for one in check(tmp_path, listed(*pretended)).findings}
    assert findings[Kind.SMOOTHED].severity is Severity.FAULT
    assert findings[Kind.SMOOTHED].count == 12
    assert "0.0250" in findings[Kind.SMOOTHED].examples[0]


counted = st.lists(
    st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any), min_size=10, max_size=40
)


def smoothed(distribution):
    """The formula by which EMO-SUPERB smooths."""
    others = 0.05 / (len(distribution) - 1)
    return (0.95 - others) * np.asarray(distribution) + others


@given(counted)
def test_smoothing_is_told_from_counting(counts):
    shares = [np.array(count) / sum(count) for count in counts]
    without = sum(min(share) == 0 for share in shares)
    if without:
        assert smoothing_floor(shares) is None
    if without >= len(shares) / 2:
        floor = smoothing_floor([smoothed(share) for share in shares])
        assert floor == pytest.approx(0.05 / 3)


def test_votes_for_every_class_are_not_smoothed_labels():
    shares = [np.array([n, 40 - n, 60]) / 100 for n in range(1, 20)]
    assert smoothing_floor(shares) is None


def test_a_few_utterances_do_not_tell():
    assert smoothing_floor([[0.025, 0.975]] * 9) is None
    assert smoothing_floor([[0.025, 0.975]] * 10) == 0.025
    assert smoothing_floor([]) is None


# --- mistakes of the caller ----------------------------------------------------------------------


def test_mistaken_metadata_is_no_finding(clone, tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        check(tmp_path / "nowhere")
    with pytest.raises(UserError, match="fold"):
        check(clone, fold="9")
    with pytest.raises(UserError, match="label_rule"):
        check(clone, label_rule="mine")


# --- overview ------------------------------------------------------------------------------------


def test_overview_of_a_copy(clone, monkeypatch):
    monkeypatch.setenv("CREMA_D_ROOT", str(clone))
    seen = overview(get_corpus("crema_d"))
    assert (seen.read, seen.kept, seen.found, seen.trouble) == (5, 4, True, "")  # one is silent
    assert seen.place == f"{clone} (CREMA_D_ROOT)"


def test_overview_opens_the_index_of_a_run(clone, monkeypatch):
    monkeypatch.setenv("CREMA_D_ROOT", str(clone))
    calls = []

    def read(root, **options):
        calls.append(root)
        yield from get_corpus("crema_d").read(root, **options)

    corpus = crema_d(read=read)
    first, second = overview(corpus), overview(corpus)
    assert (first.read, first.kept) == (second.read, second.kept) == (5, 4)
    assert len(calls) == 1


def test_overview_of_the_bundled_corpus(monkeypatch):
    monkeypatch.delenv("DEMO_ROOT", raising=False)
    seen = overview(get_corpus("demo"))
    assert seen.read == seen.kept == 60
    assert seen.place.endswith("corpus (bundled)")


def test_overview_of_an_absent_corpus(tmp_path, monkeypatch):
    monkeypatch.delenv("CREMA_D_ROOT", raising=False)
    seen = overview(get_corpus("crema_d"))
    assert (seen.found, seen.read) == (False, None)
    assert seen.place == "not found: set CREMA_D_ROOT to its folder"
    monkeypatch.setenv("CREMA_D_ROOT", str(tmp_path / "gone"))
    seen = overview(get_corpus("crema_d"))
    assert (seen.found, seen.read) == (False, None)
    assert seen.place == f"{tmp_path / 'gone'} (CREMA_D_ROOT) is not a folder"


def test_overview_of_a_broken_corpus(clone, monkeypatch):
    monkeypatch.setenv("CREMA_D_ROOT", str(clone))
    (clone / CREMA_D_TABLE).unlink()
    seen = overview(get_corpus("crema_d"))
    assert (seen.found, seen.read) == (True, None)
    assert seen.trouble.endswith("tabulatedVotes.csv: the file is missing")


def test_overview_outlives_a_reader_that_fails(tmp_path, monkeypatch):
    def read(_root):
        yield from ()
        raise KeyError("emotion")

    monkeypatch.setenv("LISTED_ROOT", str(tmp_path))
    seen = overview(dataclasses.replace(listed(), read=read))
    assert seen.trouble == "the reader failed with KeyError('emotion')"


def test_rule_summary():
    rule = LabelRule(("happy", "sad"), merge={"excited": "happy"}, multi_tick="sum", min_votes=3)
    summary = "excited -> happy, multi_tick=sum, out_of_set=drop_vote, min_votes=3"
    assert rule_summary(rule) == summary


# --- one utterance -------------------------------------------------------------------------------


def test_portrait(clone):
    seen = portrait(get_corpus("crema_d"), {"crema_d_root": str(clone)}, FIRST)
    assert seen.utterance.votes == (*[Vote(("anger",))] * 3, *[Vote(("neutral",))] * 2)
    assert seen.label == soft_label(seen.utterance.votes, get_corpus("crema_d").label_rule)
    assert seen.entropy == pytest.approx(0.971, abs=5e-4)
    assert seen.stratum == "medium"  # of 0.650, 0.918, 0.971 and 1.252 bits
    assert (seen.sound.rate, seen.sound.channels, seen.sound.seconds) == (RATE, 1, 0.05)
    assert seen.sound.fault is None


def test_portrait_without_a_soft_label_or_audio(clone, wav):
    remove(wav(FIRST))
    metadata = {"crema_d_root": str(clone), "label_rule": {"min_votes": 6}}
    seen = portrait(get_corpus("crema_d"), metadata, FIRST)
    assert seen.label is DropReason.TOO_FEW_VOTES
    assert (seen.entropy, seen.stratum) == (None, "")
    assert seen.sound.fault is Kind.MISSING


@pytest.mark.parametrize(
    "name", ["1001_DFA_ANG_X", "1001_dfa_ang_xx", "1001_DFA_ANG_XX.wav", "AudioWAV/1001_DFA_ANG_XX"]
)
def test_an_unknown_utterance_has_a_hint(clone, name):
    with pytest.raises(UserError, match=rf"'{name}'; did you mean '{FIRST}'\?$"):
        portrait(get_corpus("crema_d"), {"crema_d_root": str(clone)}, name)


def test_an_utterance_like_no_other(clone):
    with pytest.raises(UserError, match=r"^CREMA-D has no utterance 'qqq'\.$"):
        portrait(get_corpus("crema_d"), {"crema_d_root": str(clone)}, "qqq")


# --- the real tables -----------------------------------------------------------------------------


def test_the_real_tables_with_what_audio_there_is(real_root):
    present = len(list(real_root.glob("AudioWAV/*.wav")))
    report = check(real_root, get_corpus("crema_d"))
    missing = sum(one.count for one in report.findings if one.kind is Kind.MISSING)
    assert (report.read, report.kept, report.votes) == (7442, 7442, 68_568)
    assert missing == 7442 - present
    assert {one.kind for one in report.findings} <= {Kind.MISSING, Kind.SILENT, Kind.IDENTICAL}
    new = [one.kind for one in report.findings if one.severity is Severity.FAULT]
    assert new == ([Kind.MISSING] if missing else [])


def test_a_complete_demo_corpus_is_good():
    corpus = get_corpus("demo")
    assert check(corpus.bundled_root, corpus).findings == ()


def test_demo_look_alike(tmp_path):
    root = write_demo(tmp_path, {"s1_a": ["happy", "sad"], "s2_b": ["neutral"]})
    report = check(root, get_corpus("demo"))
    assert (report.findings, report.votes) == ((), 3)
