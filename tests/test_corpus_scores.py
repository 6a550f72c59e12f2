"""Scores of all utterances together, as aggregations of the harness."""

import json
import pickle

import numpy as np
import pytest
from lm_eval.api.metrics import stderr_for_metric

from ambi_tasks.corpus_scores import CorpusError, CorpusScore, Pair, corpus_aggregations
from ambi_tasks.metrics import all_metrics, get_metric

LABELS = ["neutral", "happy", "angry"]
CORPUS = [one for one in all_metrics().values() if one.level == "corpus"]

each = pytest.mark.parametrize("metric", CORPUS, ids=lambda metric: metric.name)


def pairs(utterances=60, speakers=12, seed=0):
    rng = np.random.default_rng(seed)
    opinion = rng.dirichlet(np.ones(3), size=utterances)
    truth = np.array([rng.multinomial(7, p) for p in opinion]) / 7
    prediction = (opinion + rng.dirichlet(np.ones(3), size=utterances)) / 2
    return [
        Pair(f"u{number:03}", f"s{number % speakers}", LABELS, p, q)
        for number, (p, q) in enumerate(zip(truth.tolist(), prediction.tolist(), strict=True))
    ]


def arrays(made):
    return [one.truth for one in made], [one.prediction for one in made]


@each
def test_the_score_is_the_function_of_all(metric):
    made = pairs()

    assert CorpusScore(metric)(made) == pytest.approx(metric.function(*arrays(made)), abs=1e-12)


@each
def test_the_order_changes_not_even_the_last_digit(metric):
    made = pairs()
    shuffled = [made[k] for k in np.random.default_rng(1).permutation(len(made))]
    for name in (metric.name, f"{metric.name}_se"):
        aggregate = corpus_aggregations({"m": metric})[name]
        assert aggregate(made) == aggregate(shuffled)


@each
def test_the_standard_error_is_that_of_resampled_speakers(metric):
    made = pairs(240, speakers=40)
    by_speaker = [made[number::40] for number in range(40)]
    rng = np.random.default_rng(7)
    values = []
    for _ in range(1000):
        again = [one for k in rng.integers(40, size=40) for one in by_speaker[k]]
        values.append(metric.function(*arrays(again)))

    plain = np.std(values, ddof=1) * np.sqrt(40 / 39)
    assert CorpusError(metric)(made) == pytest.approx(plain, rel=0.12)


@each
def test_one_speaker_has_no_standard_error(metric):
    assert CorpusError(metric)(pairs(5, speakers=1)) == "N/A"
    assert np.isfinite(CorpusScore(metric)(pairs(1)))


@each
def test_options_in_force_count(metric):
    if not metric.options:
        return
    made = [Pair(f"u{n}", f"s{n}", LABELS, [0.6, 0.3, 0.1], [0.5, 0.5, 0]) for n in range(3)]
    other = {"ece": {"correctness": "hard"}}.get(metric.name, {"ties": "first"})

    assert CorpusScore(metric.choose(other))(made) == metric.function(*arrays(made), **other)
    assert CorpusScore(metric.choose(other))(made) != CorpusScore(metric)(made)


def test_the_harness_prints_no_error_of_its_own_for_them():
    for aggregate in corpus_aggregations(all_metrics()).values():
        assert stderr_for_metric(aggregate, bootstrap_iters=100) is None


def test_corpus_metrics_alone_are_aggregated_so():
    names = set(corpus_aggregations(all_metrics()))

    assert names == {one.name + end for one in CORPUS for end in ("", "_se")}
    assert corpus_aggregations({"js": get_metric("js")}) == {}


def test_a_pair_travels_between_processes_once():
    (one,) = pairs(1)
    sent = pickle.dumps({name: [one] for name in "abcdefgh"})
    found = pickle.loads(sent)

    assert len({id(values[0]) for values in found.values()}) == 1
    assert vars(found["a"][0]) == vars(one)
    assert len(sent) < 2 * len(pickle.dumps(one))


def test_a_pair_is_a_word_in_a_log():
    (one,) = pairs(1)

    assert json.dumps({"ece": one}) == '{"ece": "doc"}'
