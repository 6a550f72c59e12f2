"""`ambi_tasks.leaderboard.validation`: every fault is said, with file and place."""

import json
from typing import get_args

import numpy as np
import pytest

from ambi_tasks.corpora.corpus import get_corpus
from ambi_tasks.doctor.record import HEARING, Verdict
from ambi_tasks.leaderboard.entry import run_of
from ambi_tasks.leaderboard.making import make_submitter
from ambi_tasks.leaderboard.predictions import COUNTS, Predictions, predictions_to_csv
from ambi_tasks.leaderboard.reading import ANSWERS, PREDICTIONS, read_submission
from ambi_tasks.leaderboard.references import reference_submissions
from ambi_tasks.leaderboard.scores import point_scores
from ambi_tasks.leaderboard.submission import DoctorRecord
from ambi_tasks.leaderboard.truth import find_truth
from ambi_tasks.leaderboard.validation import examine
from ambi_tasks.leaderboard.writing import write_submission
from tests.leaderboard.tampering import (
    change_rows,
    content_of,
    edit,
    faults,
    packed,
    put_table,
    rows_of,
    warnings,
)

WHERE = "Example-Lab__Scripted-1B/demo/walmv"


def truth_of(entry):
    return find_truth(read_submission(entry).submission.corpus)


def predict(entry, distributions):
    """Let every clip have one answer, with these distributions, and score it anew."""
    for field in ("answers", "strata", "curve"):
        edit(entry, field, {"answers": None, "strata": {}, "curve": []}[field])
    (entry / ANSWERS).unlink(missing_ok=True)
    truth = truth_of(entry)
    ones = np.ones(len(truth.ids), dtype=np.int64)
    counts = dict(zip(COUNTS, (4 * ones, 4 * ones, 4 * ones, 4 * ones), strict=True))
    predictions = Predictions(truth.ids, distributions, counts)
    put_table(entry, predictions_to_csv(predictions, truth.rule.classes))
    total = 4 * len(truth.ids)
    edit(
        entry,
        "parsing",
        {
            "answered": len(truth.ids),
            **dict.fromkeys(("draws", "parsed", "verdicts", "verified"), total),
        },
    )
    examined = read_submission(entry)
    run = run_of("x", examined.predictions, truth)
    found = point_scores(run).items()
    scores = {name: {"value": None if np.isnan(value) else value} for name, value in found}
    edit(entry, "scores", scores)


def test_an_honest_submission_has_no_fault(entry):
    assert faults(entry) == []
    assert [one.partition(": ")[2] for one in warnings(entry)] == [
        "doctor: nobody examined whether the model hears: run `ambi doctor` before it."
    ]


def test_names_may_be_as_long_as_the_schema_lets_them(entry):
    edit(entry, "model.organization", "O" * 96)
    edit(entry, "model.name", "M" * 96)
    there = entry.parents[2] / f"{'O' * 96}__{'M' * 96}" / "demo"
    there.mkdir(parents=True)
    assert faults(entry.rename(there / "walmv")) == []


