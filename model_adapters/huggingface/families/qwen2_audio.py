"""Qwen2-Audio (Chu et al., "Qwen2-Audio Technical Report", 2024), and the bundled demo model."""

from typing import ClassVar

from model_adapters.huggingface.families.family import Family, register_family


@register_family
class Qwen2Audio(Family):
    """A Whisper encoder of one 30 s window in front of a Qwen2 language model."""

    model_type = "qwen2_audio"
    clips: ClassVar[int | None] = None
