"""Granite Speech (Saon et al., 2025)."""

from typing import Any, ClassVar

from transformers.utils import is_peft_available

from model_adapters.huggingface.families.family import Family, register_family


@register_family
class GraniteSpeech(Family):
    """A Conformer encoder in front of a Granite language model, whose LoRA is for speech.

    Its feature extractor needs torchaudio, its LoRA peft.
    """

    model_type = "granite_speech"
    clips: ClassVar[int | None] = None
    reads_together: ClassVar[bool] = False  # its encoder hears the padding of a batch

    @classmethod
    def load_model(cls, path: str, **settings: Any) -> Any:
        """Load the model with its LoRA, and keep the LoRA on.

        `generate` would switch it off where it sees no audio features, as in all our draws, which
        go on from a prompt that was heard before.

        Raises:
            ImportError: The checkpoint has a LoRA, and peft is missing.
        """
        model = super().load_model(path, **settings)
        if model.config.has_lora_adapter and not is_peft_available():
            raise ImportError("its LoRA for speech needs the library peft")
        if model.config.has_lora_adapter:
            model.enable_adapters()
            model.disable_adapters = lambda: None
        return model


@register_family
class GraniteSpeechPlus(GraniteSpeech):
    """The same with an encoder of another kind."""

    model_type = "granite_speech_plus"
