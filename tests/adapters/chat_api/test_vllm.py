"""`alm_api` on a real vLLM server, which runs the bundled model: `make test-vllm`.

The same checkpoint answers by `alm_hf`, so what does not depend on random numbers must be equal.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lm_eval
import numpy as np
import pytest
import torch
import transformers
from lm_eval.tasks import TaskManager
from transformers.models.whisper.modeling_whisper import sinusoids

import ambi_tasks
from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from ambi_tasks.plugin import tasks_path
from ambi_tasks.prompts import load_prompt
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import Answer, Backend, Decoding, DrawOrder, ScoreOrder, Turn
from model_adapters.chat_api import ChatApiBackend
from model_adapters.huggingface import HuggingFaceBackend
from tests.adapters.chat_api.real_server import free_port, running

pytestmark = pytest.mark.vllm

VARIABLE = "AMBI_TEST_VLLM"
NAME = "demo"
LIMIT = 8
LABELS = ("neutral", "happy", "angry", "sad")
DEMO_CLIPS = Path(ambi_tasks.__file__).parent / "demo" / "corpus" / "clips"


def lengthened(folder: Path) -> str:
    """The bundled model with a window of 30 s in place of 6 s, which vLLM takes for granted.

    Positions that no clip of the demo corpus reaches are added, so that it answers as before.
    """
    source = Path(ambi_tasks.__file__).parent / "demo" / "model"
    model: Any = transformers.Qwen2AudioForConditionalGeneration.from_pretrained(
        source, dtype=torch.float32
    )
    (encoder,) = (one for one in model.modules() if hasattr(one, "embed_positions"))
    positions = encoder.embed_positions.weight.data
    further = sinusoids(1500, positions.shape[1])[len(positions) :]
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(torch.cat([positions, further]))
    model.config.audio_config.max_source_positions = 1500
    processor = transformers.AutoProcessor.from_pretrained(source)
    settings = processor.feature_extractor.to_dict() | {"chunk_length": 30}
    processor.feature_extractor = transformers.WhisperFeatureExtractor(**settings)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter of an environment that has vLLM."""
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} names no environment that has vLLM (make test-vllm makes one)")
    return str(Path(os.environ[VARIABLE]).absolute() / "bin" / "python")


