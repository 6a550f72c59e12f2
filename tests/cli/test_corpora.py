"""`ambi corpora`: what it prints, and its exit codes."""

import dataclasses
import json
import re

import numpy as np
import pytest
import soundfile

from ambi_tasks.corpora import corpus as corpus_module
from ambi_tasks.corpora import get_corpus
from ambi_tasks.labels import Vote
from tests.cli.runner import ambi, assert_refused, rows
from tests.corpora.builders import (
    CREMA_D_TABLE,
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
    "1091_WSI_FEA_XX": {"F": 6},
}
FIRST = "1001_DFA_ANG_XX"


@pytest.fixture
def clone(tmp_path):
    return write_crema_d(tmp_path / "CREMA-D", CLIPS)


@pytest.fixture
def demo(tmp_path):
    return write_demo(tmp_path / "demo", {"s1_a": ["happy", "sad"], "s2_b": ["neutral"]})


# --- list ----------------------------------------------------------------------------------------


def test_list_names_every_corpus(monkeypatch, clone):
    monkeypatch.setenv("CREMA_D_ROOT", str(clone))
    result = ambi("corpora")
    assert result.exit_code == 0
    for name, corpus in corpus_module.all_corpora().items():
        assert re.search(rf"^ *{name} ", result.stdout, re.M)
        assert corpus.title in result.stdout
        assert ", ".join(corpus.label_rule.classes) in result.stdout
    assert "3 kept of 3 utterances" in result.stdout
    assert f"{clone} (CREMA_D_ROOT)" in result.stdout
    assert "60 kept of 60 utterances" in result.stdout
    assert "not found: set IEMOCAP_ROOT to its folder" in result.stdout
    assert "modality: voice | face | audio_visual" in result.stdout


def test_list_is_the_default():
    assert ambi("corpora", "list").stdout == ambi("corpora").stdout


def test_a_broken_corpus_is_one_row_of_the_list(monkeypatch, clone):
    monkeypatch.setenv("CREMA_D_ROOT", str(clone))
    monkeypatch.setenv("IEMOCAP_ROOT", str(clone / "nowhere"))
    (clone / CREMA_D_TABLE).write_text("nothing\n")
    result = ambi("corpora", width=400)
    assert result.exit_code == 0
    assert f"broken: {clone / CREMA_D_TABLE}:1: the header lacks" in result.stdout
    assert f"{clone / 'nowhere'} (IEMOCAP_ROOT) is not a folder" in result.stdout
    assert "60 kept of 60 utterances" in result.stdout


@pytest.mark.parametrize("width", [80, 140])
def test_no_line_is_wider_than_the_terminal_and_no_path_is_cut(monkeypatch, clone, width):
    monkeypatch.setenv("CREMA_D_ROOT", str(clone))
    output = ambi("corpora", width=width).stdout
    assert max(map(len, output.splitlines())) <= width
    assert "…" not in output


# --- check ---------------------------------------------------------------------------------------


def test_check_of_a_good_copy(demo):
    result = ambi("corpora", "check", "demo", "--root", demo)
    assert result.exit_code == 0
    none_compared = "no sha256 compared (a git clone with its audio in Git LFS has them)"
    assert rows(result.stdout) == [
        f"The demo corpus at {demo}",
        "Labels: 2 utterances, 2 with a soft label; 3 votes, each of one annotator.",
        f"Audio: 2 decoded, 0.1 s; {none_compared}.",
        "No fault.",
    ]
    assert result.stderr == ""


def test_check_of_the_bundled_corpus():
    result = ambi("corpora", "check", "demo")
    assert result.exit_code == 0
    assert "60 utterances" in result.stdout


def test_check_finds_faults(clone):
    (clone / "AudioWAV" / f"{FIRST}.wav").unlink()
    write_tone(clone / "AudioWAV" / "1091_WSI_FEA_XX.wav", rate=8_000)
    result = ambi("corpora", "check", "crema_d", "--root", clone)
    assert result.exit_code == 1
    printed = rows(result.stdout)
    assert "(modality=voice, vote_table=tabulated, fold=all)" in printed[0]
    complete = "not the number of utterances of a complete copy"
    assert f"fault 7,439 {complete} 3 read, 7,442 expected" in printed
    assert f"fault 1 audio files missing AudioWAV/{FIRST}.wav" in printed
    assert "note 1 clips that are resampled to 16,000 Hz 1091_WSI_FEA_XX (8,000 Hz)" in printed
    assert printed[-1] == "2 kinds of fault."


def test_check_shows_a_label_fault_with_its_place(clone):
    table = clone / CREMA_D_TABLE
    table.write_bytes(table.read_bytes().replace(b'"100002",0', b'"100002",x'))
    result = ambi("corpora", "check", "crema_d", "--root", clone, width=400)
    assert result.exit_code == 1
    assert f"{table}:3: a count or key is not a whole number" in result.stdout
    assert "1 kind of fault." in result.stdout


