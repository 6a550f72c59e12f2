"""Reading a draw: the text decides, the evidence comes along where the adapter gives it."""

import json
from types import MappingProxyType

import pytest

from ambi_tasks.prediction import Candidate, draw_record, read_draw, was_cut

LABELS = ("neutral", "happy")
ANSWER = '{"happy": 0.75, "neutral": 0.25}'
EVIDENCE = {
    "draw_index": 3,
    "seed": 17,
    "log_likelihood": -4.5,
    "sampling_log_likelihood": -2.5,
    "tokens": 21,
    "finish_reason": "stop",
    "clip_sha256": "ab12",
}


class SpeakingDraw(str):  # slots would be refused: a str is of variable size
    """What an adapter may hand on: a string that carries its evidence, and more."""

    def __new__(cls, text, **evidence):
        draw = super().__new__(cls, text)
        vars(draw).update(evidence)
        return draw


def test_a_plain_string():
    record = draw_record(ANSWER)
    assert record == {"text": ANSWER}
    assert read_draw(record, LABELS) == Candidate((0.25, 0.75))


def test_a_string_with_evidence():
    record = draw_record(SpeakingDraw(ANSWER, **EVIDENCE, cache=object()))
    assert record == {"text": ANSWER, **EVIDENCE}
    candidate = read_draw(record, LABELS)
    assert candidate == Candidate((0.25, 0.75), log_likelihood=-4.5, tokens=21)


def test_some_evidence():
    record = draw_record(SpeakingDraw(ANSWER, seed=17))
    assert record == {"text": ANSWER, "seed": 17}
    assert read_draw(record, LABELS).log_likelihood is None


@pytest.mark.parametrize(
    ("text", "failure"),
    [("", "empty"), ('{"happy": 0.75, "neu', "truncated"), ("Hm.", "no_object")],
)
def test_an_answer_that_cannot_be_read(text, failure):
    candidate = read_draw({"text": text, "log_likelihood": -1.0}, LABELS)
    assert candidate == Candidate(None, failure, log_likelihood=-1.0)


def test_liberties_are_recorded_by_name():
    candidate = read_draw({"text": "{'happy': '75%', 'neutral': '25%'}"}, LABELS)
    assert candidate.distribution == (0.25, 0.75)
    assert set(candidate.repairs) == {"python_dict", "quoted_number", "percent"}


@pytest.mark.parametrize("text", [ANSWER, "", "{'happy': 1}"])
def test_records_are_plain_json(text):
    record = draw_record(SpeakingDraw(text, **EVIDENCE))
    read_back = json.loads(json.dumps(record))
    assert read_back == record
    assert type(record["text"]) is str
    assert read_draw(read_back, LABELS) == read_draw(record, LABELS)
    assert all(type(name) is str for name in read_draw(record, LABELS).repairs)


def test_any_mapping_is_a_record():
    assert read_draw(MappingProxyType({"text": ANSWER}), LABELS).distribution == (0.25, 0.75)


@pytest.mark.parametrize(
    ("record", "cut"),
    [({}, False), ({"finish_reason": "stop"}, False), ({"finish_reason": "length"}, True)],
)
def test_cut(record, cut):
    assert was_cut({"text": "", **record}) is cut


@pytest.mark.parametrize("labels", [("愤怒", "高兴"), ("fröhlich", "wütend"), ("ärger", "Straße")])
def test_labels_of_any_language(labels):
    text = json.dumps(dict(zip(labels, (0.75, 0.25), strict=True)), ensure_ascii=False)
    assert read_draw({"text": text}, labels).distribution == (0.75, 0.25)
    escaped = json.dumps(dict(zip(labels, (0.75, 0.25), strict=True)))
    assert read_draw({"text": escaped}, labels).distribution == (0.75, 0.25)
