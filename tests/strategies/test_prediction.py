"""Reading a draw: the text decides, the evidence comes along where the adapter gives it."""

import json

import pytest

from ambi_tasks.prediction import Candidate, read_candidate

LABELS = ("neutral", "happy")
ANSWER = '{"happy": 0.75, "neutral": 0.25}'


class SpeakingDraw(str):  # slots would be refused: a str is of variable size
    """What an adapter may hand on: a string that carries its evidence, and more."""

    def __new__(cls, text, **evidence):
        draw = super().__new__(cls, text)
        vars(draw).update(evidence)
        return draw


def test_a_plain_string():
    candidate = read_candidate(ANSWER, LABELS)
    assert candidate == Candidate(distribution=(0.25, 0.75), evidence={})
    assert candidate.record() == {"distribution": (0.25, 0.75), "failure": None, "repairs": []}


def test_a_string_with_evidence():
    evidence = {
        "draw_index": 3,
        "seed": 17,
        "log_likelihood": -4.5,
        "tokens": 21,
        "finish_reason": "stop",
        "clip_sha256": "ab12",
    }
    candidate = read_candidate(SpeakingDraw(ANSWER, **evidence, cache=object()), LABELS)
    assert candidate.distribution == (0.25, 0.75)
    assert candidate.log_likelihood == -4.5
    assert candidate.record() == {
        "distribution": (0.25, 0.75),
        "failure": None,
        "repairs": [],
        **evidence,
    }


def test_some_evidence():
    candidate = read_candidate(SpeakingDraw(ANSWER, seed=17), LABELS)
    assert candidate.log_likelihood is None
    assert candidate.evidence == {"seed": 17}


@pytest.mark.parametrize(
    ("text", "failure"),
    [("", "empty"), ('{"happy": 0.75, "neu', "truncated"), ("Hm.", "no_object")],
)
def test_an_answer_that_cannot_be_read(text, failure):
    candidate = read_candidate(SpeakingDraw(text, seed=17), LABELS)
    assert candidate.distribution is None
    assert candidate.failure == failure
    assert candidate.record()["failure"] == failure
    assert candidate.record()["seed"] == 17


def test_liberties_are_recorded_by_name():
    candidate = read_candidate("{'happy': '75%', 'neutral': '25%'}", LABELS)
    assert candidate.distribution == (0.25, 0.75)
    assert set(candidate.repairs) == {"python_dict", "quoted_number", "percent"}


@pytest.mark.parametrize("text", [ANSWER, "", "{'happy': 1}"])
def test_records_are_plain_json(text):
    record = read_candidate(SpeakingDraw(text, seed=17, log_likelihood=-1.0), LABELS).record()
    read_back = json.loads(json.dumps(record))
    assert read_back["failure"] == record["failure"]
    assert read_back["repairs"] == record["repairs"]
    assert all(type(name) is str for name in record["repairs"])