def test_known_faults_alone_are_no_fault(tmp_path, monkeypatch):
    root = write_crema_d(tmp_path, {**CLIPS, "1076_MTI_SAD_XX": {"N": 4}})
    silent = root / "AudioWAV" / "1076_MTI_SAD_XX.wav"
    soundfile.write(silent, np.zeros(RATE), RATE)
    small = dataclasses.replace(get_corpus("crema_d"), expected_utterances=4)
    monkeypatch.setitem(corpus_module.all_corpora(), "crema_d", small)
    result = ambi("corpora", "check", "crema_d", "--root", root)
    assert result.exit_code == 0
    assert "known 1 silent clips 1076_MTI_SAD_XX" in rows(result.stdout)
    assert "No fault but those known of the corpus itself." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "shown", "more"),
    [((), 3, "and 2 more"), (("--examples", 5), 5, ""), (("--examples", 0), 0, "and 5 more")],
)
def test_as_many_examples_as_asked_for(tmp_path, arguments, shown, more):
    root = write_demo(tmp_path, {f"s_{n}": ["happy"] for n in range(5)}, audio=False)
    result = ambi("corpora", "check", "demo", "--root", root, *arguments)
    assert result.stdout.count(".wav") == shown
    assert ("and " in result.stdout) == bool(more)
    assert more in result.stdout


def test_names_are_no_markup(tmp_path):
    root = write_demo(tmp_path / "[red]:smile:", {"s_1": ["happy"]}, audio=False)
    result = ambi("corpora", "check", "demo", "--root", root)
    assert str(root) in result.stdout


def test_votes_of_one_annotator_twice_are_not_called_whole(demo, monkeypatch):
    corpus = get_corpus("demo")

    def twice(root):
        for one in corpus.read(root):
            yield dataclasses.replace(one, votes=(Vote(("happy",), "r1"),) * 2)

    changed = dataclasses.replace(corpus, read=twice)
    monkeypatch.setitem(corpus_module.all_corpora(), "demo", changed)
    result = ambi("corpora", "check", "demo", "--root", demo)
    assert result.exit_code == 0
    assert "4 votes." in result.stdout
    assert "note 2 utterances on which one annotator votes twice" in "\n".join(rows(result.stdout))


def test_check_takes_the_options_of_a_run(clone):
    metadata = json.dumps({"fold": "5", "crema_d_root": str(clone)})
    result = ambi("corpora", "check", "crema_d", "--metadata", metadata)
    assert result.exit_code == 0
    assert "fold=5" in result.stdout
    assert "Labels: 1 utterance," in result.stdout


# --- show ----------------------------------------------------------------------------------------


def test_show(clone):
    result = ambi("corpora", "show", "crema_d", FIRST, "--root", clone)
    assert result.exit_code == 0
    printed = rows(result.stdout)
    for line in (
        f"utterance {FIRST} of CREMA-D",
        "speaker 1001",
        f"path {clone / 'AudioWAV' / FIRST}.wav",
        "duration 0.050 s",
        "sampling rate 16,000 Hz, 1 channel(s)",
        "annotators 5 counted, 0 outside the classes",
        "entropy 0.971 bits",
        "stratum low",
        "not named anger 3",
        "not named neutral 2",
        "anger 3 0.6000",
        "neutral 2 0.4000",
        "sad 0 0.0000",
    ):
        assert line in printed


def test_show_votes_as_they_were_given(tmp_path):
    name = "Ses01F_impro01_F000"
    votes = [("E2", "Neutral;", "()"), ("E4", "Frustration; Anger;", "()"), ("E5", "Fear;", "()")]
    root = write_iemocap(tmp_path, [Turn(name, votes)])
    result = ambi("corpora", "show", "iemocap", name, "--root", root)
    assert result.exit_code == 0
    printed = rows(result.stdout)
    for line in (
        "E2 neutral 1",
        "E4 frustrated, angry 1",
        "E5 fear 1",
        "annotators 2 counted, 1 outside the classes",
        "neutral 1 0.5000",
        "angry 1 0.5000",
    ):
        assert line in printed


def test_show_under_another_label_rule(clone):
    rule = json.dumps({"label_rule": {"min_votes": 6}})
    result = ambi("corpora", "show", "crema_d", FIRST, "--root", clone, "--metadata", rule)
    assert result.exit_code == 0
    printed = rows(result.stdout)
    assert "soft label none (too_few_votes)" in printed
    assert "not named anger 3" in printed
    assert not any(line.startswith(("entropy", "stratum", "class ")) for line in printed)


def test_show_says_what_is_wrong_with_the_audio(clone):
    (clone / "AudioWAV" / f"{FIRST}.wav").unlink()
    result = ambi("corpora", "show", "crema_d", FIRST, "--root", clone)
    assert result.exit_code == 0
    assert "fault the audio file is missing" in rows(result.stdout)
    assert "duration" not in result.stdout


# --- a table of the user's own -------------------------------------------------------------------