@pytest.fixture(scope="session")
def checkpoint(python: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    del python  # only where it is needed
    return lengthened(tmp_path_factory.mktemp("demo30"))


@pytest.fixture(scope="session")
def url(python: str, checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    clips = tmp_path_factory.getbasetemp()
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", checkpoint]
    command += ["--served-model-name", NAME, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", "float32", "--max-model-len", "2048", "--enforce-eager"]
    command += ["--block-size", "32", "--allowed-local-media-path", str(clips)]
    command += ["--no-enable-chunked-prefill"]  # which a seeded request does not survive on a CPU
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    environment |= {"TORCHDYNAMO_DISABLE": "1"}
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    with running(command, port, environment, log, seconds=240) as base:
        yield base


@pytest.fixture
def served(url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ChatApiBackend]:
    monkeypatch.delenv("VLLM_API_KEY", raising=False)

    def make(**settings: Any) -> ChatApiBackend:
        return ChatApiBackend(**({"model": NAME, "base_url": url, "provider": "vllm"} | settings))

    return make


@pytest.fixture(scope="session")
def local(checkpoint: str) -> HuggingFaceBackend:
    return HuggingFaceBackend(pretrained=checkpoint, device="cpu", batch_size=16)


def evaluate(model: AudioLM, *strategies: str, **metadata: Any) -> Any:
    manager = TaskManager(include_path=tasks_path(), include_defaults=False, metadata=metadata)
    return lm_eval.simple_evaluate(
        model=model,
        tasks=[f"ambi_demo_{name}" for name in strategies],
        task_manager=manager,
        limit=LIMIT,
        bootstrap_iters=0,
    )


def predictions(results: Any, strategy: str) -> np.ndarray[Any, Any]:
    samples = results["samples"][f"ambi_demo_{strategy}"]
    return np.array([sample["doc"]["prediction"] for sample in samples])


def demo_clips(number: int) -> list[Clip]:
    return [Clip(str(path)) for path in sorted(DEMO_CLIPS.glob("*.flac"))[:number]]


def order(clip: Clip, decoding: Decoding, indices: tuple[int, ...] = (0,)) -> DrawOrder:
    text = load_prompt("direct").render(labels=LABELS)
    return DrawOrder((Turn("user", text, (clip,)),), decoding, indices, f"key of {clip}")


def draws(backend: Backend, *orders: DrawOrder) -> dict[tuple[int, int], Answer]:
    return {(position, index): answer for position, index, answer in backend.draw(orders)}


def test_strategies_without_chance_agree_with_our_own_engine(
    served: Callable[..., ChatApiBackend], local: HuggingFaceBackend
) -> None:
    strategies = ("direct", "cot", "bon", "wbon", "tlr")
    theirs = evaluate(AudioLM(served(), keep_draws=False), *strategies)
    ours = evaluate(AudioLM(local, keep_draws=False), *strategies)
    for name in strategies:
        np.testing.assert_allclose(predictions(theirs, name), predictions(ours, name), atol=2e-3)
    for sample, other in zip(
        *(results["samples"]["ambi_demo_bon"] for results in (theirs, ours)), strict=True
    ):
        found, expected = sample["doc"]["draws"], other["doc"]["draws"]
        assert [one["text"] for one in found] == [one["text"] for one in expected]
        for one, same in zip(found, expected, strict=True):
            assert one["log_likelihood"] == pytest.approx(same["log_likelihood"], abs=0.01)
            assert one["tokens"] == same["tokens"]
    config = theirs["config"]
    assert config["answered_by"].keys() == {NAME}
    assert all(name.startswith("vllm-") for name in config["system_fingerprints"])


def test_a_pool_is_one_request_and_its_draws_differ(served: Callable[..., ChatApiBackend]) -> None:
    sampled = Decoding(do_sample=True, max_new_tokens=24)
    chat = served()
    whole = draws(chat, *(order(clip, sampled, tuple(range(8))) for clip in demo_clips(3)))
    assert chat.describe()["requests_answered"] == 3
    assert len({answer.text for answer in whole.values()}) > 8
    # A draw is the same alone: its seed does not depend on what else is drawn.
    for clip in range(3):
        alone = draws(served(), order(demo_clips(3)[clip], sampled, (2, 5)))
        for index in (2, 5):
            assert alone[0, index].text == whole[clip, index].text


def test_filters_are_honoured(served: Callable[..., ChatApiBackend]) -> None:
    (clip,) = demo_clips(1)
    greedy = draws(served(), order(clip, Decoding(max_new_tokens=16)))[0, 0]
    for filters in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 0.999}):
        sampled = Decoding(do_sample=True, temperature=2.0, max_new_tokens=16, **filters)  # type: ignore[arg-type]
        for answer in draws(served(), order(clip, sampled, (0, 1, 2))).values():
            assert answer.text == greedy.text


def test_the_two_ways_to_read_labels_agree(served: Callable[..., ChatApiBackend]) -> None:
    orders = [ScoreOrder(order(clip, Decoding()).conversation, LABELS) for clip in demo_clips(3)]
    exactly = dict(served().log_likelihoods(orders))
    chat = served(offers="logprobs")
    by_rivals = dict(chat.log_likelihoods(orders))
    for place, scores in exactly.items():
        for one, other in zip(scores, by_rivals[place], strict=True):
            if other.log_likelihood > -np.inf:
                assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-3)
    mass = chat.describe()["missing_mass"]
    assert mass["read_outs"] == 3
    assert 0 <= mass["mean"] <= mass["largest"] < 1


def test_it_judges_the_answers_of_our_own_engine(
    served: Callable[..., ChatApiBackend], local: HuggingFaceBackend
) -> None:
    chat = served()
    asked = {"score": "probability"}
    judged = evaluate(AudioLM(local, verifier=AudioLM(chat)), "walmv", **asked)
    itself = evaluate(AudioLM(local), "walmv", **asked)
    np.testing.assert_allclose(
        predictions(judged, "walmv"), predictions(itself, "walmv"), atol=2e-3
    )
    assert judged["config"]["verifier"]["requests_answered"] > 0


def test_clips_by_address_are_heard_alike(
    served: Callable[..., ChatApiBackend], clips: list[Clip]
) -> None:
    folder = str(Path(clips[0].path).parent)
    by_address = served(audio_folder=folder, audio_url=f"file://{folder}")
    decoding = Decoding(max_new_tokens=12)
    found = draws(by_address, *(order(clip, decoding) for clip in clips))
    expected = draws(served(), *(order(clip, decoding) for clip in clips))
    for place, answer in found.items():
        assert answer.text == expected[place].text
        assert answer.log_likelihood == pytest.approx(expected[place].log_likelihood, abs=1e-3)


def test_mistakes_end_in_a_sentence(served: Callable[..., ChatApiBackend]) -> None:
    (clip,) = demo_clips(1)
    with pytest.raises(UserError, match="has no model 'dmeo'"):
        draws(served(model="dmeo"), order(clip, Decoding()))
    with pytest.raises(UserError, match=r"does not take the request .*status 400"):
        draws(served(), order(clip, Decoding(max_new_tokens=100_000)))
