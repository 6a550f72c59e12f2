"""What the engine must know of a model family, and how families are found."""

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any, ClassVar

from ambi_tasks.audio import Waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import Conversation

ENTRY_POINT_GROUP = "ambi_tasks.families"

_FAMILIES: dict[str, type["Family"]] = {}


def register_family(family: type["Family"]) -> type["Family"]:
    """Make a family known under its `model_type`.

    A package that is to be found without being imported names its module as an entry point of the
    group `ambi_tasks.families`.
    """
    _FAMILIES[family.model_type] = family
    return family


class Family:
    """How the models of one `model_type` are loaded and shown a conversation.

    The defaults fit a family that its Auto class loads, whose processor takes `text` and `audio`,
    and whose chat template takes audio parts.

    Attributes:
        model_type: The `model_type` of the checkpoint's config.
        auto_class: The class of transformers that loads it.
        system_turn: Whether its template takes a system turn.
        clips: Most clips a conversation may hold, None for any number.
        shortest_audio: Seconds below which its encoder fails.
    """

    model_type: ClassVar[str]
    auto_class: ClassVar[str] = "AutoModelForMultimodalLM"
    system_turn: ClassVar[bool] = True
    clips: ClassVar[int | None] = 1
    shortest_audio: ClassVar[float] = 0.1

    @staticmethod
    def longest_audio(processor: Any) -> float | None:
        """Seconds that one window of the feature extractor holds, None for no limit."""
        seconds = getattr(processor.feature_extractor, "chunk_length", None)
        return None if seconds is None else float(seconds)

    @staticmethod
    def chat_text(processor: Any, conversation: Conversation) -> str:
        """Apply the chat template, up to where the model's turn starts."""
        messages = []
        for turn in conversation:
            audio = [{"type": "audio", "audio": str(clip)} for clip in turn.clips]
            text = [{"type": "text", "text": turn.text}]
            content = audio + text if turn.role == "user" else turn.text
            messages.append({"role": turn.role, "content": content})
        text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return str(text)

    @staticmethod
    def model_inputs(processor: Any, texts: Sequence[str], waveforms: Sequence[Waveform]) -> Any:
        """Tokens and audio features of a batch, padded on the left.

        Args:
            processor: The checkpoint's processor.
            texts: Chat texts, (B,).
            waveforms: The clips of all of them, in their order, at the processor's rate.
        """
        return processor(
            text=list(texts),
            audio=list(waveforms) or None,
            sampling_rate=processor.feature_extractor.sampling_rate,
            padding=True,
            return_tensors="pt",
        )


@cache
def _import_modules() -> None:
    package = importlib.import_module("model_adapters.huggingface.families")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        point.load()


def family_of(model_type: str) -> type[Family]:
    """Look a family up by the `model_type` of a checkpoint's config.

    Raises:
        UserError: There is none.
    """
    _import_modules()
    if model_type not in _FAMILIES:
        raise UserError(
            f"alm_hf has no family for model_type '{model_type}'; there are: "
            f"{', '.join(sorted(_FAMILIES))}. Register one with @register_family "
            f"(docs/adding_a_model.md)."
        )
    return _FAMILIES[model_type]
