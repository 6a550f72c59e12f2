"""Each family's tiny model, loaded twice: by our engine, and plainly by transformers."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from model_adapters.backend import Conversation
from model_adapters.huggingface import HuggingFaceBackend
from model_adapters.huggingface.engine import Engine
from model_adapters.huggingface.families import Family, family_of
from tests.adapters.families import tiny


@dataclass(frozen=True)
class Case:
    """A family and its tiny model.

    Attributes:
        model_type: As in the checkpoint.
        model_class: What loads the checkpoint plainly.
        needs: Modules without which it is skipped.
        built: Makes model and processor, for a model that cannot be saved and loaded here.
    """

    model_type: str
    model_class: str
    needs: tuple[str, ...] = ()
    built: Callable[[], tuple[Any, Any]] | None = None


CASES = [
    Case("qwen2_audio", "Qwen2AudioForConditionalGeneration"),
    Case("qwen2_5_omni", "Qwen2_5OmniThinkerForConditionalGeneration"),
    Case("qwen2_5_omni_thinker", "Qwen2_5OmniThinkerForConditionalGeneration"),
    Case("qwen3_omni_moe", "Qwen3OmniMoeThinkerForConditionalGeneration"),
    Case("qwen3_omni_moe_thinker", "Qwen3OmniMoeThinkerForConditionalGeneration"),
    Case("audioflamingo3", "AudioFlamingo3ForConditionalGeneration"),
    Case("musicflamingo", "MusicFlamingoForConditionalGeneration"),
    Case("voxtral", "VoxtralForConditionalGeneration", ("mistral_common",)),
    Case("phi4_multimodal", "Phi4MultimodalForCausalLM"),
    Case("gemma3n", "Gemma3nForConditionalGeneration", built=tiny.gemma3n),
    Case("granite_speech", "GraniteSpeechForConditionalGeneration", built=tiny.granite_speech),
    Case(
        "granite_speech_plus",
        "GraniteSpeechPlusForConditionalGeneration",
        built=tiny.granite_speech_plus,
    ),
    Case("glmasr", "GlmAsrForConditionalGeneration"),
    Case("qwen3_asr", "Qwen3ASRForConditionalGeneration"),
]


@dataclass(frozen=True)
class Subject:
    """A tiny model.

    Attributes:
        model: As transformers loads it, with plain greedy settings.
        family: What our engine knows of it.
    """

    case: Case
    model: Any
    processor: Any
    family: type[Family]
    loaded: Any

    def engine(self, batch_size: int = 1, long_audio: str = "refuse") -> Engine:
        return Engine(self.loaded, self.processor, self.family, batch_size, long_audio)

    def inputs(self, conversation: Conversation) -> dict[str, Any]:
        """What transformers' own path makes of a conversation, clips read from their files."""
        messages = []
        for turn in conversation:
            audio = [{"type": "audio", "path": clip.path} for clip in turn.clips]
            text = {"type": "text", "text": turn.text}
            content = [*audio, text] if turn.role == "user" else turn.text
            messages.append({"role": turn.role, "content": content})
        asked = {"tokenize": True, "return_dict": True, "add_generation_prompt": True}
        if self.case.model_type == "voxtral":
            asked = {}
        return dict(self.processor.apply_chat_template(messages, return_tensors="pt", **asked))


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.model_type)
def subject(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    case: Case = request.param
    for module in case.needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{case.model_type} needs {module}")
    torch.manual_seed(0)
    if case.built is not None:
        model, processor = case.built()
        yield Subject(case, plain(model, processor), processor, family_of(case.model_type), model)
        return
    folder = tmp_path_factory.mktemp(case.model_type)
    getattr(tiny, case.model_type)(folder)
    yield loaded_subject(case, folder)


def loaded_subject(case: Case, folder: Path) -> Subject:
    engine = HuggingFaceBackend(pretrained=str(folder), device="cpu")._engine
    model = getattr(transformers, case.model_class).from_pretrained(folder, dtype=torch.float32)
    processor = engine._processor
    return Subject(case, plain(model, processor), processor, engine._family, engine._model)


def plain(model: Any, processor: Any) -> Any:
    model.eval().generation_config = transformers.GenerationConfig(
        eos_token_id=processor.tokenizer.eos_token_id, pad_token_id=processor.tokenizer.pad_token_id
    )
    return model
