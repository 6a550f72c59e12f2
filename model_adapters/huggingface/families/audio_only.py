"""Processors of models that see, without the part that sees.

The image and video processors of some families need torchvision, although a clip takes none of
them. What is done with text and audio is the code of the family's own processor.
"""

import inspect
from functools import cache
from typing import Any

import transformers

_TOKENS = ("image", "audio", "video", "vision_bos", "vision_eos", "audio_bos", "audio_eos")


@cache
def audio_only(processor_class: str) -> Any:
    """Make a processor that is built of what hears and a tokenizer.

    Args:
        processor_class: Name of the family's processor in transformers.

    Returns:
        A subclass that loads from the family's checkpoints.
    """
    whole = getattr(transformers, processor_class)
    # transformers reads the names of the parts off the constructor.
    hears = "audio_processor" in inspect.signature(whole).parameters
    constructor = _with_audio_processor if hears else _with_feature_extractor
    return type(processor_class, (whole,), {"__init__": constructor})


def _with_feature_extractor(
    self: Any, feature_extractor: Any, tokenizer: Any, chat_template: Any = None
) -> None:
    _build(self, feature_extractor, tokenizer, chat_template)


def _with_audio_processor(
    self: Any, audio_processor: Any, tokenizer: Any, chat_template: Any = None
) -> None:
    _build(self, audio_processor, tokenizer, chat_template)


def _build(processor: Any, hears: Any, tokenizer: Any, chat_template: Any) -> None:
    """Do what the whole class's constructor does: keep the parts, and the special tokens."""
    for token in _TOKENS:
        for name in (f"{token}_token", f"{token}_token_id"):
            if hasattr(tokenizer, name):
                setattr(processor, name, getattr(tokenizer, name))
    transformers.ProcessorMixin.__init__(processor, hears, tokenizer, chat_template=chat_template)
