"""Orders as requests, and replies as answers."""

import asyncio
import base64
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ambi_tasks.audio import Clip, load_waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import Decoding, DrawOrder, Turn
from tests.adapters.chat_api.conftest import SAMPLED, backend, draw, order
from tests.adapters.chat_api.server import ANSWERS, ChatServer


def test_one_request_makes_all_draws_of_a_pool(server: ChatServer, clip: Clip) -> None:
    found = draw(backend(server), order(clip))
    assert len(server.bodies) == 1
    body = server.bodies[0]
    assert (body["n"], body["temperature"], body["top_p"], body["max_tokens"]) == (4, 0.8, 1.0, 64)
    assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (-1, 0.0, 1.0)
    assert "stop" not in body
    for answer in found.values():
        assert answer.text in ANSWERS
        assert answer.log_likelihood == pytest.approx(-2.0)
        assert (answer.tokens, answer.finish_reason) == (20, "stop")
    assert len({answer.text for answer in found.values()}) > 1


def test_a_draw_does_not_depend_on_what_else_is_drawn(server: ChatServer, clip: Clip) -> None:
    whole = draw(backend(server), order(clip, tuple(range(8))))
    parts = [order(clip, (0, 1)), order(clip, (2, 5, 6)), order(clip, (3, 4, 7))]
    for part in parts:
        for (_, index), answer in draw(backend(server), part).items():
            assert answer == whole[0, index]
    assert [body["n"] for body in server.bodies if "n" in body] == [8, 2, 2, 2]
    single = draw(backend(server, offers="seed"), order(clip, tuple(range(8))))
    assert {place: one.text for place, one in single.items()} == {
        place: one.text for place, one in whole.items()
    }


def test_pools_have_seeds_of_their_own(server: ChatServer, clip: Clip) -> None:
    draw(backend(server), order(clip, key="a"), order(clip, key="b"))
    first, second = (body["seed"] for body in server.bodies)
    assert abs(first - second) > 1000


def test_the_sound_goes_first_as_16_khz_wav(
    server: ChatServer, make_clip: Callable[..., Clip]
) -> None:
    clip = make_clip("slow", 200, 0.5, rate=8_000)
    conversation = (Turn("system", "Be kind."), Turn("user", "Which emotions?", (clip,)))
    draw(backend(server), DrawOrder(conversation, SAMPLED, (0,), "pool"))
    system, user = server.bodies[0]["messages"]
    assert system == {"role": "system", "content": "Be kind."}
    sound, text = user["content"]
    assert text == {"type": "text", "text": "Which emotions?"}
    data = io.BytesIO(base64.b64decode(sound["input_audio"]["data"]))
    samples, rate = soundfile.read(data, dtype="float32")
    assert rate == 16_000
    np.testing.assert_allclose(samples, load_waveform(clip), atol=1e-4)


def test_greedy_answers(server: ChatServer, clip: Clip) -> None:
    decoding = Decoding(max_new_tokens=32, stop=("\n\n",))
    draw(backend(server, "compatible"), order(clip, (0,), decoding))
    body = server.bodies[0]
    assert {name: body[name] for name in body if name not in ("messages", "model")} == {
        "max_tokens": 32,
        "temperature": 0.0,
        "stop": ["\n\n"],
    }


