"""How corpora are found: by name, and on the user's disk."""

from types import SimpleNamespace

import pytest

from ambi_tasks.corpora import Corpus, get_corpus
from ambi_tasks.corpora import corpus as corpus_module
from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule


def test_every_corpus_goes_by_its_own_name():
    assert {"crema_d", "demo", "iemocap", "msp_podcast"} <= set(all_corpora())
    assert all(get_corpus(name).name == name for name in all_corpora())


def test_default_rules():
    four = ("neutral", "happy", "angry", "sad")
    six = ("anger", "disgust", "fear", "happy", "neutral", "sad")
    rules = {name: corpus.label_rule for name, corpus in all_corpora().items()}
    assert rules["iemocap"].classes == rules["demo"].classes == four
    assert rules["msp_podcast"].classes == four
    assert rules["crema_d"].classes == six
    for name in ("iemocap", "demo", "crema_d", "msp_podcast"):
        rule = rules[name]
        policies = (rule.merge, rule.multi_tick, rule.out_of_set, rule.min_votes)
        assert policies == ({}, "split", "drop_vote", 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cremad", "There is no corpus 'cremad'; did you mean 'crema_d'?"),
        ("IEMOCAP", "There is no corpus 'IEMOCAP'; did you mean 'iemocap'?"),
        ("qqq", "There is no corpus 'qqq'; there are: "),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UserError) as refusal:
        get_corpus(name)
    assert str(refusal.value).startswith(message)


def test_metadata_goes_before_the_environment(tmp_path, monkeypatch):
    corpus = get_corpus("crema_d")
    (tmp_path / "named").mkdir()
    (tmp_path / "environment").mkdir()
    monkeypatch.setenv("CREMA_D_ROOT", str(tmp_path / "environment"))
    assert corpus.root({}) == tmp_path / "environment"
    assert corpus.root({"crema_d_root": str(tmp_path / "named")}) == tmp_path / "named"
    assert corpus.root({"iemocap_root": str(tmp_path / "named")}) == tmp_path / "environment"


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert get_corpus("iemocap").root({"iemocap_root": "~"}) == tmp_path


def test_a_corpus_that_is_not_named(monkeypatch):
    monkeypatch.delenv("CREMA_D_ROOT", raising=False)
    with pytest.raises(UserError) as refusal:
        get_corpus("crema_d").root({})
    assert str(refusal.value) == (
        'CREMA-D was not found: set CREMA_D_ROOT (or --metadata \'{"crema_d_root": "..."}\') to '
        "the folder of your copy; clone github.com/CheyneyComputerScience/CREMA-D with Git LFS."
    )


def test_a_root_that_is_no_folder(tmp_path):
    absent = tmp_path / "absent"
    with pytest.raises(
        UserError, match=rf"{absent} \(CREMA_D_ROOT or crema_d_root\) is not a folder"
    ):
        get_corpus("crema_d").root({"crema_d_root": str(absent)})


def test_the_bundled_corpus_needs_no_name(tmp_path, monkeypatch):
    monkeypatch.delenv("DEMO_ROOT", raising=False)
    corpus = get_corpus("demo")
    assert corpus.root({}) == corpus.bundled_root
    assert corpus.root({"demo_root": str(tmp_path)}) == tmp_path


def mine():
    """A corpus with options and presets that reads nothing."""
    return Corpus(
        name="mine",
        title="Mine",
        source="here",
        licence="none",
        label_rule=LabelRule(("yes", "no")),
        read=lambda _: iter(()),
        options={"part": ("test", "train")},
        presets={"strict": LabelRule(("yes", "no"), out_of_set="drop_utterance")},
    )


def test_options_default_to_the_first_value():
    assert mine().chosen_options({}) == {"part": "test"}
    assert mine().chosen_options({"part": "train", "other": 1}) == {"part": "train"}
    with pytest.raises(UserError, match="metadata part for Mine is one of test, train; not 'dev'"):
        mine().chosen_options({"part": "dev"})


