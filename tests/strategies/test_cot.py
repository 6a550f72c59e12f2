"""`cot`: one answer that reasons first; the reasoning is never taken for the answer."""

import pytest

from ambi_tasks.prediction import Candidate, read_draw
from tests.strategies.candidates import fields_of, predict

LABELS = ("neutral", "happy", "sad")
FINAL = '{"neutral": 0.5, "happy": 0.3, "sad": 0.2}'
DRAFT = '{"neutral": 0, "happy": 1, "sad": 0}'


def answered(text: str, finish_reason: str = "stop") -> Candidate:
    return read_draw({"text": text, "finish_reason": finish_reason}, LABELS)


def test_one_greedy_answer_to_a_prompt_that_reasons():
    fields = fields_of("cot")
    assert (fields.mode, fields.pool, fields.prompt) == ("greedy", 1, "cot")


def test_the_answer_is_the_prediction():
    prediction = predict("cot", [answered(f"The pitch is level.\n{FINAL}")])
    assert prediction.distribution == pytest.approx((0.5, 0.3, 0.2))


@pytest.mark.parametrize(
    "reasoning",
    [
        "The pitch is high, so happy: 0.9, or sad: 0.1?\n",
        f"At first I thought {DRAFT}, but the pace is slow.\n",
        f"<think>{DRAFT}</think>",
        f"Pitch: {{high}}. Draft:\n```json\n{DRAFT}\n```\nFinal:\n",
        "1. Pitch: 220 Hz\n2. Pace: 4 syllables\n3. happy (70%)\n\n",
        "The label is happy. [laughs] ",
    ],
)
def test_the_last_object_counts_and_not_the_reasoning(reasoning):
    assert answered(reasoning + FINAL).distribution == (0.5, 0.3, 0.2)


@pytest.mark.parametrize("cut_after", range(len(FINAL)))
@pytest.mark.parametrize(
    "reasoning",
    ["The pitch is high: happy.\n", f"At first {DRAFT}, but the pace is slow.\n"],
    ids=["label", "object"],
)
def test_an_answer_cut_by_the_limit_fails_by_name(reasoning, cut_after):
    candidate = answered(reasoning + FINAL[:cut_after], "length")
    assert candidate.distribution is None
    assert candidate.failure in ("truncated", "no_object")


@pytest.mark.parametrize(
    "text",
    [
        f"At first {DRAFT}, but then the pace",
        f"At first\n```json\n{DRAFT}\n```\nbut then",
        f"{DRAFT} would be wrong, {DRAFT} too, since",
        f"<think>Hm.</think>At first {DRAFT}, but",
        "neutral: 0.5\nhappy: 0.3\nsad: 0.1",  # of 0.15, perhaps
        f"At first {DRAFT}, but neutral: 0.5\nhappy: 0.3\nsad: 0.2",
    ],
)
def test_what_a_cut_answer_may_not_have_meant_is_truncated(text):
    candidate = answered(text, "length")
    assert (candidate.distribution, candidate.failure) == (None, "truncated")
    assert candidate.repairs == ()
    assert answered(text).distribution is not None


@pytest.mark.parametrize(
    "text",
    [
        FINAL,
        f"The pitch is level.\n{FINAL}",
        f"The pitch is level.\n```json\n{FINAL}\n```\n",
        f"{FINAL}\nThe pitch is level, and",
        f"```json\n{FINAL}\n```\nThe pitch is level, and",
        f"<think>{DRAFT}</think>\n{FINAL}\nThe pitch is",
    ],
)
def test_an_object_at_an_end_of_a_cut_answer_is_the_answer(text):
    assert answered(text, "length").distribution == (0.5, 0.3, 0.2)


def test_reasoning_that_never_ends():
    assert answered(f"<think>At first {DRAFT}, but", "length").failure == "unfinished_reasoning"