def test_openai_is_asked_in_its_own_words(
    server: ChatServer, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    chat = backend(server, "openai", reasoning_effort="low")
    found = draw(chat, order(clip))
    body = server.bodies[0]
    assert set(body) == {
        *("model", "messages", "max_completion_tokens", "temperature", "top_p", "n", "seed"),
        "reasoning_effort",
    }
    assert found[0, 0].log_likelihood is None
    assert found[0, 0].tokens is None  # the server counts all four together
    assert server.headers[0]["authorization"] == "Bearer sk-other"


def test_gemini_is_sent_no_seed_and_makes_eight_draws_of_a_request(
    server: ChatServer, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "g-key")
    draw(backend(server, "gemini"), order(clip, tuple(range(10))))
    assert [body["n"] for body in server.bodies] == [8, 2]
    assert not any({"seed", "logprobs"} & set(body) for body in server.bodies)


def test_beams(server: ChatServer, clip: Clip) -> None:
    decoding = Decoding(num_beams=3, max_new_tokens=64)
    found = draw(backend(server), order(clip, (0, 2), decoding))
    body = server.bodies[0]
    assert (body["n"], body["temperature"], body["use_beam_search"]) == (3, 0.0, True)
    assert (body["length_penalty"], body["include_stop_str_in_output"]) == (0.0, True)
    assert [found[0, rank].log_likelihood for rank in (0, 2)] == pytest.approx([-2.0, -6.0])


def test_a_server_without_beams_is_found_out(server: ChatServer, clip: Clip) -> None:
    server.behaviour.honours = frozenset({"seed", "logprobs"})
    with pytest.raises(UserError, match=r'gave 1 of 3 beams.*"candidates": "sample"'):
        draw(backend(server), order(clip, (0, 1, 2), Decoding(num_beams=3)))


@pytest.mark.parametrize("how", ["ignores", "refuses_n", "refuses_candidates"])
def test_a_server_that_makes_one_draw_a_request(server: ChatServer, clip: Clip, how: str) -> None:
    orders = [order(clip, key=key) for key in "abc"]
    expected = draw(backend(server), *orders)
    server.bodies.clear()
    server.behaviour.honours -= {"n"}
    if how != "ignores":
        server.behaviour.faults = [how]
    chat = backend(server, num_concurrent=1)
    assert draw(chat, *orders) == expected
    asked = [body.get("n") for body in server.bodies]
    assert asked == [4] + [None] * (11 if how == "ignores" else 12)
    assert chat.describe()["several_draws_ignored"] is True


def test_log_probabilities_that_do_not_come_end_in_a_sentence(
    server: ChatServer, clip: Clip
) -> None:
    server.behaviour.honours -= {"logprobs"}
    with pytest.raises(UserError, match=r"gives no log-probabilities, .* offers=n;seed"):
        draw(backend(server), order(clip))
    assert draw(backend(server, offers="n;seed"), order(clip))


def test_draws_that_do_not_differ_are_told_of(server: ChatServer, clip: Clip) -> None:
    server.behaviour.honours = frozenset({"logprobs"})
    chat = backend(server, offers="seed")
    draw(chat, order(clip, key="a"), order(clip, key="b"))
    assert chat.describe()["sampled_pools_of_one_text"] == 2
    assert any("seems to ignore temperature" in one for one in chat._record.warnings())


def test_requests_about_a_clip_are_sent_together(server: ChatServer, clips: list[Clip]) -> None:
    orders = [order(one, key=f"{one}{text}", text=text) for text in "ab" for one in clips]
    draw(backend(server, num_concurrent=1), *orders)
    sounds = [body["messages"][0]["content"][0]["input_audio"]["data"] for body in server.bodies]
    assert sounds == [one for sound in dict.fromkeys(sounds) for one in (sound, sound)]


def test_concurrency_is_bounded_and_connections_are_used_again(
    server: ChatServer, clip: Clip
) -> None:
    server.behaviour.latency = 0.02
    draw(backend(server, offers="seed", num_concurrent=4), order(clip, tuple(range(40))))
    assert server.peak == 4
    assert len(server.connections) == 4


def test_answers_come_one_by_one_and_whoever_stops_stops_the_rest(
    server: ChatServer, clip: Clip
) -> None:
    server.behaviour.latency = 0.05
    chat = backend(server, offers="seed", num_concurrent=2)
    draws: Any = chat.draw([order(clip, tuple(range(50)))])
    next(draws)
    draws.close()
    assert len(server.bodies) <= 10
    assert not [one for one in threading.enumerate() if one.name == "alm_api"]


def test_it_works_where_an_event_loop_runs(server: ChatServer, clip: Clip) -> None:
    async def in_a_notebook() -> int:
        return len(draw(backend(server), order(clip)))

    assert asyncio.run(in_a_notebook()) == 4


def test_clips_go_by_address_where_the_server_sees_them(server: ChatServer, clip: Clip) -> None:
    folder = str(Path(clip.path).parent)
    for url in ("file:///data/corpus", "http://files/corpus/"):
        draw(backend(server, audio_folder=folder, audio_url=url), order(clip))
        part = server.bodies[-1]["messages"][0]["content"][0]
        assert part == {"type": "audio_url", "audio_url": {"url": f"{url.rstrip('/')}/api.wav"}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"audio_folder": "/"}, "audio_folder and audio_url are given together"),
        ({"audio_folder": "/", "audio_url": "x", "offers": "n"}, "takes audio in line alone"),
        ({"audio_folder": "/nowhere", "audio_url": "x"}, "there is no folder /nowhere"),
    ],
)
def test_addresses_that_cannot_be(
    server: ChatServer, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        backend(server, **settings)


def test_stretches_and_other_rates_have_no_address(
    server: ChatServer, clip: Clip, make_clip: Callable[..., Clip]
) -> None:
    chat = backend(server, audio_folder=str(Path(clip.path).parent), audio_url="file:///x")
    for bad in (Clip(clip.path, 0.1, 0.2), make_clip("other", 100, 0.5, rate=8_000)):
        with pytest.raises(UserError, match="cannot be sent by address"):
            chat.draw([order(clip), order(bad)])
    assert server.bodies == []


@pytest.mark.parametrize(
    ("settings", "seconds", "limit"),
    [
        ({"max_seconds": 0.4}, 0.5, "0.4"),
        ({"model": "Qwen/Qwen2-Audio-7B-Instruct"}, 30.5, "30"),
    ],
)
def test_clips_that_are_too_long_end_it_before_anything_is_sent(
    server: ChatServer,
    make_clip: Callable[..., Clip],
    settings: dict[str, object],
    seconds: float,
    limit: str,
) -> None:
    clip = make_clip(f"long{limit}", 100, seconds)
    with pytest.raises(UserError, match=rf"1 clip\(s\) last longer than {limit} s"):
        backend(server, **settings).draw([order(clip)])
    assert server.bodies == []


def test_requests_that_are_too_large_end_it_before_anything_is_sent(
    server: ChatServer, clip: Clip, make_clip: Callable[..., Clip]
) -> None:
    chat = backend(server, "gemini", key_variable="VLLM_API_KEY")
    with pytest.raises(UserError, match="do not fit into a request of 20,000,000 bytes"):
        chat.draw([order(clip), order(make_clip("huge", 50, 500.0))])
    assert server.bodies == []


@pytest.mark.parametrize(
    ("decoding", "message"),
    [
        (Decoding(do_sample=True, top_k=5), "top_k, min_p and repetition_penalty are not offered"),
        (Decoding(repetition_penalty=1.1), "are not offered by provider=openai"),
        (Decoding(stop=("a", "b", "c", "d", "e")), "at most 4 strings, and not 5"),
    ],
)
def test_decodings_that_are_not_offered(
    server: ChatServer, clip: Clip, decoding: Decoding, message: str
) -> None:
    chat = backend(server, "openai", key_variable="VLLM_API_KEY")
    with pytest.raises(UserError, match=message):
        chat.draw([order(clip, (0,), decoding)])
    assert server.bodies == []
