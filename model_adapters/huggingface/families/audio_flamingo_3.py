"""Audio Flamingo 3 (Goel et al., 2025), and Music Flamingo, which is built in the same way."""

from typing import ClassVar

from model_adapters.huggingface.families.family import Family, register_family


@register_family
class AudioFlamingo3(Family):
    """A Whisper encoder that hears windows of 30 s, in front of a Qwen2 language model.

    The processor cuts a clip into windows, up to ten minutes of it.
    """

    model_type = "audioflamingo3"
    auto_class: ClassVar[str] = "AutoModelForSeq2SeqLM"  # the one of the Auto classes that knows it


@register_family
class MusicFlamingo(AudioFlamingo3):
    """The same for music, up to twenty minutes."""

    model_type = "musicflamingo"
