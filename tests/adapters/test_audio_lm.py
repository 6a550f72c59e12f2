"""Requests of the harness -> pools of draws, seen through a scripted backend."""

import itertools
import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from lm_eval.api.model import CachingLM

from ambi_tasks.audio import AudioArgument, Clip
from ambi_tasks.errors import UserError
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import Answer, Backend, Capabilities, DrawOrder
from model_adapters.draws import Draw
from model_adapters.harness import model_class
from model_adapters.scripted import ScriptedBackend

GREEDY = {"do_sample": False, "max_gen_toks": 9, "until": [], "seed": 1}
SAMPLED = {"do_sample": True, "temperature": 0.7, "max_gen_toks": 9, "until": ["\n"], "seed": 1}


def numbered(order: DrawOrder, index: int) -> str:
    return f"{order.conversation[-1].text}/{order.decoding.do_sample}/{index}"


def request(
    clip: Clip, settings: dict[str, Any], repeats: int = 1, text: str = "ask", **extra: Any
) -> Instance:
    attachments = {
        "audio": [AudioArgument(path=clip.path, start=clip.start, end=clip.end)],
        **extra,
    }
    return Instance("generate_until", {}, (text, settings, attachments), 0, ("task", 0, repeats))


def clone(*requests: Instance) -> list[Instance]:
    """What the runner does: each request as often as it is repeated, next to each other."""
    return [request for request in requests for _ in range(request.repeats or 1)]


@pytest.fixture
def clip(make_clip: Callable[..., Clip]) -> Clip:
    return make_clip("a", 200, 0.5)


@pytest.fixture
def scripted() -> ScriptedBackend:
    return ScriptedBackend(numbered)


def ask(backend: Backend, *requests: Instance) -> list[str]:
    return AudioLM(backend).generate_until(clone(*requests), disable_tqdm=True)


def test_repeats_are_the_draws_of_one_pool(scripted: ScriptedBackend, clip: Clip) -> None:
    found = ask(scripted, request(clip, SAMPLED, repeats=3))
    assert found == ["ask/True/0", "ask/True/1", "ask/True/2"]
    assert len(scripted.orders) == 1
    order = scripted.orders[0]
    assert order.indices == (0, 1, 2)
    assert order.decoding.stop == ("\n",)
    assert order.decoding.max_new_tokens == 9
    assert [turn.role for turn in order.conversation] == ["user"]


def test_draws_carry_their_evidence_through_pickle(scripted: ScriptedBackend, clip: Clip) -> None:
    draw = ask(scripted, request(clip, SAMPLED, repeats=2))[1]
    assert isinstance(draw, Draw)
    for copied in (draw, pickle.loads(pickle.dumps(draw))):
        assert copied == "ask/True/1"
        assert (copied.draw_index, copied.seed, copied.tokens) == (1, 1, 1)
        assert copied.log_likelihood == -10.0
        assert copied.finish_reason == "stop"
        assert len(copied.clip_sha256) == 64


def test_seconds_are_of_answering_and_not_of_loading(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()  # a second passes whenever somebody looks
    monkeypatch.setattr("model_adapters.audio_lm.time.perf_counter", lambda: next(clock))

    class Slow(ScriptedBackend):
        def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
            for _ in range(100):
                next(clock)  # loading the weights
            return self._answers(super().draw(orders))

        def _answers(self, drawn: Iterator[Any]) -> Iterator[Any]:
            for one in drawn:
                next(clock)
                yield one

    model = AudioLM(Slow(numbered))
    model.generate_until(clone(request(clip, SAMPLED, repeats=3)), disable_tqdm=True)
    assert model.get_model_info()["draws"]["seconds"] == 4.0


def test_tasks_that_ask_the_same_share_draws(scripted: ScriptedBackend, clip: Clip) -> None:
    few, many = request(clip, SAMPLED, repeats=2), request(clip, dict(SAMPLED), repeats=4)
    found = ask(scripted, few, many)
    assert found[:2] == found[2:4]
    assert [order.indices for order in scripted.orders] == [(0, 1, 2, 3)]


def test_copies_of_a_clip_share_draws(scripted: ScriptedBackend, clip: Clip, tmp_path: Any) -> None:
    copy = tmp_path / "elsewhere.wav"
    copy.write_bytes(Path(clip.path).read_bytes())
    ask(scripted, request(clip, SAMPLED), request(Clip(str(copy)), SAMPLED))
    assert len(scripted.orders) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {**SAMPLED, "temperature": 0.8}},
        {"settings": {**SAMPLED, "seed": 2}},
        {"settings": GREEDY},
        {"text": "ask otherwise"},
        {"system": "Be kind."},
    ],
)
def test_what_differs_is_another_pool(
    scripted: ScriptedBackend, clip: Clip, change: dict[str, Any]
) -> None:
    other = request(clip, change.pop("settings", SAMPLED), **change)
    ask(scripted, request(clip, SAMPLED), other)
    assert len({order.key for order in scripted.orders}) == 2


