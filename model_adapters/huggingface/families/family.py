"""What the engine must know of a model family, and how families are found."""

import importlib
import inspect
import logging
import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any, ClassVar

import transformers
from transformers.models.auto import modeling_auto
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

from ambi_tasks.audio import Waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import Conversation

ENTRY_POINT_GROUP = "ambi_tasks.families"

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_FAMILIES: dict[str, type["Family"]] = {}
_AUTO_CLASSES = {
    "AutoModelForMultimodalLM": modeling_auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES,
    "AutoModelForSeq2SeqLM": modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
}
_HEARS = {"feature_extractor", "audio_processor"}


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
        reads_together: Whether several conversations may be read as one batch: its encoder hears
            nothing of the padding, and its processor takes several texts.
        tested: Whether our tests compare its draws with plain `generate`; else the engine does, at
            the first prompt.
    """

    model_type: ClassVar[str]
    auto_class: ClassVar[str] = "AutoModelForMultimodalLM"
    system_turn: ClassVar[bool] = True
    clips: ClassVar[int | None] = 1
    shortest_audio: ClassVar[float] = 0.1
    reads_together: ClassVar[bool] = True
    tested: ClassVar[bool] = True

    @classmethod
    def load_processor(cls, path: str, **settings: Any) -> Any:
        """Load what makes inputs of text and audio.

        Args:
            path: Folder or hub name.
            settings: `revision` and `trust_remote_code`.
        """
        return transformers.AutoProcessor.from_pretrained(path, **settings)

    @classmethod
    def load_model(cls, path: str, **settings: Any) -> Any:
        """Load the model, on the CPU unless `device_map` is given.

        Args:
            path: Folder or hub name.
            settings: Of `from_pretrained`.
        """
        return getattr(transformers, cls.auto_class).from_pretrained(path, **settings)

    @staticmethod
    def feature_extractor(processor: Any) -> Any:
        """The part of a processor that hears, by either of its names."""
        if hasattr(processor, "feature_extractor"):
            return processor.feature_extractor
        heard = processor.audio_processor
        return getattr(heard, "feature_extractor", heard)  # Ultravox keeps a processor there

    @classmethod
    def sampling_rate(cls, processor: Any) -> int:
        """Rate in Hz at which the model hears."""
        return int(cls.feature_extractor(processor).sampling_rate)

    @classmethod
    def longest_audio(cls, processor: Any) -> float | None:
        """Seconds that the model hears of a clip, None for no limit.

        That is one window of the feature extractor, or as many as the processor makes of a clip.
        """
        seconds = getattr(processor, "max_audio_len", None)
        if seconds is None:
            seconds = getattr(cls.feature_extractor(processor), "chunk_length", None)
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

    @classmethod
    def model_inputs(
        cls, processor: Any, texts: Sequence[str], waveforms: Sequence[Waveform]
    ) -> Any:
        """Tokens and audio features of a batch, padded on the left.

        Args:
            processor: The checkpoint's processor.
            texts: Chat texts, (B,).
            waveforms: The clips of all of them, in their order, at the processor's rate.
        """
        # Each part gets its own settings: padding meant for the text also reaches the audio
        # otherwise, and some processors then pad a clip to less than a window.
        return processor(
            text=list(texts),
            audio=list(waveforms) or None,
            text_kwargs={"padding": True, "padding_side": "left"},
            audio_kwargs={"sampling_rate": cls.sampling_rate(processor)},
            return_tensors="pt",
        )

    @classmethod
    def inputs(
        cls,
        processor: Any,
        conversations: Sequence[Conversation],
        waveforms: Sequence[Waveform],
    ) -> Any:
        """What the model is given for a batch of conversations, as by `model_inputs`."""
        texts = [cls.chat_text(processor, conversation) for conversation in conversations]
        return cls.model_inputs(processor, texts, waveforms)


@cache
def import_families() -> None:
    """Import every family, those of other packages too, with what they tell transformers."""
    package = importlib.import_module("model_adapters.huggingface.families")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        point.load()


def family_of(model_type: str) -> type[Family]:
    """Look a family up by the `model_type` of a checkpoint's config.

    A model without a family is tried with the defaults, where transformers knows an Auto class for
    it and a processor that hears.

    Raises:
        UserError: There is neither.
    """
    import_families()
    if model_type not in _FAMILIES:
        return _generic_family(model_type)
    return _FAMILIES[model_type]


@cache
def _generic_family(model_type: str) -> type[Family]:
    auto_class = _auto_class(model_type)
    if auto_class is None:
        raise UserError(
            f"alm_hf has no family for model_type '{model_type}', and transformers "
            f"{transformers.__version__} knows no model of it that hears and writes; there are: "
            f"{', '.join(sorted(_FAMILIES))}. Register one with @register_family "
            f"(docs/adding_a_model.md)."
        )
    _log.info(
        "alm_hf: no family is made for model_type '%s'; it is loaded by %s and shown its chat "
        "template and its processor as they are.",
        model_type,
        auto_class,
    )
    settings = {"model_type": model_type, "auto_class": auto_class}
    return type("GenericFamily", (Family,), settings | {"reads_together": False, "tested": False})


def _auto_class(model_type: str) -> str | None:
    """The Auto class that loads a model which hears, None where there is none."""
    processor = PROCESSOR_MAPPING_NAMES.get(model_type)
    if processor is None or not _HEARS & set(_parameters(processor)):
        return None
    for auto_class, models in _AUTO_CLASSES.items():
        if model_type in models:
            return auto_class
    return None


def _parameters(processor: str) -> list[str]:
    """What a processor is built of."""
    try:
        return list(inspect.signature(getattr(transformers, processor)).parameters)
    except (AttributeError, ImportError):  # it needs a library that is not there
        return []
