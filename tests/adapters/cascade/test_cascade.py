"""What is asked of both parts, and what comes back, through parts that are scripted."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lm_eval
import pytest
from lm_eval.tasks import TaskManager

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from ambi_tasks.plugin import tasks_path
from ambi_tasks.prompts import load_prompt
from model_adapters import registry
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import (
    Answer,
    Capabilities,
    Conversation,
    Decoding,
    DrawOrder,
    ScoreOrder,
    Turn,
)
from model_adapters.cascade import CascadeBackend
from model_adapters.harness import model_class
from model_adapters.scripted import ScriptedBackend

SAMPLED = Decoding(do_sample=True, max_new_tokens=90)
WORDS = {"low": "don't forget a jacket", "mid": "it's  eleven o'clock", "high": ""}


class Ears(ScriptedBackend):
    """Knows the words by the file's name."""

    capabilities = Capabilities(sampling=False)

    def __init__(self, *, dialect: str = "plain") -> None:
        super().__init__(lambda order, _: WORDS[Path(order.conversation[-1].clips[0].path).stem])
        self.dialect = dialect

    def fingerprint(self) -> str:
        return f"ears {self.dialect}"


class Pen(ScriptedBackend):
    """Says what it was asked, and which draw it is."""

    capabilities = Capabilities(beams=True, draw_log_likelihood=True, log_likelihood=True)

    def __init__(self, *, temper: str = "calm") -> None:
        super().__init__(write, lambda turns, answer: -float(len(turns[-1].text) + len(answer)))
        self.temper = temper

    @property
    def model_name(self) -> str:
        return "pen"

    def fingerprint(self) -> str:
        return f"pen {self.temper}"


def write(order: DrawOrder, index: int) -> str:
    return f"{order.conversation[-1].text}#{index}"


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(registry._ADAPTERS, "ears", Ears)
    monkeypatch.setitem(registry._ADAPTERS, "pen", Pen)


@pytest.fixture
def cascade() -> CascadeBackend:
    return CascadeBackend(recogniser="ears", text_model="pen")


def heard(clip: Clip, text: str = "Which emotion?") -> Conversation:
    return (Turn("user", text, (clip,)),)


def order(clip: Clip, indices: tuple[int, ...] = (0,), text: str = "Which emotion?") -> DrawOrder:
    return DrawOrder(heard(clip, text), SAMPLED, indices, f"{clip}/{text}")


def draws(cascade: CascadeBackend, orders: Sequence[DrawOrder]) -> dict[tuple[int, int], Answer]:
    found = {(position, index): answer for position, index, answer in cascade.draw(orders)}
    assert set(found) == {(n, index) for n, one in enumerate(orders) for index in one.indices}
    return found


def pen(cascade: CascadeBackend) -> Pen:
    assert isinstance(cascade._text, Pen)
    return cascade._text


def ears(cascade: CascadeBackend) -> Ears:
    assert isinstance(cascade._recogniser.backend, Ears)
    return cascade._recogniser.backend


def test_words_stand_in_the_place_of_clips(cascade: CascadeBackend, clips: list[Clip]) -> None:
    found = draws(cascade, [order(clip) for clip in clips])
    expected = ('"don\'t forget a jacket"', "\"it's eleven o'clock\"", "understood no word")
    for position, words in enumerate(expected):
        text = found[position, 0].text
        assert words in text
        assert text.startswith("The recording cannot be played to you.")
        assert text.endswith("Which emotion?#0")
    assert not any(turn.clips for one in pen(cascade).orders for turn in one.conversation)
    assert [turn.role for turn in pen(cascade).orders[0].conversation] == ["user"]


def test_a_recogniser_is_asked_for_words_alone(cascade: CascadeBackend, clips: list[Clip]) -> None:
    draws(cascade, [order(clip) for clip in clips])
    asked = {one.conversation[-1].text for one in ears(cascade).orders}
    assert asked == {load_prompt("transcribe").render()}
    assert {one.decoding for one in ears(cascade).orders} == {Decoding(max_new_tokens=440)}


def test_turns_without_a_clip_stay_as_they_are(cascade: CascadeBackend, clips: list[Clip]) -> None:
    turns = (Turn("system", "Be kind."), *heard(clips[0]), Turn("assistant", "happy"))
    draws(cascade, [DrawOrder(turns, SAMPLED, (0,), "key")])
    system, user, assistant = pen(cascade).orders[0].conversation
    assert (system, assistant) == (turns[0], turns[2])
    assert user.text.endswith("Which emotion?")