@pytest.fixture
def own_table(tmp_path):
    write_tone(tmp_path / "a.wav")
    path = tmp_path / "votes.csv"
    path.write_text("utterance,path,calm,tense\na,a.wav,3,1\nb,b.wav,0,2\n")
    return json.dumps({"table": str(path)})


def test_check_of_a_table(own_table):
    result = ambi("corpora", "check", "table", "--metadata", own_table)
    assert result.exit_code == 1
    assert "Labels: 2 utterances, 2 with a soft label; 6 votes" in result.stdout
    assert "fault 1 audio files missing b.wav" in rows(result.stdout)


def test_show_of_a_table(own_table):
    result = ambi("corpora", "show", "table", "a", "--metadata", own_table)
    assert result.exit_code == 0
    assert "calm 3 0.7500" in rows(result.stdout)


def test_a_table_that_is_not_named():
    assert_refused(ambi("corpora", "check", "table"), "No table was named")


# --- mistakes ------------------------------------------------------------------------------------


def test_an_unknown_corpus():
    assert_refused(ambi("corpora", "check", "crema"), "did you mean 'crema_d'?")
    assert_refused(ambi("corpora", "show", "crema", FIRST), "did you mean 'crema_d'?")


def test_an_unknown_utterance(clone):
    result = ambi("corpora", "show", "crema_d", "1001_DFA_ANG_XY", "--root", clone)
    assert_refused(result, f"did you mean '{FIRST}'?")


@pytest.mark.parametrize("command", [("check", "crema_d"), ("show", "crema_d", FIRST)])
def test_an_absent_corpus(command, tmp_path):
    assert_refused(ambi("corpora", *command), "set CREMA_D_ROOT")
    assert_refused(ambi("corpora", *command, "--root", tmp_path / "no"), "is not a folder")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("{", "--metadata is not JSON"),
        ("[]", "--metadata is a JSON object"),
        ('{"fold": "9"}', "--metadata fold for CREMA-D is one of"),
        ('{"label_rule": "mine"}', "There is no label_rule 'mine'"),
    ],
)
def test_mistaken_metadata(clone, metadata, message):
    for command in (("check", "crema_d"), ("show", "crema_d", FIRST)):
        result = ambi("corpora", *command, "--root", clone, "--metadata", metadata)
        assert_refused(result, message)


def test_a_broken_table_in_show(clone):
    (clone / CREMA_D_TABLE).unlink()
    result = ambi("corpora", "show", "crema_d", FIRST, "--root", clone)
    assert_refused(result, "tabulatedVotes.csv: the file is missing")


@pytest.mark.parametrize("command", [("check",), ("show", "demo"), ("check", "demo", "--what")])
def test_usage_errors_of_the_command_line(command):
    result = ambi("corpora", *command)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


# --- the real tables -----------------------------------------------------------------------------


def test_check_of_the_real_copy(real_root):
    missing = 7442 - len(list(real_root.glob("AudioWAV/*.wav")))
    result = ambi("corpora", "check", "crema_d", "--root", real_root)
    assert result.exit_code == (1 if missing else 0)
    assert "Labels: 7,442 utterances, 7,442 with a soft label; 68,568 votes" in result.stdout
    line = f"fault {missing:,} audio files missing AudioWAV/"
    assert (line in "\n".join(rows(result.stdout))) == bool(missing)


def test_show_of_a_real_utterance(real_root):
    result = ambi("corpora", "show", "crema_d", FIRST, "--root", real_root)
    assert result.exit_code == 0
    printed = rows(result.stdout)
    assert "anger 6 0.6667" in printed
    assert "entropy 1.224 bits" in printed
    assert "stratum medium" in printed


def test_list_with_the_real_copy(real_root, monkeypatch):
    monkeypatch.setenv("CREMA_D_ROOT", str(real_root))
    assert "7,441 kept of 7,442 utterances" in ambi("corpora").stdout


def test_ceiling_of_the_demo_corpus():
    shown = ambi("corpora", "ceiling", "demo", "--seed", "3")
    assert shown.exit_code == 0
    assert re.search(
        r"^\| js, lower is better \|( 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] \|){4}$", shown.output, re.M
    )
    scores = json.loads(ambi("corpora", "ceiling", "demo", "--seed", "3", "--json").output)
    assert scores["seed"] == 3
    assert_refused(ambi("corpora", "ceiling", "dema"), "did you mean 'demo'")


def test_a_clip_that_a_run_leaves_out_has_no_ceiling_and_no_stratum(tmp_path):
    silent = "1076_MTI_SAD_XX"
    root = write_crema_d(tmp_path / "CREMA-D", {**CLIPS, silent: {"S": 4}})
    shown = ambi("corpora", "ceiling", "crema_d", "--root", root, "--json")
    scores = json.loads(shown.stdout)
    assert (scores["utterances"], scores["dropped"]) == (3, {"known_silent": 1})
    shown = ambi("corpora", "show", "crema_d", silent, "--root", root)
    assert "stratum none, it is silent in every copy" in rows(shown.stdout)
