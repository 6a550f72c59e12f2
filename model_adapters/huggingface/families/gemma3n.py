"""Gemma 3n (Google, 2025)."""

from typing import Any, ClassVar

from model_adapters.huggingface.families.family import Family, register_family


@register_family
class Gemma3n(Family):
    """A Universal Speech Model encoder of one 30 s window, in front of a Gemma language model.

    Its vision tower, which is loaded too, needs timm.
    """

    model_type = "gemma3n"
    clips: ClassVar[int | None] = None
    reads_together: ClassVar[bool] = False  # its encoder hears the padding of a batch

    @classmethod
    def longest_audio(cls, processor: Any) -> float | None:
        """What the feature extractor cuts off is nowhere in its settings."""
        del processor
        return 30.0
