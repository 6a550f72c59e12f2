"""`alm_api` on `transformers serve`, which runs the bundled model; `alm_hf` runs it too."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ambi_tasks
from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from ambi_tasks.prompts import load_prompt
from model_adapters.backend import Answer, Backend, Decoding, DrawOrder, ScoreOrder, Turn
from model_adapters.chat_api import ChatApiBackend
from model_adapters.huggingface import HuggingFaceBackend
from tests.adapters.chat_api.real_server import free_port, running

DEMO = Path(ambi_tasks.__file__).parent / "demo"
MODEL = str(DEMO / "model")
LABELS = ("neutral", "happy", "angry", "sad")
SAMPLED = Decoding(do_sample=True, max_new_tokens=32)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if importlib.util.find_spec("fastapi") is None:
        pytest.skip("transformers serve needs fastapi")
    port = free_port()
    program = str(Path(sys.executable).with_name("transformers"))
    command = [program, "serve", MODEL, "--device", "cpu", "--dtype", "float32"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    log = tmp_path_factory.mktemp("serve") / "server.log"
    with running(command, port, {"OMP_NUM_THREADS": "1"}, log, seconds=180) as base:
        yield base


@pytest.fixture
def served(url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ChatApiBackend]:
    monkeypatch.delenv("ALM_API_KEY", raising=False)

    def make(**settings: Any) -> ChatApiBackend:
        defaults = {"model": MODEL, "base_url": url, "provider": "transformers"}
        return ChatApiBackend(**(defaults | settings))

    return make


def order(clip: int, decoding: Decoding, indices: tuple[int, ...] = (0,)) -> DrawOrder:
    path = sorted((DEMO / "corpus" / "clips").glob("*.flac"))[clip]
    turn = Turn("user", load_prompt("direct").render(labels=LABELS), (Clip(str(path)),))
    return DrawOrder((turn,), decoding, indices, f"key of {clip}")


def draws(backend: Backend, *orders: DrawOrder) -> dict[tuple[int, int], Answer]:
    return {(position, index): answer for position, index, answer in backend.draw(orders)}


def test_greedy_answers_are_those_of_our_own_engine(served: Callable[..., ChatApiBackend]) -> None:
    orders = [order(clip, Decoding(max_new_tokens=32)) for clip in range(4)]
    local = HuggingFaceBackend(pretrained="demo", device="cpu", batch_size=4)
    expected = {place: answer.text for place, answer in draws(local, *orders).items()}
    assert {place: answer.text for place, answer in draws(served(), *orders).items()} == expected


def test_it_samples_by_seeds(served: Callable[..., ChatApiBackend]) -> None:
    chat = served(num_concurrent=1)  # it seeds the whole process
    found = draws(chat, order(0, SAMPLED, tuple(range(6))))
    assert len({answer.text for answer in found.values()}) > 1
    alone = draws(served(), order(0, SAMPLED, (3,)))
    assert alone[0, 3].text == found[0, 3].text
    narrow = Decoding(do_sample=True, temperature=2.0, top_k=1, max_new_tokens=32)
    likeliest = draws(served(), order(0, Decoding(max_new_tokens=32)))[0, 0].text
    assert {one.text for one in draws(served(), order(0, narrow, (0, 1))).values()} == {likeliest}


def test_promises_that_it_does_not_keep_are_noticed(served: Callable[..., ChatApiBackend]) -> None:
    chat = served(offers="n;seed;filters")
    found = draws(chat, order(0, SAMPLED, (0, 1, 2)))
    assert len(found) == 3
    assert chat.describe()["several_draws_ignored"] is True
    with pytest.raises(UserError, match="gives no log-probabilities"):
        draws(served(offers="seed;logprobs"), order(0, SAMPLED))
    plain = served(provider="compatible")
    draws(plain, order(0, SAMPLED, (0, 1, 2)))
    assert plain.describe()["sampled_pools_of_one_text"] == 1


def test_what_it_cannot_is_refused(served: Callable[..., ChatApiBackend]) -> None:
    with pytest.raises(UserError, match="takes at most 0 strings"):
        served().draw([order(0, Decoding(stop=("\n",)))])
    with pytest.raises(UserError, match="provider=transformers gives no log-probabilities"):
        served().log_likelihoods([ScoreOrder(order(0, SAMPLED).conversation, LABELS)])
    with pytest.raises(UserError, match="status 4"):
        draws(served(model="nothing"), order(0, SAMPLED))
