"""The references of a corpus: by hand, on the demo corpus, on IEMOCAP's format, on real votes."""

import contextlib
import csv
import io
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest

from ambi_tasks.corpora import get_corpus
from ambi_tasks.corpora.crema_d import read as read_crema_d
from ambi_tasks.corpora.iemocap import read as read_iemocap
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule
from ambi_tasks.statistics import intervals, reference_scores, resample
from tests.corpora.builders import CREMA_D_TABLE, Turn, write_iemocap

from .builders import utterance
from .simulated import mean_of

REFERENCES = ["uniform", "label_prior", "split_half", "fresh_panel"]
TWO = LabelRule(("happy", "sad"))
CORPUS = [
    utterance("a1", ["sad", "sad"], speaker="a"),
    utterance("a2", ["sad", "happy"], speaker="a"),
    utterance("b1", ["happy", "happy"], speaker="b"),
    utterance("b2", ["happy"], speaker="b"),
    utterance("b3", ["bored"], speaker="b"),
]


def test_by_hand():
    result = reference_scores(CORPUS, TWO, seed=0, repetitions=800)
    brier = {name: result.scores[name]["brier"].value for name in REFERENCES}

    # Soft labels (happy, sad): (0, 1), (1/2, 1/2), (1, 0). Prior of a: (1, 0); of b: (1/4, 3/4).
    assert brier["uniform"] == pytest.approx((0.5 + 0 + 0.5) / 3)
    assert brier["label_prior"] == pytest.approx((2 + 0.5 + 2 * 0.75**2) / 3)
    assert brier["split_half"] == pytest.approx((0 + 2 + 0) / 3)
    assert brier["fresh_panel"] == pytest.approx((0 + 0.25 + 0) / 3, abs=0.015)  # (1 - 1/2) / 2
    assert (result.utterances, result.speakers, result.annotators) == (3, 2, 2)
    assert (result.too_few_annotators, result.dropped) == (1, {"out_of_set": 1})
    assert result.summary() == (
        "3 utterances of 2 speakers, 2.00 annotators each on average; "
        "left out 2 (too_few_annotators: 1, out_of_set: 1)."
    )


def test_silent_utterances_are_left_out_and_counted():
    result = reference_scores(CORPUS, TWO, seed=0, repetitions=1, silent={"a1"})
    fewer = reference_scores(CORPUS[1:], TWO, seed=0, repetitions=1)
    assert result.scores == fewer.scores
    assert result.dropped == {"known_silent": 1, "out_of_set": 1}
    assert result.summary().endswith("(too_few_annotators: 1, known_silent: 1, out_of_set: 1).")


def test_intervals_resample_speakers():
    # Split-half Brier of speaker a: 0, 2; of b: 0. Resamples: aa 1, ab 2/3, bb 0.
    score = reference_scores(CORPUS, TWO, seed=0, repetitions=1).scores["split_half"]["brier"]

    assert (score.low, score.value, score.high) == pytest.approx((0, 2 / 3, 1))


def test_order_changes_nothing_and_the_seed_only_what_is_random():
    corpus = [
        utterance(f"u{number}", ["sad"] * (number % 5) + ["happy"] * 3, speaker=f"s{number % 3}")
        for number in range(12)
    ]
    settings = {"repetitions": 3, "resamples": 50}
    result = reference_scores(corpus, TWO, seed=1, **settings)
    random.Random(0).shuffle(corpus)
    other = reference_scores(corpus, TWO, seed=2, **settings)

    assert reference_scores(corpus, TWO, seed=1, **settings) == result
    for name in ("uniform", "label_prior"):
        assert other.scores[name]["js"].value == result.scores[name]["js"].value
        assert other.scores[name]["js"] != result.scores[name]["js"]
    for name in ("split_half", "fresh_panel"):
        assert other.scores[name]["js"].value != result.scores[name]["js"].value


def test_json_holds_everything():
    result = reference_scores(CORPUS, TWO, seed=3, repetitions=2, resamples=10)
    content = result.to_json()

    assert json.loads(json.dumps(content)) == content
    assert list(content["scores"]) == REFERENCES
    js = result.scores["split_half"]["js"]
    assert content["scores"]["split_half"]["js"] == {
        "value": js.value, "low": js.low, "high": js.high, "se": js.se
    }  # fmt: skip
    assert content["label_rule"]["classes"] == ["happy", "sad"]
    assert content["label_rule"]["multi_tick"] == "split"
    settings = ("repetitions", "resamples", "seed", "utterances", "too_few_annotators", "dropped")
    assert [content[name] for name in settings] == [2, 10, 3, 3, 1, {"out_of_set": 1}]


def test_markdown():
    lines = reference_scores(CORPUS, TWO, seed=0, repetitions=1).to_markdown().splitlines()

    assert lines[0] == "| metric | uniform | label_prior | split_half | fresh_panel |"
    assert lines[1] == "|---|--:|--:|--:|--:|"
    brier = next(line for line in lines if "brier" in line)
    # The uniform prediction: 1/2, 0 for speaker a, so 1/4; 1/2 for speaker b.
    assert brier.startswith("| brier, lower is better | 0.333 [0.250, 0.500] | ")
    assert any(line.startswith("| acc, higher is better | ") for line in lines)