CHANGES = {
    "another score": ("scores.js.value", 0.0123, "scores.js: is 0.0123, but 0."),
    "a score of a stratum": ("strata.low.js.value", 0.5, "strata.low.js: is 0.5, but 0."),
    "an unknown metric": ("scores.fame", {"value": 1.0}, "scores.fame: there is no such metric"),
    "a score out of bounds": ("scores.acc.value", 1.5, "scores.acc: 1.5 is outside 0 to 1"),
    "an interval the wrong way": ("scores.acc.low", 99.0, "scores.acc: the interval ends before"),
    "an interval out of bounds": ("scores.js.low", -1e15, "scores.js: the interval is far outside"),
    "an error out of bounds": (
        "scores.js.se",
        1e15,
        "scores.js: the standard error 1e+15",
    ),
    "a run after its submission": (
        "evaluated",
        "9999-12-31",
        "evaluated: is 9999-12-31, after",
    ),
    "an unknown corpus": ("corpus.name", "table", "corpus.name: the board has no corpus 'table'"),
    "utterances left out": (
        "corpus.dropped",
        {"no_votes": 9},
        "corpus.dropped: is not what the votes",
    ),
    "an unknown option": ("corpus.options", {"a": "b"}, "corpus.options: the demo corpus has no"),
    "another rule": ("corpus.label_rule.min_votes", 3, "corpus.label_rule: the label rule is none"),
    "other votes": ("corpus.manifest_sha256", "0" * 64, "corpus.manifest_sha256: is not the hash"),
    "fewer utterances": ("corpus.utterances", 59, "holds 60 utterances, but corpus.utterances"),
    "an unknown strategy": ("strategy.name", "almx", "strategy.name: "),
    "an unknown field": ("strategy.fields.luck", 1, "strategy.fields: "),
    "a bad field": ("strategy.fields.draws", 0, "strategy.fields: "),
    "more draws": ("strategy.fields.draws", 5, "60 utterances, as demo_001, have not the 5 draws"),
    "another prompt": (
        "prompts.0.sha256",
        "1" * 64,
        "prompts.0.sha256: is not the hash of version 1",
    ),
    "more answered": ("parsing.answered", 61, "parsing.answered: is 61, but "),
    "more parsed": ("parsing.parsed", 1, "parsing.parsed: is 1, but "),
    "other failures": ("parsing.failures", {"no_json": 1}, "parsing.failures: add up to 1, but "),
    "trained on votes": ("training.frozen", False, "training.frozen: input should be True"),
    "a field too many": ("model.fame", 1, "model.fame: extra inputs are not permitted"),
    "another version": ("schema_version", 99, "schema_version: input should be 1"),
    "no kind": ("kind", "gift", "input tag 'gift'"),
    "a fraction of a parameter": ("model.parameters", 1.5, "model.parameters: "),
    "a number as text": ("scores.js.value", "0.5", "scores.js.value: "),
    "a long name": ("model.name", "a" * 97, "model.name: string should have at most 96"),
}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_changed_field_is_named(entry, change):
    place, value, message = CHANGES[change]
    if place.startswith("prompts."):
        edit(entry, "prompts", [{**content_of(entry)["prompts"][0], "sha256": value}])
    else:
        edit(entry, place, value)
    found = faults(entry)
    assert any(message in one and one.startswith(WHERE) for one in found), found


def test_all_faults_are_said_at_once(entry):
    edit(entry, "model.parameters", -5)
    edit(entry, "submitter.contact", "<b>")
    edit(entry, "corpus.manifest_sha256", "x")
    places = [one.split(": ")[1] for one in faults(entry)]
    assert places == [
        "model.corpus.manifest_sha256",
        "model.submitter.contact",
        "model.model.parameters",
    ]


def swap(lines):
    """Give two clips each other's predictions."""
    first, second = (line.split(",") for line in lines[1:3])
    return [
        lines[0],
        ",".join(first[:1] + second[1:]),
        ",".join(second[:1] + first[1:]),
        *lines[3:],
    ]


ROWS = {
    "a missing utterance": (
        lambda lines: lines[:-1],
        "holds 59 utterances, but submission.json says 60",
    ),
    "an unknown utterance": (
        lambda lines: [*lines[:-1], lines[-1].replace("demo_060", "demo_061")],
        "lacks 1 utterances, as demo_060",
    ),
    "a doubled utterance": (
        lambda lines: [*lines, lines[-1]],
        "line 62: the utterance 'demo_060' is there twice",
    ),
    "unsorted": (
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        "line 3: the utterance 'demo_001' stands behind",
    ),
    "another header": (
        lambda lines: [lines[0].replace("p_sad", "p_glad"), *lines[1:]],
        "line 1: is 'id,draws",
    ),
    "classes in another order": (
        lambda lines: [lines[0].replace("p_neutral,p_happy", "p_happy,p_neutral"), *lines[1:]],
        "line 1: is 'id,draws",
    ),
    "a column too many": (
        lambda lines: [*lines[:5], lines[5] + ",0.0", *lines[6:]],
        "line 6: has 10 values",
    ),
    "nothing": (lambda _: [], "line 1: is ''"),
    "a header alone": (lambda lines: lines[:1], "holds no utterance"),
    "swapped predictions": (
        swap,
        "answers.jsonl.gz: line 1: the answers do not give the prediction",
    ),
}


@pytest.mark.parametrize("change", ROWS, ids=str)
def test_a_changed_table_is_named_with_its_line(entry, change):
    how, message = ROWS[change]
    change_rows(entry, how)
    found = faults(entry)
    assert any(f"{WHERE}/" in one and message in one for one in found), found


def test_a_table_under_another_hash(entry):
    table = packed(b"id\n")
    (entry / PREDICTIONS).write_bytes(table)
    assert "has the sha256" in faults(entry)[0]