def test_label_rules_by_name_and_by_field():
    corpus = mine()
    assert corpus.chosen_rule({}) == corpus.label_rule
    assert corpus.chosen_rule({"label_rule": "strict"}) == corpus.presets["strict"]
    changed = corpus.chosen_rule({"label_rule": {"preset": "strict", "min_votes": 3}})
    assert (changed.min_votes, changed.out_of_set) == (3, "drop_utterance")
    assert corpus.chosen_rule({"label_rule": {"classes": ["no", "yes"]}}).classes == ("no", "yes")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("lenient", "no label_rule 'lenient' for Mine; there are: default, strict"),
        ({"min_vote": 2}, "no field 'min_vote'; it has: classes, merge"),
        ({"multi_tick": "all"}, "multi_tick is one of split, sum, first"),
        ({"classes": "yes"}, r"classes are a list of words like .*, not 'yes'"),
        ({"classes": ["yes", 1]}, r"classes are a list of words like .*, not \('yes', 1\)"),
        ({"classes": None}, "classes are a list of words like .*, not None"),
        ({"classes": ["yes", "no", " No"]}, "two or more different classes"),
        ({"merge": ["maybe", "no"]}, r"merge is a mapping of words like .*, not \['maybe', 'no'\]"),
        ({"merge": {"maybe": 1}}, r"merge is a mapping of words like .*, not \{'maybe': 1\}"),
        ({"min_votes": "2"}, "min_votes is a whole number, not '2'"),
        ({"min_votes": 2.0}, "min_votes is a whole number, not 2.0"),
        ({"min_votes": True}, "min_votes is a whole number, not True"),
    ],
)
def test_a_wrong_label_rule_is_a_sentence(asked, message):
    with pytest.raises(UserError, match=message):
        mine().chosen_rule({"label_rule": asked})


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        (
            "crema_d",
            {"classes": ["neutral", "happy", "angry", "sad"]},
            (
                "The label_rule names 'angry', but there is no 'angry' in CREMA-D; did you mean "
                "'anger'?"
            ),
        ),
        (
            "iemocap",
            {"merge": {"excitement": "happy"}},
            (
                "The label_rule names 'excitement', but there is no 'excitement' in IEMOCAP; did "
                "you mean 'excited'?"
            ),
        ),
        (
            "demo",
            {"classes": ["Happy", "sad"]},
            (
                "The label_rule names 'Happy', but there is no 'Happy' in The demo corpus; did you "
                "mean 'happy'?"
            ),
        ),
        (
            "msp_improv",
            {"classes": ["happy", "zzz"]},
            (
                "The label_rule names 'zzz', but there is no 'zzz' in MSP-IMPROV; there are: "
                "angry, happy, neutral, other, sad."
            ),
        ),
    ],
)
def test_a_word_that_no_vote_has_is_refused(name, asked, message):
    with pytest.raises(UserError) as refusal:
        get_corpus(name).chosen_rule({"label_rule": asked})
    assert str(refusal.value) == message


def test_other_and_what_is_merged_into_need_be_no_word_of_the_corpus():
    asked = {
        "classes": ["positive", "negative", "other"],
        "merge": {"happy": "positive", "sad": "negative", "anger": "negative"},
        "out_of_set": "other_class",
    }
    rule = get_corpus("crema_d").chosen_rule({"label_rule": asked})
    assert rule.classes == ("positive", "negative", "other")


def test_a_corpus_without_a_vocabulary_takes_any_word():
    assert mine().chosen_rule({"label_rule": {"classes": ["a", "b"]}}).classes == ("a", "b")


@pytest.mark.parametrize("corpus", all_corpora().values(), ids=lambda one: one.name)
def test_every_rule_of_a_corpus_is_in_its_words(corpus):
    assert corpus.vocabulary
    for name in ("default", *corpus.presets):
        corpus.chosen_rule({"label_rule": {"preset": name, "min_votes": 2}})


def test_silent_utterances_are_those_of_the_known_faults():
    assert get_corpus("crema_d").silent == {"1076_MTI_SAD_XX"}
    assert mine().silent == frozenset()


def test_a_corpus_of_another_package_is_found_by_its_entry_point(monkeypatch):
    point = SimpleNamespace(load=mine)
    monkeypatch.setattr(corpus_module, "entry_points", lambda **_: [point])
    corpus_module.all_corpora.cache_clear()
    try:
        assert get_corpus("mine").title == "Mine"
    finally:
        corpus_module.all_corpora.cache_clear()
