"""Budgets, prices, and what a run is going to cost."""

from typing import Any

import pytest

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from model_adapters.backend import DrawOrder, Turn
from model_adapters.chat_api import ChatApiBackend
from model_adapters.chat_api.providers import PRICES, SHUT_DOWN, read_price
from model_adapters.chat_api.record import Usage
from tests.adapters.chat_api.conftest import SAMPLED, backend, draw, order
from tests.adapters.chat_api.server import ChatServer


def priced(server: ChatServer, **settings: Any) -> ChatApiBackend:
    """A model with a price: 0.5 s of audio are 5 tokens, and an answer has 20 of at most 64."""
    defaults = {"key_variable": "VLLM_API_KEY", "price": "1;100;1000", "offers": "seed"}
    return backend(server, "openai", **(defaults | settings))


def test_a_budget_of_requests_stops_and_goes_on(server: ChatServer, clip: Clip) -> None:
    server.behaviour.latency = 0.01
    found: list[Any] = []
    draws = priced(server, max_requests=10).draw([order(clip, tuple(range(25)))])
    with pytest.raises(UserError, match=r"max_requests=10 does not allow .* to go on"):
        found.extend(draws)
    assert len(found) == len(server.bodies) == 10
    left = tuple(sorted(set(range(25)) - {index for _, index, _ in found}))
    assert len(draw(priced(server, max_requests=15), order(clip, left))) == 15


def test_retries_count_as_requests(server: ChatServer, clip: Clip) -> None:
    server.behaviour.always = "503"
    with pytest.raises(UserError, match="max_requests=3"):
        draw(priced(server, max_requests=3), order(clip, (0,)))
    assert len(server.bodies) == 3


def test_a_budget_of_money_is_never_exceeded_and_is_used(server: ChatServer, clip: Clip) -> None:
    server.behaviour.latency = 0.01
    chat = priced(server, max_cost=0.25, num_concurrent=16)
    found: list[Any] = []
    draws = chat.draw([order(clip, tuple(range(50)))])
    with pytest.raises(UserError, match=r"max_cost=0.25 \(0\.\d+ USD were spent\)"):
        found.extend(draws)
    cost = chat.describe()["cost_usd"]
    each = 0.0205  # 20 tokens of an answer and 5 of audio; it might have been 0.0645
    assert cost == pytest.approx(len(found) * each, rel=0.01)
    assert 0.25 - 0.0645 - each < cost <= 0.25


def test_a_budget_lasts_over_all_stages_of_a_run(server: ChatServer, clip: Clip) -> None:
    chat = priced(server, max_requests=5)
    draw(chat, order(clip, tuple(range(4))))
    with pytest.raises(UserError, match="max_requests=5"):
        draw(chat, order(clip, (4, 5)))


def test_what_was_spent_is_recorded(server: ChatServer, clip: Clip) -> None:
    chat = priced(server)
    draw(chat, order(clip, (0, 1)))
    described = chat.describe()
    assert described["audio_tokens"] == 10
    assert described["output_tokens"] == 40
    text = described["question_tokens"] - described["audio_tokens"]
    cost = (text + 100 * 10 + 1000 * 40) / 1e6
    assert described["cost_usd"] == pytest.approx(cost)
    assert described["price"] == "--model_args price"


def test_audio_that_a_server_does_not_count_is_estimated(server: ChatServer, clip: Clip) -> None:
    counted = priced(server)
    draw(counted, order(clip, (0,)))
    server.behaviour.counts_audio = False
    estimated = priced(server)
    draw(estimated, order(clip, (0,)))
    for kind in ("question_tokens", "audio_tokens", "cost_usd"):
        assert estimated.describe()[kind] == counted.describe()[kind]


def test_audio_that_nobody_counts_is_unknown_and_not_nothing(
    server: ChatServer, clip: Clip
) -> None:
    server.behaviour.counts_audio = False
    chat = backend(server)
    draw(chat, order(clip, (0,)))
    assert chat.describe()["audio_tokens"] is None
    assert chat.describe()["question_tokens"] > 0
    silent = backend(server)
    draw(silent, DrawOrder((Turn("user", "No sound."),), SAMPLED, (0,), "key"))
    assert silent.describe()["audio_tokens"] == 0


def test_tokens_of_reasoning_are_paid_for() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 605}
    assert Usage.read({"usage": usage}, audio_expected=60) == Usage(40, 60, 505)
    assert Usage.read({"usage": None}, audio_expected=60) == Usage(0, 0, 0)
    assert Usage.read({"usage": {"prompt_tokens": "many"}}, 60) == Usage(0, 0, 0)
    assert Usage.read({"usage": usage}, None) == Usage(100, 0, 505, tells_audio=False)


def test_a_dry_run_sends_nothing_and_needs_no_key(
    server: ChatServer, clip: Clip, capsys: pytest.CaptureFixture[str]
) -> None:
    chat = ChatApiBackend(
        model="gpt-audio-2025-08-28", provider="openai", base_url=server.url, dry_run=True
    )
    with pytest.raises(SystemExit) as caught:
        chat.draw([order(clip, tuple(range(16)), key=key) for key in "ab"])
    assert caught.value.code == 0
    assert server.bodies == []
    said = capsys.readouterr().out
    assert "2 requests to gpt-audio-2025-08-28, 0.0 minutes of audio" in said
    assert "audio about 10, answers at most 2,048" in said
    assert "at most 0.02 with answers (openrouter.ai, list price 2026)" in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [({}, "price unknown (--model_args price"), ({"price": "1;2;3"}, "since the audio's tokens")],
)
def test_an_estimate_without_a_price(
    server: ChatServer,
    clip: Clip,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    said: str,
) -> None:
    with pytest.raises(SystemExit):
        backend(server, dry_run=True, **settings).draw([order(clip)])
    found = capsys.readouterr().out
    assert "audio unknown, answers at most 256; " in found
    assert said in found


@pytest.mark.parametrize("price", ["1", "a;b;c", "1;2;-3", "1;2;3;4", "1;2;nan"])
def test_prices_that_are_none(price: str) -> None:
    with pytest.raises(UserError, match="price must be three numbers"):
        read_price(price, "x")


def test_every_price_has_a_source_and_a_date() -> None:
    for price in PRICES.values():
        assert price.source
        assert price.date.startswith("20")
    assert all(date.startswith("20") for date in SHUT_DOWN.values())


def test_a_budget_of_money_needs_a_price(server: ChatServer) -> None:
    for settings in ({}, {"price": "1;2;3"}):
        with pytest.raises(UserError, match="max_cost: what 'tiny-audio' costs is not known"):
            backend(server, max_cost=1.0, **settings)