def test_a_draws_identity_is_pinned(scripted: ScriptedBackend) -> None:
    """A change of this key changes every sampled result and forgets every kept draw."""
    plain = Instance("generate_until", {}, ("ask", SAMPLED), 0, ("task", 0, 1))
    ask(scripted, plain)
    assert scripted.orders[0].key == PINNED


PINNED = "795e97c78fe80be5df7448afce7fa6c97d1d7098e8ff0bba402bfd0a736d2f72"


def test_another_clip_is_another_pool(
    scripted: ScriptedBackend, clip: Clip, make_clip: Callable[..., Clip]
) -> None:
    ask(scripted, request(clip, SAMPLED), request(make_clip("b", 300, 0.5), SAMPLED))
    assert len({order.key for order in scripted.orders}) == 2


def test_greedy_repeats_are_drawn_once(scripted: ScriptedBackend, clip: Clip) -> None:
    zero = {**SAMPLED, "temperature": 0}
    assert ask(scripted, request(clip, GREEDY, repeats=3)) == ["ask/False/0"] * 3
    assert ask(scripted, request(clip, zero, repeats=2)) == ["ask/False/0"] * 2
    assert [order.indices for order in scripted.orders] == [(0,), (0,)]


def test_requests_that_fill_up_a_rank_draw_nothing_more(
    scripted: ScriptedBackend, clip: Clip
) -> None:
    one = request(clip, SAMPLED, repeats=2)
    found = AudioLM(scripted).generate_until(clone(one) + clone(one), disable_tqdm=True)
    assert found[:2] == found[2:]
    assert scripted.orders[0].indices == (0, 1)


def test_a_request_without_sound_is_text(scripted: ScriptedBackend) -> None:
    plain = Instance("generate_until", {}, ("ask", GREEDY), 0, ("task", 0, 1))
    found = AudioLM(scripted).generate_until([plain], disable_tqdm=True)
    assert found[0].clip_sha256 is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beam_width": 5}, "--gen_kwargs has no 'beam_width'.*num_beams"),
        ({"repetition_penalty": 0}, "repetition_penalty must be a number above 0"),
        ({"num_beams": 0}, "num_beams must be a whole number above 0"),
        ({"num_beams": 2, "do_sample": True}, "beams .* are not sampled"),
        ({"num_beams": 2, "until": ["x"]}, "beams .* do not end at strings"),
        ({"temperature": -1, "do_sample": True}, "temperature must be a number, 0 for greedy"),
        ({"temperature": "hot"}, "temperature must be a number, 0 for greedy answers, not 'hot'"),
        ({"do_sample": "maybe"}, "do_sample must be True or False, not 'maybe'"),
        ({"until": 0.5}, "until must be a string or a list of them, not 0.5"),
        ({"max_gen_toks": 2.5}, "max_gen_toks must be a whole number above 0, not 2.5"),
        ({"seed": float("inf"), "do_sample": True}, "seed must be a whole number, not inf"),
        ({"top_p": 0, "do_sample": True}, r"top_p must be a number in \(0, 1\]"),
        ({"top_k": -1, "do_sample": True}, "top_k must be a whole number"),
        ({"min_p": 1, "do_sample": True}, r"min_p must be a number in \[0, 1\)"),
        ({"max_gen_toks": 0}, "max_gen_toks must be a whole number above 0"),
        ({"seed": 0.5, "do_sample": True}, "seed must be a whole number"),
    ],
)
def test_bad_settings_end_in_a_sentence(
    scripted: ScriptedBackend, clip: Clip, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ask(scripted, request(clip, settings))
    assert scripted.orders == []


@pytest.mark.parametrize(
    ("capabilities", "extra", "message"),
    [
        (Capabilities(clips=0), {}, "at most 0 clip"),
        (Capabilities(system_turn=False), {"system": "x"}, "no --system_instruction"),
        (Capabilities(sampling=False), {}, "does not sample"),
    ],
)
def test_what_a_model_cannot_do_is_said_before_it_is_asked(
    clip: Clip, capabilities: Capabilities, extra: dict[str, Any], message: str
) -> None:
    backend = ScriptedBackend(numbered)
    backend.capabilities = capabilities
    with pytest.raises(UserError, match=message):
        ask(backend, request(clip, SAMPLED, **extra))
    assert backend.orders == []


def test_audio_that_is_no_reference_is_refused(scripted: ScriptedBackend) -> None:
    bad = Instance("generate_until", {}, ("ask", GREEDY, {"audio": [3]}), 0, ("task", 0, 1))
    with pytest.raises(UserError, match="take audio by reference"):
        AudioLM(scripted).generate_until([bad])


def test_an_unknown_setting_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"alm_hf has no model_args 'pretraned'.*pretrained"):
        model_class("alm_hf")(pretraned="x")


