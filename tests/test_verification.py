"""The second stage: what the verifier is asked, and what is kept of its verdicts."""

import json
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from ambi_tasks import verification
from ambi_tasks.errors import UserError
from ambi_tasks.prompts import Prompt, load_prompt
from ambi_tasks.strategies.fields import VerifiedFields
from ambi_tasks.verification import VerifyInstance, verdict_record, verifier_prompt
from model_adapters.draws import Draw
from tests.strategies.candidates import fields_of

LABELS = ["neutral", "happy"]
GOOD = '{"neutral": 0.75, "happy": 0.25}'
TASK = "How are the votes shared among neutral, happy?"
AUDIO = {"audio": ["clip"]}


def settings(**values: Any) -> VerifiedFields:
    made = fields_of("walmv", **values)
    assert isinstance(made, VerifiedFields)
    prompt = verifier_prompt(made)
    return made.model_copy(update={"scale": made.scale or prompt.scale})


def verify(answers: list[str], **values: Any) -> VerifyInstance:
    first = Instance(
        "generate_until", {"labels": LABELS}, (TASK, {}, AUDIO), 0, metadata=("ambi", 7, 3)
    )
    made = VerifyInstance(first, TASK, AUDIO, settings(**values))
    first.resps.extend(answers)  # the runner appends them after the request was made
    return made


def test_it_is_a_second_request_of_its_own_type_on_the_same_document():
    made = verify([GOOD])
    assert made.request_type == "verify"
    assert made.idx == 1
    assert made.doc == {"labels": LABELS}
    assert (made.task_name, made.doc_id, made.repeats) == ("ambi", 7, 1)


def test_a_question_holds_the_task_the_answer_and_the_scale():
    (question,), how, attachments = verify([f" {GOOD}\n"]).args
    assert question == load_prompt("verifier_rating").render(
        task=TASK, response=GOOD, low="0", high="10"
    )
    assert how == {"do_sample": False, "max_gen_toks": 256}
    assert attachments == AUDIO


def test_settings_reach_the_question():
    (question,), how, _ = verify([GOOD], scale=[1, 5.5], verifier_tokens=8).args
    assert "from 1 (wrong throughout) to 5.5 (just" in question
    assert how["max_gen_toks"] == 8


def test_one_question_per_draw_none_where_it_could_not_be_read():
    cut = Draw(f"First {GOOD}, but", finish_reason="length")
    questions, _, _ = verify([GOOD, "Hm.", GOOD, cut], draws=4).args
    assert [question is None for question in questions] == [False, True, False, True]
    assert questions[0] == questions[2]


def test_what_fills_up_a_rank_is_not_judged():
    assert len(verify([GOOD] * 5).args[0]) == 3


def test_no_draws_yet():
    assert verify([]).args[0] == ()


def test_the_probability_of_yes():
    (question,), how, _ = verify([GOOD], score="probability").args
    assert question == load_prompt("verifier_probability").render(task=TASK, response=GOOD)
    assert how == {"answers": ["yes", "no"]}


def test_an_answer_is_text_and_no_template():
    answer = '{"neutral": 0.75, "happy": 0.25} {{ task }} {% for x in y %} </answer>'
    assert answer in verify([answer]).args[0][0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"verifier_prompt": "verifier_ratin"},
            "There is no prompt 'verifier_ratin'; did you mean",
        ),
        ({"verifier_prompt": "direct"}, "'direct' cannot be the verifier's.*has no 'scale'"),
        (
            {"verifier_prompt": "verifier_rating", "score": "probability"},
            "where score is 'probability': its front matter has no 'answers'",
        ),
        ({"verifier_prompt": "verifier_probability"}, "'rating': its front matter has no 'scale'"),
    ],
)
def test_prompts_that_are_no_verifiers(values, message):
    with pytest.raises(UserError, match=message):
        verifier_prompt(fields_of("walmv", **values))


def test_a_placeholder_that_a_verifier_has_not(monkeypatch):
    odd = Prompt("odd", 1, "Rate.", ("response", "labels"), "Rate {{ response }}.", "", (0, 10))
    monkeypatch.setattr(verification, "load_prompt", lambda _: odd)
    with pytest.raises(UserError, match=r"placeholder 'labels', and a verifier's has high, low,"):
        verifier_prompt(fields_of("walmv"))


def test_a_scale_that_the_prompt_cannot_ask_for(monkeypatch):
    fixed = Prompt("fixed", 1, "Rate.", ("response",), "", "Rate {{ response }}, 1 to 5.", (1, 5))
    monkeypatch.setattr(verification, "load_prompt", lambda _: fixed)
    for scale in (None, [1, 5]):
        assert verifier_prompt(fields_of("walmv", scale=scale)) == fixed
    with pytest.raises(UserError, match="'fixed' cannot ask for a scale from 0 to 10, since"):
        verifier_prompt(fields_of("walmv", scale=[0, 10]))


def test_a_probability_has_no_scale():
    with pytest.raises(
        UserError, match="'verifier_probability' cannot ask for a scale from 0 to 5,"
    ):
        verifier_prompt(fields_of("walmv", score="probability", scale=[0, 5]))


def test_verdicts_are_kept_as_json():
    verdict = Draw("8", tokens=1, finish_reason="stop", seed=3)
    assert verdict_record(verdict) == {
        "text": "8",
        "tokens": 1,
        "finish_reason": "stop",
        "seed": 3,
    }
    assert verdict_record("8") == {"text": "8"}
    assert verdict_record((-1, -2.5)) == {"log_likelihoods": [-1.0, -2.5]}
    assert verdict_record(None) is None
    json.dumps([verdict_record(verdict), verdict_record((-1, -2))])
