"""Qwen2.5-Omni (Xu et al., 2025) and Qwen3-Omni (Xu et al., 2025): their thinkers, which write."""

from typing import Any, ClassVar

from model_adapters.huggingface.families.audio_only import audio_only
from model_adapters.huggingface.families.family import Family, register_family


@register_family
class Qwen25Omni(Family):
    """The thinker of a whole checkpoint; the talker, which speaks, is never loaded."""

    model_type = "qwen2_5_omni"
    auto_class: ClassVar[str] = "Qwen2_5OmniThinkerForConditionalGeneration"
    clips: ClassVar[int | None] = None
    processor_class: ClassVar[str] = "Qwen2_5OmniProcessor"

    @classmethod
    def load_processor(cls, path: str, **settings: Any) -> Any:
        """Without images and videos, for which the whole processor needs torchvision."""
        return audio_only(cls.processor_class).from_pretrained(path, **settings)


@register_family
class Qwen25OmniThinker(Qwen25Omni):
    """A checkpoint that holds the thinker alone."""

    model_type = "qwen2_5_omni_thinker"


@register_family
class Qwen3Omni(Qwen25Omni):
    """The thinker of Qwen3-Omni, a mixture of experts; its processor cuts no clip."""

    model_type = "qwen3_omni_moe"
    auto_class: ClassVar[str] = "Qwen3OmniMoeThinkerForConditionalGeneration"
    processor_class: ClassVar[str] = "Qwen3OmniMoeProcessor"

    @classmethod
    def longest_audio(cls, processor: Any) -> float | None:
        """None: the encoder hears a clip in pieces, however long."""
        del processor
        return None


@register_family
class Qwen3OmniThinker(Qwen3Omni):
    """A checkpoint that holds the thinker alone."""

    model_type = "qwen3_omni_moe_thinker"