def test_answers_that_say_something_else(entry):
    def improve(lines):
        first = json.loads(lines[0])
        for draw in first["draws"]:
            draw["text"] = '{"neutral": 1, "happy": 0, "angry": 0, "sad": 0}'
        return [json.dumps(first), *lines[1:]]

    change_rows(entry, improve, ANSWERS)
    assert any("line 1: the answers do not give the prediction" in one for one in faults(entry))


def test_answers_that_could_be_there_are_missed(entry):
    edit(entry, "answers", None)
    (entry / ANSWERS).unlink()
    assert faults(entry) == []
    assert any("answers: there are none, though the corpus's lic" in one for one in warnings(entry))


def test_unanswered_clips_count_as_uniform(entry):
    unanswered = [n for n, line in enumerate(rows_of(entry)) if line.split(",")[2] == "0"]
    assert not unanswered  # with four draws each, some answer could be read

    def pretend(lines):
        parts = lines[1].split(",")
        return [lines[0], ",".join([parts[0], parts[1], "0", "0", "0", *parts[5:]]), *lines[2:]]

    change_rows(entry, pretend)
    assert any("1 utterances without an answer are not uniform" in one for one in faults(entry))


def test_predictions_that_are_the_votes_are_refused(entry):
    predict(entry, truth_of(entry).soft_labels)
    assert any("predicts the votes exactly for 100% of the clips" in one for one in faults(entry))


def test_some_votes_among_predictions_are_pointed_at(entry):
    truth = truth_of(entry)
    mixed = np.flatnonzero(truth.strata != "unanimous")
    own = np.random.default_rng(1).dirichlet(np.ones(4), size=len(truth.ids))
    own[mixed[::4]] = truth.soft_labels[mixed[::4]]
    predict(entry, own)
    assert faults(entry) == []
    assert any("predicts the votes exactly for 2" in one for one in warnings(entry))


def test_blurred_votes_are_pointed_at(entry):
    truth = truth_of(entry)
    blurred = 0.95 * truth.soft_labels + 0.05 / 4
    predict(entry, blurred)
    assert faults(entry) == []
    assert any("nearer to the votes than new annotators would be" in one for one in warnings(entry))


def test_one_answer_for_all_is_pointed_at(entry):
    predict(entry, np.tile([0.7, 0.1, 0.1, 0.1], (60, 1)))
    assert faults(entry) == []
    assert any("60 of 60 clips have one and the same prediction" in one for one in warnings(entry))


def test_the_label_prior_is_pointed_at(entry):
    truth = truth_of(entry)
    predict(entry, np.tile(truth.soft_labels.mean(axis=0), (60, 1)))
    assert any("predicts the label prior for every clip" in one for one in warnings(entry))


HEARS = {"hears_silence": "ok", "hears_noise": "ok", "repeats": "ok"}


def examined(entry, verdict, **checks):
    record = {"verdict": verdict, "examined": "2026-01-01T00:00:00+00:00", "version": "1"}
    edit(entry, "doctor", {**record, "checks": HEARS | checks})


@pytest.mark.parametrize(
    ("verdict", "checks", "message"),
    [
        ("deaf", {"hears_silence": "fail"}, "doctor.verdict: the model does not hear the clips"),
        ("healthy", {"hears_silence": "fail"}, "is 'healthy', but checks fail: hears_silence"),
        ("fails", {}, "is 'fails', but no check is"),
        ("healthy", {"repeats": "warning"}, "is 'healthy', but 'warnings' by its checks"),
        ("warnings", {}, "is 'warnings', but 'healthy' by its checks"),
        ("fails", dict.fromkeys(HEARING, "fail"), "the model does not hear the clips"),
        ("fine", {}, "doctor.verdict: input should be 'healthy'"),
        ("healthy", {"repeats": "perhaps"}, "doctor.checks.repeats: input should be 'ok'"),
    ],
)
def test_the_doctor_is_heard(entry, verdict, checks, message):
    examined(entry, verdict, **checks)
    assert any(message in one for one in faults(entry)), faults(entry)


def test_what_a_person_should_judge_of_an_examination(entry):
    examined(entry, "healthy")
    assert faults(entry) == warnings(entry) == []
    examined(entry, "warnings", label_order="warning")
    assert faults(entry) == warnings(entry) == []
    examined(entry, "fails", repeats="fail")
    assert faults(entry) == []
    assert ["the model fails checks: repeats" in one for one in warnings(entry)] == [True]


