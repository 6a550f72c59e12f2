"""Every value of every option and every named label rule of every corpus reads its look-alike."""

import itertools
from dataclasses import replace

import pytest

from ambi_tasks.corpora import get_corpus
from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.documents import select_documents
from ambi_tasks.labels import LabelRule
from tests.corpora.builders import (
    ImprovTurn,
    PodcastTurn,
    Turn,
    write_crema_d,
    write_crema_d_people,
    write_crema_d_responses,
    write_demo,
    write_iemocap,
    write_msp_improv,
    write_msp_podcast,
)

_SESSIONS = "12345"


def _crema_d(root):
    names = [f"{actor}_DFA_ANG_XX" for actor in (1001, 1019, 1037, 1055, 1073)]
    responses = [
        (str(key), "9001_1", "7", modality, name, "H")
        for key, (modality, name) in enumerate(itertools.product((1, 2, 3), names))
    ]
    write_crema_d_responses(root, responses)
    write_crema_d_people(root, {name[:4]: (51, "Male", "Caucasian") for name in names})
    return write_crema_d(root, {name: {"A": 3, "N": 2} for name in names})


def _iemocap(root):
    votes = [("E1", "Anger; Excited;", "()"), ("E2", "Neutral;", "()")]
    return write_iemocap(root, [Turn(f"Ses0{one}F_impro01_F000", votes) for one in _SESSIONS])


def _msp_improv(root):
    names = [f"S01A-F0{session}-{kind}-FM01" for session in "123456" for kind in "PRST"]
    return write_msp_improv(root, [ImprovTurn(name, [("worker-p1", "Sad")]) for name in names])


def _msp_podcast(root):
    parts = ("Test1", "Test1", "Test2", "Development", "Train")
    workers = {"WORKER1": "Happy", "WORKER2": "Other-Amused"}
    turns = [
        PodcastTurn(
            f"MSP-PODCAST_0001_000{number}", workers if number else {"WORKER1": "Sad"}, part
        )
        for number, part in enumerate(parts)
    ]
    write_msp_podcast(root, turns)
    # Here every file says something that no other one says.
    table = root / "Labels" / "labels_consensus.csv"
    text = table.read_text().replace("Female", "Male")
    table.write_text(text.replace("SpkrID", "Person").replace("Split_Set", "Set"))
    return root


_LOOK_ALIKES = {
    "crema_d": _crema_d,
    "demo": lambda root: write_demo(root, {"a_1": ["happy", "sad"]}),
    "iemocap": _iemocap,
    "msp_improv": _msp_improv,
    "msp_podcast": _msp_podcast,
}
_OPTIONS = [(corpus, option) for corpus in all_corpora().values() for option in corpus.options]
_PRESETS = [(corpus, preset) for corpus in all_corpora().values() for preset in corpus.presets]


def _documents(corpus, root, **metadata):
    return select_documents(corpus, {f"{corpus.name}_root": str(root), **metadata})


def _truth(selection):
    return {row["id"]: (row["labels"], row["votes"]) for row in selection.documents}


def test_every_corpus_has_a_look_alike():
    assert set(_LOOK_ALIKES) == set(all_corpora())


@pytest.mark.parametrize(("corpus", "option"), _OPTIONS, ids=lambda one: getattr(one, "name", one))
def test_every_value_of_an_option_reads_something_else(tmp_path, corpus, option):
    root = _LOOK_ALIKES[corpus.name](tmp_path)
    values = corpus.options[option]
    read = {value: _documents(corpus, root, **{option: value}) for value in values}
    assert all(read[value].options[option] == value for value in values)
    assert all(len(selection.documents) > 0 for selection in read.values())
    assert _truth(read[values[0]]) == _truth(_documents(corpus, root))
    for one, other in itertools.combinations(values, 2):
        assert _truth(read[one]) != _truth(read[other])


@pytest.mark.parametrize(("corpus", "preset"), _PRESETS, ids=lambda one: getattr(one, "name", one))
def test_every_preset_makes_another_truth(tmp_path, corpus, preset):
    root = _LOOK_ALIKES[corpus.name](tmp_path)
    chosen, default = _documents(corpus, root, label_rule=preset), _documents(corpus, root)
    assert chosen.label_rule == corpus.presets[preset] != default.label_rule
    assert len(chosen.documents) > 0
    assert _truth(chosen) != _truth(default)


@pytest.mark.parametrize("corpus", all_corpora().values(), ids=lambda one: one.name)
def test_an_index_knows_every_file_that_is_read(tmp_path, corpus):
    root = _LOOK_ALIKES[corpus.name](tmp_path)
    choices = [{option: value} for option, values in corpus.options.items() for value in values]
    before = [_labelled(corpus, root, choice) for choice in [{}, *choices]]
    known = corpus.label_files(root)
    assert known
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix != ".wav" and path not in known:
            path.unlink()
    assert [_labelled(corpus, root, choice) for choice in [{}, *choices]] == before


def _labelled(corpus, root, choice):
    """What is read but for the transcripts, which are in no index."""
    return [replace(one, transcript="") for one in corpus.read(root, **choice)]


def test_the_published_rules():
    four = ("neutral", "happy", "angry", "sad")
    strict = LabelRule(four, out_of_set="drop_utterance")
    five = LabelRule(
        ("neutral", "happy", "sad", "angry", "other"),
        merge={"excited": "happy"},
        multi_tick="sum",
        out_of_set="other_class",
    )
    assert get_corpus("msp_podcast").presets == {"aer_llm": strict}
    assert get_corpus("iemocap").presets == {"erc_slt22": five}
