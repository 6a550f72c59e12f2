"""Every family draws, searches and scores behind a shared prompt as transformers does plainly."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ambi_tasks.audio import Clip
from model_adapters.backend import Answer, Conversation, Decoding, DrawOrder, ScoreOrder, Turn
from model_adapters.huggingface.engine import Engine
from tests.adapters.conftest import order
from tests.adapters.families.conftest import Subject

GREEDY = Decoding(max_new_tokens=6)
SAMPLED = Decoding(do_sample=True, temperature=0.9, max_new_tokens=6)
BEAMS = Decoding(num_beams=3, max_new_tokens=5)
ANSWERS = ("happy and sad", "neutral")
OF_TOKENS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")


def draws(engine: Engine, orders: list[DrawOrder]) -> dict[tuple[str, int], Answer]:
    return {(orders[place].key, index): answer for place, index, answer in engine.draw(orders)}


def asking(*clips: Clip) -> Conversation:
    return (Turn("user", "How do they feel?", clips),)


def scored(engine: Engine, *conversations: Conversation) -> list[list[float]]:
    orders = [ScoreOrder(conversation, ANSWERS) for conversation in conversations]
    found = dict(engine.log_likelihoods(orders))
    return [[one.log_likelihood for one in found[place]] for place in range(len(orders))]


def teacher_forced(subject: Subject, conversation: Conversation) -> list[float]:
    """The log-likelihood of each answer in one plain pass over prompt and answer."""
    inputs = subject.inputs(conversation)
    length = inputs["input_ids"].shape[1]
    found = []
    for answer in ANSWERS:
        tokens = subject.processor.tokenizer(answer, add_special_tokens=False).input_ids
        target = torch.tensor([tokens])
        whole = dict(inputs)
        for name in OF_TOKENS:
            if name in inputs:
                new = {"input_ids": target, "attention_mask": torch.ones_like(target)}.get(
                    name, torch.zeros_like(target)
                )
                whole[name] = torch.cat([inputs[name], new], dim=1)
        with torch.no_grad():
            logits = subject.model(**whole).logits[:, length - 1 : -1].log_softmax(-1)
        found.append(float(logits.gather(-1, target[..., None]).sum()))
    return found


def plainly(subject: Subject, conversation: Conversation, **settings: Any) -> list[str]:
    inputs = subject.inputs(conversation)
    output = subject.model.generate(**inputs, do_sample=False, **settings)
    length = inputs["input_ids"].shape[1]
    tokenizer = subject.processor.tokenizer
    return [
        tokenizer.decode(tokens, skip_special_tokens=True) for tokens in output[:, length:].tolist()
    ]


@pytest.mark.parametrize("batch_size", [1, 8])
def test_greedy_equals_plain_generate(subject: Subject, clips: list[Clip], batch_size: int) -> None:
    found = draws(subject.engine(batch_size), [order(clip, GREEDY) for clip in clips])
    ours = [answer.text for answer in found.values()]
    expected = [plainly(subject, asking(clip), max_new_tokens=6)[0] for clip in clips]
    assert sorted(ours) == sorted(expected)
    assert len(set(expected)) == len(clips), "the model does not tell the clips apart"


def test_a_draw_is_the_same_in_any_batch(subject: Subject, clips: list[Clip]) -> None:
    asked = [order(clip, SAMPLED, draws=4) for clip in clips]
    together = draws(subject.engine(12), asked)
    alone = draws(subject.engine(1), asked[::-1])
    assert len(together) == 12
    for key, answer in together.items():
        assert alone[key].text == answer.text
        assert alone[key].log_likelihood == pytest.approx(answer.log_likelihood, abs=1e-3)
    assert len({answer.text for answer in together.values()}) > len(clips)


def test_beam_search_equals_plain_beam_search(subject: Subject, clips: list[Clip]) -> None:
    found = draws(subject.engine(6), [order(clip, BEAMS, draws=3) for clip in clips[:2]])
    for clip, name in zip(clips, ("low", "mid"), strict=False):
        settings = {"num_beams": 3, "num_return_sequences": 3, "max_new_tokens": 5}
        canonical = {"length_penalty": 0.0, "early_stopping": "never"}
        expected = plainly(subject, asking(clip), **settings, **canonical)
        assert [found[name, rank].text for rank in range(3)] == expected


@pytest.mark.parametrize("batch_size", [1, 6])
def test_log_likelihoods_equal_teacher_forcing(
    subject: Subject, clips: list[Clip], batch_size: int
) -> None:
    conversations = [asking(clip) for clip in clips]
    found = scored(subject.engine(batch_size), *conversations)
    expected = [teacher_forced(subject, conversation) for conversation in conversations]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_what_is_heard_reaches_the_answer(subject: Subject, make_clip: Callable[..., Clip]) -> None:
    """A model that does not hear would still answer."""
    heard = [make_clip("heard", 150, 1.5), make_clip("silence", 0, 1.5)]
    clip, silence = scored(subject.engine(), *(asking(one) for one in heard))
    assert min(abs(np.subtract(clip, silence))) > 1e-3


def test_a_verifier_asks_in_a_later_turn(subject: Subject, clips: list[Clip]) -> None:
    conversation = (
        *asking(clips[0]),
        Turn("assistant", "happy"),
        Turn("user", "Is this answer right?"),
    )
    (found,) = scored(subject.engine(), conversation)
    np.testing.assert_allclose(found, teacher_forced(subject, conversation), atol=1e-3)


def test_a_system_turn_reaches_the_model(subject: Subject, clips: list[Clip]) -> None:
    if not subject.family.system_turn:
        pytest.skip(f"{subject.case.model_type} takes no system turn")
    with_system = (Turn("system", "You are a helpful assistant."), *asking(clips[0]))
    found = scored(subject.engine(2), with_system, asking(clips[0]))
    np.testing.assert_allclose(found[0], teacher_forced(subject, with_system), atol=1e-3)
    assert found[0] != found[1]


def test_two_clips_in_one_question(subject: Subject, clips: list[Clip]) -> None:
    if subject.family.clips == 1:
        pytest.skip(f"{subject.case.model_type} takes one clip")
    there, back = asking(clips[0], clips[1]), asking(clips[1], clips[0])
    found = scored(subject.engine(2), there, back)
    expected = [teacher_forced(subject, conversation) for conversation in (there, back)]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert found[0] != found[1]


def test_questions_about_one_clip_are_read_together(subject: Subject, clips: list[Clip]) -> None:
    """What they have in common is read once, and each one's rest behind it."""
    conversations = [
        (*asking(clips[0]), Turn("assistant", answer), Turn("user", f"Is this answer {word}?"))
        for answer, word in [("happy", "right"), ("sad and angry", "wrong"), ("happy", "good")]
    ]
    found = scored(subject.engine(8), *conversations, asking(clips[1]))
    expected = [teacher_forced(subject, one) for one in (*conversations, asking(clips[1]))]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_prompt_as_long_as_its_features(subject: Subject, clips: list[Clip]) -> None:
    """The mask of the features then has the shape of the tokens, and still is none of them."""
    text, longest = "How?", 0
    while True:
        inputs = subject.inputs((Turn("user", text, (clips[0],)),))
        shapes = [value.shape for name, value in inputs.items() if name not in OF_TOKENS]
        longest = max((shape[1] for shape in shapes if len(shape) == 2), default=0)
        length = inputs["input_ids"].shape[1]
        if length >= longest:
            break
        text += "z" * max(1, (longest - length) // 4)
    if length != longest:
        pytest.skip(f"{subject.case.model_type}: no mask of features is as long as a prompt")
    conversation = (Turn("user", text, (clips[0],)),)
    (found,) = scored(subject.engine(), conversation)
    np.testing.assert_allclose(found, teacher_forced(subject, conversation), atol=1e-3)
