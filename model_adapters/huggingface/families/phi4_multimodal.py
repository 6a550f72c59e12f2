"""Phi-4-multimodal (Abouelenin et al., 2025), in the format of transformers."""

from typing import Any, ClassVar

from transformers.utils import find_adapter_config_file, is_peft_available

from model_adapters.huggingface.families.audio_only import audio_only
from model_adapters.huggingface.families.family import Family, register_family

_SPEECH = {"subfolder": "speech-lora"}


@register_family
class Phi4Multimodal(Family):
    """A Conformer encoder in front of a Phi-4-mini, whose LoRA for speech is always on.

    The hub's main branch holds remote code of another `model_type`; `revision=refs/pr/70` is what
    transformers reads.
    """

    model_type = "phi4_multimodal"
    clips: ClassVar[int | None] = None
    reads_together: ClassVar[bool] = False  # its convolutions hear the padding of a batch

    @classmethod
    def load_processor(cls, path: str, **settings: Any) -> Any:
        """Without images, for which the whole processor needs torchvision."""
        return audio_only("Phi4MultimodalProcessor").from_pretrained(path, **settings)

    @classmethod
    def load_model(cls, path: str, **settings: Any) -> Any:
        """Load the model, and the LoRA that its authors trained for speech where there is one.

        Raises:
            ImportError: There is one, and peft is missing.
        """
        model = super().load_model(path, **settings)
        where = _SPEECH | {"revision": settings.get("revision")}
        if find_adapter_config_file(path, **where) is None:
            return model
        if not is_peft_available():
            raise ImportError("its LoRA for speech needs the library peft")
        model.load_adapter(path, adapter_kwargs=where)
        model.enable_adapters()
        return model

    @classmethod
    def longest_audio(cls, processor: Any) -> float | None:
        """Three minutes, 2250 tokens.

        At 4096 tokens the model changes its position embeddings, and transformers reads the prompt
        anew without its audio.
        """
        del processor
        return 180.0