@pytest.mark.parametrize(
    ("corpus", "settings", "message"),
    [
        (
            CORPUS[3:],
            {},
            (
                "No utterance has two annotators whose vote counts, so there is no agreement to "
                "measure (1 have one; 1 have no soft label)."
            ),
        ),
        (
            CORPUS[:2],
            {},
            (
                "All utterances with two annotators are of the speaker 'a', but the label prior "
                "and the intervals need two or more speakers."
            ),
        ),
        (CORPUS, {"seed": -1}, "The seed of reference scores is -1, but at least 0."),
        (CORPUS, {"repetitions": 0}, "The repetitions of reference scores is 0, but at least 1."),
        (CORPUS, {"resamples": 0}, "The resamples of reference scores is 0, but at least 1."),
    ],
)
def test_bad_input(corpus, settings, message):
    with pytest.raises(UserError) as refusal:
        reference_scores(corpus, TWO, **({"seed": 0} | settings))
    assert str(refusal.value) == message


def test_the_demo_corpus(monkeypatch):
    monkeypatch.delenv("DEMO_ROOT", raising=False)
    corpus = get_corpus("demo")
    result = reference_scores(corpus.read(corpus.root({})), corpus.label_rule, seed=0)
    js = {name: result.scores[name]["js"].value for name in REFERENCES}

    assert (result.utterances, result.speakers, result.too_few_annotators) == (60, 12, 0)
    assert js["fresh_panel"] < js["split_half"] < js["label_prior"]
    assert all(
        score.low <= score.value <= score.high
        for by_metric in result.scores.values()
        for score in by_metric.values()
    )


def test_several_ticks_in_iemocaps_files(tmp_path):
    turns = [
        # Two annotators inside the classes, (1/2, 1/2) and (1, 0) over angry and sad.
        Turn(
            "Ses01F_impro01_F000",
            [("E1", "Anger; Sadness;", "()"), ("E2", "Anger; Frustration;", "()")],
        ),
        # E3 lies outside the classes, and F1 is the actor.
        Turn(
            "Ses01F_impro01_M000",
            [
                ("E1", "Sadness;", "()"),
                ("E2", "Sadness;", "()"),
                ("E3", "Fear;", "()"),
                ("F1", "Anger;", "()"),
            ],
        ),
        Turn("Ses01F_impro01_M001", [("E1", "Anger;", "()"), ("E2", "Excited;", "()")]),
        Turn("Ses01F_impro01_M002", [("E1", "Surprise;", "()"), ("E2", "Excited;", "()")]),
    ]
    utterances = read_iemocap(write_iemocap(tmp_path, turns))
    result = reference_scores(utterances, get_corpus("iemocap").label_rule, seed=0, repetitions=5)

    assert (result.utterances, result.speakers) == (2, 2)
    assert (result.too_few_annotators, result.dropped) == (1, {"out_of_set": 1})
    assert result.scores["split_half"]["brier"].value == pytest.approx((0.5 + 0) / 2)
    assert result.scores["split_half"]["acc"].value == pytest.approx((0.75 + 1) / 2)


# --- the real votes of CREMA-D -------------------------------------------------------------------

_VARIABLE = "AMBI_TEST_CREMA_D"
_PAGE = Path(__file__).parents[2] / "docs" / "ceiling.md"


@pytest.fixture(scope="module")
def real_brier(real_root):
    rule = get_corpus("crema_d").label_rule
    result = reference_scores(read_crema_d(real_root), rule, seed=0, repetitions=20)
    assert result.utterances == 7442
    return {name: result.scores[name]["brier"] for name in REFERENCES}


@pytest.fixture(scope="module")
def real_votes(real_root):
    """Counts (7442, 6) and speakers (7442,), read without our reader."""
    with (real_root / CREMA_D_TABLE).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[""].startswith("1")]
    counts = np.array([[int(row[letter]) for letter in "ADFHNS"] for row in rows])
    return counts, np.array([row["fileName"][:4] for row in rows])


def test_real_briers_are_those_of_theory(real_votes, real_brier):
    counts, speakers = real_votes
    n = counts.sum(axis=1)
    p = counts / n[:, None]
    g = 1 - (p**2).sum(axis=1)
    prior = np.array([p[speakers != one].mean(axis=0) for one in speakers])
    expected = {
        "uniform": ((p - 1 / 6) ** 2).sum(axis=1),
        "label_prior": ((p - prior) ** 2).sum(axis=1),
        "split_half": g * n**2 / ((n // 2) * (n - n // 2) * (n - 1)),
        "fresh_panel": g / n,
    }
    for name, values in expected.items():
        drawn = resample([mean_of(values, speakers)], rng=np.random.default_rng(1))
        by_theory = intervals(drawn)["mean"]
        got = real_brier[name]
        assert got.value == pytest.approx(values.mean(), abs=0.001), name
        assert (got.low, got.high) == pytest.approx((by_theory.low, by_theory.high), abs=0.002), (
            name
        )


def test_the_page_shows_what_its_script_prints(real_root, monkeypatch):
    page = _PAGE.read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    monkeypatch.setenv("CREMA_D_ROOT", str(real_root))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(script, str(_PAGE), "exec"), {})
    summary, *table = printed.getvalue().strip().splitlines()

    assert summary in page
    shown = [
        line for line in page.splitlines() if re.match(r"\| \w+, (high|low)er is better", line)
    ]
    assert len(shown) == len(table) - 2
    for line, fresh in zip(shown, table[2:], strict=True):
        assert line.split("|")[1] == fresh.split("|")[1]
        # Another release of numpy may draw other numbers; the third decimal may then differ.
        np.testing.assert_allclose(_numbers(line), _numbers(fresh), rtol=0, atol=0.0021)


def _numbers(line):
    return [float(number) for number in re.findall(r"\d\.\d{3}", line)]
