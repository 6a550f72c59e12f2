"""Log-likelihoods of given answers: exactly, from a question's tokens; or from first tokens."""

import math

import pytest

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from model_adapters.chat_api.read_out import score_behind, scores_of_rivals
from model_adapters.chat_api.wire import PromptToken
from tests.adapters.chat_api.conftest import backend, score_order
from tests.adapters.chat_api.server import ChatServer


def test_every_token_behind_the_question_counts(server: ChatServer, clip: Clip) -> None:
    chat = backend(server)
    ((position, scores),) = chat.log_likelihoods([score_order(clip, "ab", "sad", "ab")])
    assert position == 0
    expected = [-sum(map(ord, answer)) / 100 for answer in ("ab", "sad", "ab")]
    assert [score.log_likelihood for score in scores] == pytest.approx(expected)
    assert [score.tokens for score in scores] == [2, 3, 2]
    assert [score.greedy for score in scores] == [True, False, True]
    question, *answered = server.bodies
    assert question["add_generation_prompt"] is True
    assert "assistant" not in [turn["role"] for turn in question["messages"]]
    assert sorted(body["messages"][-1]["content"] for body in answered) == ["ab", "sad"]
    assert all(body["continue_final_message"] for body in answered)
    assert {(body["max_tokens"], body["prompt_logprobs"]) for body in server.bodies} == {(1, 0)}


def test_scores_come_for_each_question(server: ChatServer, clips: list[Clip]) -> None:
    orders = [score_order(clip, "sad", "happy") for clip in clips]
    found = dict(backend(server).log_likelihoods(orders))
    assert sorted(found) == [0, 1, 2]
    assert found[0] == found[1] == found[2]


def test_an_answer_that_does_not_follow_the_question_is_refused() -> None:
    one, two = PromptToken("1", -1.0, first=True), PromptToken("2", -2.0, first=False)
    assert score_behind([one], [one, two], "x").log_likelihood == -2.0
    for whole in ([one], [two, two]):
        with pytest.raises(UserError, match="does not put the answer 'x' behind the question"):
            score_behind([one], whole, "x")


def test_log_probabilities_of_the_question_that_do_not_come(server: ChatServer, clip: Clip) -> None:
    server.behaviour.honours -= {"prompt_logprobs"}
    with pytest.raises(UserError, match="gives no log-probabilities"):
        list(backend(server).log_likelihoods([score_order(clip, "sad")]))


def test_first_tokens_are_read_and_what_is_missing_is_said(server: ChatServer, clip: Clip) -> None:
    chat = backend(server, "compatible", offers="logprobs")
    ((_, scores),) = chat.log_likelihoods([score_order(clip, "sad", "happy", "angry")])
    assert [score.log_likelihood for score in scores] == pytest.approx(
        [math.log(0.25), math.log(0.5), -math.inf]
    )
    assert [score.greedy for score in scores] == [False, True, False]
    assert len(server.bodies) == 1
    assert (server.bodies[0]["max_tokens"], server.bodies[0]["top_logprobs"]) == (1, 20)
    assert chat.describe()["missing_mass"] == {
        "read_outs": 1,
        "mean": pytest.approx(0.25),
        "largest": pytest.approx(0.25),
    }
    assert any("0.250 of the probability in the mean" in one for one in chat._record.warnings())


def test_labels_of_several_tokens_are_refused_where_first_tokens_alone_are_known() -> None:
    rivals = {"sad": math.log(0.4), "neut": math.log(0.3), "h": math.log(0.001)}
    with pytest.raises(UserError, match="'neutral' is more than one token"):
        scores_of_rivals(rivals, ["sad", "neutral"])
    scores, missing = scores_of_rivals(rivals, ["sad", "happy"])
    assert scores[1].log_likelihood == -math.inf
    assert missing == pytest.approx(0.299)


def test_rivals_that_do_not_come(server: ChatServer, clip: Clip) -> None:
    server.behaviour.honours -= {"logprobs"}
    chat = backend(server, "compatible", offers="logprobs")
    with pytest.raises(UserError, match="gives no log-probabilities"):
        list(chat.log_likelihoods([score_order(clip, "sad")]))


@pytest.mark.parametrize("provider", ["openai", "gemini", "compatible"])
def test_providers_without_log_probabilities_say_so_before_anything_is_sent(
    server: ChatServer, clip: Clip, provider: str
) -> None:
    chat = backend(server, provider, key_variable="VLLM_API_KEY")
    assert not chat.capabilities.log_likelihood
    with pytest.raises(UserError, match=f"provider={provider} gives no log-probabilities"):
        chat.log_likelihoods([score_order(clip, "sad")])
    assert server.bodies == []


def test_an_answer_without_choices_ends_in_a_sentence(server: ChatServer, clip: Clip) -> None:
    server.behaviour.always = "no_choices"
    with pytest.raises(UserError, match="no answer from which the labels' probabilities"):
        list(backend(server).log_likelihoods([score_order(clip, "sad")]))
    assert len(server.bodies) == 3