def test_an_examination_without_hearing_is_none(entry):
    edit(entry, "doctor", {"verdict": "healthy", "examined": "x", "version": "1", "checks": {}})
    assert any("doctor.checks: there is none of its hearing" in one for one in faults(entry))


def test_verdicts_are_those_of_the_doctor():
    field = DoctorRecord.model_fields["verdict"]
    assert set(get_args(field.annotation)) == set(get_args(Verdict))


def test_without_votes_an_entry_is_self_reported(entry, monkeypatch):
    corpus = get_corpus("demo")
    monkeypatch.setattr(type(corpus), "has_copy", lambda *_: False)
    edit(entry, "scores.js.value", 0.0123)  # nobody can tell
    examined = examine(read_submission(entry))
    assert examined.entry.status == "self-reported"
    assert examined.entry.run is None
    assert any(
        "self-reported: no votes of The demo corpus are at hand" in one for one in warnings(entry)
    )


def test_without_votes_the_utterances_are_checked_by_the_manifest(entry, monkeypatch):
    corpus = get_corpus("demo")
    monkeypatch.setattr(type(corpus), "has_copy", lambda *_: False)
    change_rows(entry, lambda lines: [*lines[:-1], lines[-1].replace("demo_060", "demo_061")])
    assert any("does not predict the 60 utterances of the corpus" in one for one in faults(entry))
    edit(entry, "corpus.manifest_sha256", "0" * 64)
    assert any("corpus.manifest_sha256: is not the hash" in one for one in faults(entry))


def test_a_verdict_is_the_same_twice_and_by_another_name_of_the_folder(entry, monkeypatch):
    first = [str(one) for one in examine(read_submission(entry)).findings]
    monkeypatch.chdir(entry.parent)
    second = [
        str(one) for one in examine(read_submission(entry.relative_to(entry.parent))).findings
    ]
    assert first == second


def test_a_false_reference_is_refused(tmp_path):
    submitter = make_submitter(name="Jane Doe", contact="jane@example.org")
    folders = {
        submission.reference: write_submission(tmp_path, submission, tables)
        for submission, tables in reference_submissions("demo", submitter, {})
    }
    for folder in folders.values():
        assert faults(folder) == []
        assert warnings(folder) == []
    edit(folders["split_half"], "scores.js.value", 0.05)
    assert any("scores.js: is 0.05, but 0." in one for one in faults(folders["split_half"]))
    change_rows(
        folders["uniform"], lambda lines: [line.replace("0.25,0.25", "0.2,0.3") for line in lines]
    )
    assert any("is not what 'uniform' predicts" in one for one in faults(folders["uniform"]))


def test_a_key_is_refused_wherever_it_stands(entry):
    edit(entry, "training.note", "Ask me with sk-" + "a1b2" * 10)
    found = faults(entry)
    assert any("holds a key of OpenAI or Anthropic: revoke it" in one for one in found)
    assert "a1b2" not in "".join(found)


def test_a_curve_is_of_metrics_that_there_are_and_within_their_bounds(entry):
    edit(entry, "curve", [{"metric": "no_such", "draws": 1, "score": 0.5}])
    assert "there is no metric 'no_such'" in faults(entry)[0]
    edit(entry, "curve", [{"metric": "js", "draws": 1, "score": 1.5}])
    assert "1.5 is outside 0 to 1" in faults(entry)[0]


def test_a_curve_ends_at_the_score_of_all_draws(entry):
    js = content_of(entry)["scores"]["js"]["value"]
    first, last = {"metric": "js", "draws": 1, "score": 0.5}, {"metric": "js", "draws": 4}
    edit(entry, "curve", [first, {**last, "score": js}])
    assert faults(entry) == []
    edit(entry, "curve", [first, {**last, "score": js - 0.1}])
    assert "curve.js: is 0." in faults(entry)[0]
    for wrong in ([first, first], [first, {**last, "draws": 5, "score": js}]):
        edit(entry, "curve", wrong)
        assert "curve.1.draws: " in faults(entry)[0]


def test_prompts_are_those_of_the_strategy_and_of_known_versions(entry):
    prompts = content_of(entry)["prompts"]
    edit(entry, "prompts", [{**prompts[0], "version": 99, "sha256": "0" * 64}, prompts[1]])
    assert faults(entry) == []
    assert any("prompts.0.version: is 99, but the hash of" in one for one in warnings(entry))
    edit(entry, "prompts", [{**prompts[0], "id": "direct_v2"}, prompts[1]])
    assert any("is 'direct_v2', but the strategy has 'direct'" in one for one in faults(entry))
