"""A model class for `--model alm_hf`: registered with transformers, and as a family.

The classes stand for a model of one's own; here they are Qwen2-Audio's under another name.
"""

from typing import ClassVar

from transformers import (
    AutoConfig,
    AutoModelForMultimodalLM,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
)

from model_adapters.huggingface.families import Family, register_family


class ExampleConfig(Qwen2AudioConfig):
    """Its `model_type` is what a checkpoint's config.json says."""

    model_type = "ambi_example"


class ExampleForConditionalGeneration(Qwen2AudioForConditionalGeneration):
    """The model."""

    config_class = ExampleConfig


AutoConfig.register(ExampleConfig.model_type, ExampleConfig, exist_ok=True)
AutoModelForMultimodalLM.register(ExampleConfig, ExampleForConditionalGeneration, exist_ok=True)


@register_family
class ExampleFamily(Family):
    """What differs from the defaults of `Family`: any number of clips in a question."""

    model_type = ExampleConfig.model_type
    clips: ClassVar[int | None] = None