def test_equal_words_get_equal_answers_and_are_asked_once(
    cascade: CascadeBackend, make_clip: Callable[..., Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    angry, sad = make_clip("angry", 400, 0.5), make_clip("sad", 100, 0.9)
    monkeypatch.setitem(WORDS, "angry", "it's eleven o'clock")
    monkeypatch.setitem(WORDS, "sad", "it's eleven o'clock")
    found = draws(cascade, [order(angry, (0, 1)), order(sad, (1, 2)), order(sad, (0,), "Other?")])
    assert found[0, 1] == found[1, 1]
    assert [one.indices for one in pen(cascade).orders] == [(0, 1, 2), (0,)]
    described = cascade.describe()
    assert (described["clips_transcribed"], described["different_transcripts"]) == (2, 1)


def test_scores_are_the_text_models(cascade: CascadeBackend, clips: list[Clip]) -> None:
    answers = ("happy", "sad")
    orders = [ScoreOrder(heard(clip), answers) for clip in (*clips, clips[0])]
    found = dict(cascade.log_likelihoods(orders))
    assert sorted(found) == [0, 1, 2, 3]
    assert found[0] == found[3] != found[1]
    assert len(pen(cascade).score_orders) == 3
    text = pen(cascade).score_orders[0].conversation[-1].text
    assert [one.log_likelihood for one in found[0]] == [-len(text) - 5, -len(text) - 3]


def test_clips_are_written_down_once(cascade: CascadeBackend, clips: list[Clip]) -> None:
    draws(cascade, [order(clip) for clip in clips])
    draws(cascade, [order(clips[0], (5,)), order(clips[1], text="Other?")])
    assert len(ears(cascade).orders) == 3


def test_transcripts_are_kept_between_runs(clips: list[Clip]) -> None:
    first = CascadeBackend(recogniser="ears", text_model="pen")
    draws(first, [order(clip) for clip in clips])
    second = CascadeBackend(recogniser="ears", text_model="pen", text_args="temper=wild")
    draws(second, [order(clip) for clip in clips])
    assert ears(second).orders == []
    assert second.describe()["empty_transcripts"] == 1
    other = CascadeBackend(recogniser="ears", recogniser_args="dialect=broad", text_model="pen")
    draws(other, [order(clip) for clip in clips])
    assert len(ears(other).orders) == 3


def test_it_can_what_its_text_model_can(
    cascade: CascadeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    can = cascade.capabilities
    assert (can.sampling, can.beams, can.draw_log_likelihood, can.log_likelihood) == (True,) * 4
    less = Capabilities(beams=False, log_likelihood=False, system_turn=False)
    monkeypatch.setattr(Pen, "capabilities", less)
    can = cascade.capabilities
    assert (can.beams, can.draw_log_likelihood, can.system_turn) == (False, False, False)


def test_the_fingerprint_is_of_both_parts_and_their_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made(**settings: Any) -> str | None:
        return CascadeBackend(recogniser="ears", text_model="pen", **settings).fingerprint()

    found = {made(), made(text_args="temper=wild"), made(recogniser_args={"dialect": "broad"})}
    assert len(found) == 3
    assert made() == made()
    monkeypatch.setattr(Ears, "fingerprint", lambda _: None)
    assert made() is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "name both parts, such as"),
        ({"recogniser": "ears"}, "name both parts"),
        ({"recogniser": "ears", "text_model": "pen", "text_args": "tempr=x"}, "'tempr'"),
        ({"recogniser": "ears", "text_model": "pen", "recogniser_args": "a=b"}, "'a'; it takes"),
    ],
)
def test_wrong_settings_end_in_a_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CascadeBackend(**settings)


def test_the_harness_knows_it_by_name() -> None:
    kind = model_class("alm_cascade")
    assert kind.backend_class is CascadeBackend
    made = kind.create_from_arg_string(
        "recogniser=ears,text_model=pen,text_args=temper=wild", {"device": "cpu", "batch_size": 4}
    )
    assert made.backend.model_name == "scripted + pen"
    assert (
        made.backend.fingerprint()
        != CascadeBackend(recogniser="ears", text_model="pen").fingerprint()
    )


# --- a whole run ---------------------------------------------------------------------------------


class Demo(Pen):
    """Answers as the tasks want it."""

    def __init__(self) -> None:
        super().__init__()
        self._script = lambda *_: json.dumps(
            dict.fromkeys(("neutral", "happy", "angry", "sad"), 0.25)
        )


@pytest.fixture
def everything_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class SameWords(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return "don't forget a jacket"

    monkeypatch.setattr(f"{__name__}.WORDS", SameWords())
    monkeypatch.setitem(registry._ADAPTERS, "demo_pen", Demo)


@pytest.mark.usefixtures("everything_is_said")
def test_all_strategies_run_and_the_results_say_that_it_is_a_control() -> None:
    model = AudioLM(CascadeBackend(recogniser="ears", text_model="demo_pen"))
    results: Any = lm_eval.simple_evaluate(
        model=model,
        tasks=["ambi_demo_sc", "ambi_demo_bon", "ambi_demo_walmv", "ambi_demo_tlr"],
        task_manager=TaskManager(include_path=tasks_path(), include_defaults=False),
        limit=4,
        bootstrap_iters=0,
    )
    config = results["config"]
    assert config["control"].startswith("text only: ")
    assert config["recogniser"]["transcripts"]["drawn"] == 4
    assert config["different_transcripts"] == 1
    assert config["transcript_prompt"]["id"] == "transcript"
    for name in ("sc", "bon", "tlr"):
        docs = [sample["doc"] for sample in results["samples"][f"ambi_demo_{name}"]]
        assert len({tuple(doc["prediction"]) for doc in docs}) == 1  # equal words, equal answers