def test_an_unknown_adapter_names_the_nearest() -> None:
    with pytest.raises(UserError, match="There is no adapter 'alm_fh'; did you mean 'alm_hf'"):
        model_class("alm_fh")


def test_log_likelihood_goes_to_the_backend(scripted: ScriptedBackend, clip: Clip) -> None:
    asked = Instance(
        "loglikelihood", {}, ("ask", " yes", {"audio": [AudioArgument(path=clip.path)]}), 0
    )
    with pytest.raises(UserError, match="does not score given answers"):
        AudioLM(scripted).loglikelihood([asked], disable_tqdm=True)
    with pytest.raises(UserError, match="perplexity"):
        AudioLM(scripted).loglikelihood_rolling([asked])


def test_model_args_go_before_the_options_of_the_command_line() -> None:
    options = {"batch_size": 1, "device": "cpu", "max_batch_size": None}
    model = model_class("alm_hf").create_from_arg_string("pretrained=x,batch_size=4", options)
    assert model.backend._batch_size == 4
    assert model_class("alm_hf").create_from_arg_string("pretrained=x,batch_size=auto").backend
    for size in (0, "automatic", 2.5, "None"):
        with pytest.raises(UserError, match=f"batch_size must be a whole number .*, not '{size}'"):
            model_class("alm_hf").create_from_arg_obj({"pretrained": "x"}, {"batch_size": size})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "int8"}, "dtype is one of auto, float32"),
        ({"long_audio": "cut"}, "long_audio is one of refuse, truncate"),
        ({"device": "tpux"}, "--device 'tpux' is none that torch knows"),
        ({"device": "cuda:99"}, r"--device cuda:99: there are \d+ CUDA devices"),
    ],
)
def test_bad_model_args_end_in_a_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        model_class("alm_hf")(pretrained="x", **settings)


def test_a_model_that_is_not_there_is_one_sentence(tmp_path: Path, clip: Clip) -> None:
    model = model_class("alm_hf")(pretrained=str(tmp_path), device="cpu")
    with pytest.raises(UserError, match=r"alm_hf cannot load .*pretrained=demo"):
        model.generate_until([request(clip, GREEDY)])
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    model = model_class("alm_hf")(pretrained=str(tmp_path), device="cpu")
    with pytest.raises(
        UserError, match=r"no family for model_type 'bert'.*there are: .*qwen2_audio"
    ):
        model.generate_until([request(clip, GREEDY)])


def test_naming_no_model_says_which_would_be_loaded(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("lm_eval"), "propagate", True)
    with caplog.at_level("WARNING", logger="lm_eval"):
        model_class("alm_hf")(device="cpu")
    assert "Qwen/Qwen2-Audio-7B-Instruct would be loaded at the first request" in caplog.text


def test_numbers_mean_the_same_however_they_are_spelled(
    scripted: ScriptedBackend, clip: Clip
) -> None:
    spellings = [{"temperature": 1, "top_k": 5}, {"temperature": 1.0, "top_k": 5.0}]
    ask(scripted, *[request(clip, {**SAMPLED, **spelling}) for spelling in spellings])
    assert len(scripted.orders) == 1


def test_what_is_no_audio_is_not_answered_blindly(scripted: ScriptedBackend, clip: Clip) -> None:
    with pytest.raises(UserError, match="take audio; a task gave 'visual' as well"):
        ask(scripted, request(clip, GREEDY, visual=["picture"]))


def test_the_harness_cache_is_refused(scripted: ScriptedBackend, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--use_cache is not offered"):
        CachingLM(AudioLM(scripted), str(tmp_path / "cache"))
