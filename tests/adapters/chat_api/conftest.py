"""A server for each test, quick retries, and orders about a clip."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ambi_tasks.audio import Clip
from model_adapters.backend import Answer, Decoding, DrawOrder, ScoreOrder, Turn
from model_adapters.chat_api import ChatApiBackend, client
from tests.adapters.chat_api.server import KEY, MODEL, ChatServer

SAMPLED = Decoding(do_sample=True, temperature=0.8, max_new_tokens=64)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits before retries, and no keys of the user's own."""
    monkeypatch.setattr(client, "_backoff", lambda state: 0.01 * state.attempt_number)
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "ALM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VLLM_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as running:
        yield running


@pytest.fixture
def clip(make_clip: Callable[..., Clip]) -> Clip:
    return make_clip("api", 200, 0.5)


def backend(server: ChatServer, provider: str = "vllm", **settings: Any) -> ChatApiBackend:
    settings = {"model": MODEL, "base_url": server.url, "timeout": 10.0} | settings
    return ChatApiBackend(provider=provider, **settings)


def order(
    clip: Clip,
    indices: tuple[int, ...] = (0, 1, 2, 3),
    decoding: Decoding = SAMPLED,
    *,
    key: str = "pool",
    text: str = "Which emotions?",
) -> DrawOrder:
    return DrawOrder((Turn("user", text, (clip,)),), decoding, indices, key)


def score_order(clip: Clip, *answers: str) -> ScoreOrder:
    return ScoreOrder((Turn("user", "Which emotion?", (clip,)),), answers)


def draw(chat: ChatApiBackend, *orders: DrawOrder) -> dict[tuple[int, int], Answer]:
    found: dict[tuple[int, int], Answer] = {}
    for position, index, answer in chat.draw(orders):
        assert (position, index) not in found
        found[position, index] = answer
    assert set(found) == {(i, j) for i, one in enumerate(orders) for j in one.indices}
    return found
