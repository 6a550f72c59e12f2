"""The verifier's questions and the scoring of given answers, through scripted backends."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from ambi_tasks.audio import AudioArgument, Clip
from ambi_tasks.errors import UserError
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import Backend, Capabilities, Conversation, DrawOrder
from model_adapters.harness import model_class
from model_adapters.huggingface import HuggingFaceBackend
from model_adapters.scripted import ScriptedBackend
from tests.adapters.test_audio_lm import GREEDY, SAMPLED, clone, numbered, request

RATING = {"do_sample": False, "max_gen_toks": 9}
YES_OR_NO = {"answers": ["yes", "no"]}


def question(
    clip: Clip, how: dict[str, Any], *texts: str | None
) -> SimpleNamespace:  # as `ambi_tasks.verification.VerifyInstance` has them
    return SimpleNamespace(args=(texts, how, {"audio": [AudioArgument(path=clip.path)]}))


def rated(order: DrawOrder, index: int) -> str:
    del index
    return str(len(order.conversation[-1].text))


def likelihood(conversation: Conversation, answer: str) -> float:
    return -float(len(conversation[-1].text) * len(answer))


def read_out(clip: Clip, label: str, text: str = "ask") -> Instance:
    return Instance(
        "loglikelihood", {}, (text, label, {"audio": [AudioArgument(path=clip.path)]}), 0
    )


def test_verdicts_are_aligned_to_the_questions(clips: list[Clip]) -> None:
    backend = ScriptedBackend(rated)
    asked = [
        question(clips[0], RATING, "a", None, "abc"),
        question(clips[1], RATING, None),
        question(clips[1], RATING, "ab"),
    ]
    assert AudioLM(backend).verify(asked, disable_tqdm=True) == [["1", None, "3"], [None], ["2"]]  # type: ignore[arg-type]
    heard = [order.conversation[0].clips for order in backend.orders]
    assert heard == [(clips[0],), (clips[0],), (clips[1],)]
    assert {order.decoding.do_sample for order in backend.orders} == {False}


def test_equal_questions_are_asked_once(clips: list[Clip]) -> None:
    backend = ScriptedBackend(rated)
    model = AudioLM(backend)
    asked = [question(clips[0], RATING, "a", "a"), question(clips[0], RATING, "a", "ab")]
    assert model.verify(asked, disable_tqdm=True) == [["1", "1"], ["1", "2"]]  # type: ignore[arg-type]
    assert len(backend.orders) == 2
    counts = {"asked": 4, "shared": 2, "stored": 0, "drawn": 2, "tokens": 2}
    recorded = model.get_model_info()["verdicts"]
    assert recorded.pop("seconds") >= 0
    assert recorded == counts
    assert "draws" not in model.get_model_info()


def test_no_question_asks_nothing(clips: list[Clip]) -> None:
    backend = ScriptedBackend(rated)
    assert AudioLM(backend).verify([question(clips[0], RATING, None)]) == [[None]]  # type: ignore[list-item]
    assert backend.orders == []


def test_yes_and_no_are_scored(clips: list[Clip]) -> None:
    backend = ScriptedBackend(rated, likelihood)
    model = AudioLM(backend)
    asked = [question(clips[0], YES_OR_NO, "ab", None), question(clips[1], RATING, "abc")]
    assert model.verify(asked, disable_tqdm=True) == [[(-6.0, -4.0), None], ["3"]]  # type: ignore[arg-type]
    assert [order.continuations for order in backend.score_orders] == [("yes", "no")]
    info = model.get_model_info()
    assert (info["verdicts"]["asked"], info["scores"]["asked"]) == (1, 2)


def test_another_model_may_judge(clips: list[Clip]) -> None:
    answers, judge = ScriptedBackend(numbered), ScriptedBackend(rated)
    model = AudioLM(answers, verifier=AudioLM(judge))
    model.generate_until(clone(request(clips[0], SAMPLED, 2)), disable_tqdm=True)
    assert model.verify([question(clips[0], RATING, "ab")], disable_tqdm=True) == [["2"]]  # type: ignore[list-item]
    assert (len(answers.orders), len(judge.orders)) == (1, 1)
    info = model.get_model_info()
    assert info["draws"]["drawn"] == 2
    assert info["verifier"]["verdicts"]["drawn"] == 1


def backend_of(model: AudioLM) -> HuggingFaceBackend:
    assert isinstance(model.backend, HuggingFaceBackend)
    return model.backend


def test_a_registered_adapter_judges_by_name() -> None:
    text = "pretrained=a,verifier=alm_hf,verifier_args=pretrained=b;dtype=bfloat16"
    model = model_class("alm_hf").create_from_arg_string(text, {"device": "cpu", "batch_size": 3})
    verifier = backend_of(model._verifier)
    assert backend_of(model).model_name == "a"
    assert (verifier.model_name, verifier._dtype) == ("b", "bfloat16")
    assert (verifier._device, verifier._batch_size) == ("cpu", 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"verifier": "alm_fh"}, "no adapter 'alm_fh'; did you mean 'alm_hf'"),
        ({"verifier_args": "pretrained=b"}, "verifier_args were given without a verifier"),
        (
            {"verifier": "alm_hf", "verifier_args": {"pretraned": "b"}},
            "alm_hf has no model_args 'pretraned'",
        ),
    ],
)
def test_a_verifier_that_cannot_be_made(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        model_class("alm_hf")(pretrained="a", device="cpu", **settings)


def test_given_answers_are_scored_together_and_once(clips: list[Clip]) -> None:
    backend = ScriptedBackend(numbered, likelihood)
    model = AudioLM(backend)
    asked = [read_out(clips[0], "sad"), read_out(clips[1], "sad"), read_out(clips[0], "happy")]
    asked += [read_out(clips[0], "sad"), read_out(clips[0], "sad", "ask more")]
    found = model.loglikelihood(asked, disable_tqdm=True)
    assert found == [(-9.0, False), (-9.0, False), (-15.0, False), (-9.0, False), (-24.0, False)]
    assert {one.tokens for one in found} == {1}  # type: ignore[attr-defined]
    assert [order.continuations for order in backend.score_orders] == [
        ("sad", "happy"),
        ("sad",),
        ("sad",),
    ]
    counts = {"asked": 5, "shared": 1, "stored": 0, "scored": 4, "tokens": 4}
    recorded = model.get_model_info()["scores"]
    assert recorded.pop("seconds") >= 0
    assert recorded == counts


class Kept(ScriptedBackend):
    """A scripted backend whose draws and scores are kept."""

    def fingerprint(self) -> str:
        return "kept"


def test_scores_and_verdicts_outlive_their_run(
    clips: list[Clip], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path))

    def judge(backend: Backend, *labels: str) -> tuple[Sequence[Any], Sequence[Any]]:
        model = AudioLM(backend)
        scores = model.loglikelihood([read_out(clips[0], label) for label in labels])
        verdicts = model.verify([question(clips[0], RATING, "ab")])  # type: ignore[list-item]
        return scores, verdicts

    first = judge(Kept(rated, likelihood), "sad")
    again = Kept(rated, likelihood)
    scores, verdicts = judge(again, "sad", "happy")
    assert (scores[:1], verdicts) == first
    assert scores[0].tokens == first[0][0].tokens
    assert again.orders == []
    assert [order.continuations for order in again.score_orders] == [("happy",)]


@pytest.mark.parametrize(
    ("capabilities", "settings", "message"),
    [
        (Capabilities(), {**GREEDY, "num_beams": 3}, 'no beam search; .*"candidates": "sample"'),
        (Capabilities(beams=True), {**GREEDY, "num_beams": 3}, "asks for 4 of so many beams"),
    ],
)
def test_beams_that_cannot_be_had(
    clips: list[Clip], capabilities: Capabilities, settings: dict[str, Any], message: str
) -> None:
    backend = ScriptedBackend(numbered)
    backend.capabilities = capabilities
    with pytest.raises(UserError, match=message):
        AudioLM(backend).generate_until(clone(request(clips[0], settings, 4)), disable_tqdm=True)
    assert backend.orders == []


def test_beams_are_a_pool_of_their_own_shared_by_tasks(clips: list[Clip]) -> None:
    backend = ScriptedBackend(numbered)
    beams = {**GREEDY, "num_beams": 3}
    asked = [request(clips[0], beams, 3), request(clips[0], dict(beams), 3)]
    asked += [request(clips[0], GREEDY)]
    found = AudioLM(backend).generate_until(clone(*asked), disable_tqdm=True)
    assert found[:3] == found[3:6] == ["ask/False/0", "ask/False/1", "ask/False/2"]
    assert [order.indices for order in backend.orders] == [(0, 1, 2), (0,)]


def test_answers_without_log_likelihood_are_refused_where_they_are_needed(
    clips: list[Clip],
) -> None:
    backend = ScriptedBackend(numbered)
    backend.capabilities = Capabilities(beams=True)
    with pytest.raises(UserError, match=r"without their log-likelihoods, by which .* bon and wbon"):
        AudioLM(backend).generate_until([request(clips[0], SAMPLED, needs_log_likelihood=True)])
    assert backend.orders == []
