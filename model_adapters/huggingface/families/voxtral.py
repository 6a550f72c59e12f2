"""Voxtral (Liu et al., 2025), whose prompts are made by mistral-common."""

import base64
import io
from collections.abc import Sequence
from typing import Any, ClassVar

import soundfile

from ambi_tasks.audio import Waveform
from model_adapters.backend import Conversation
from model_adapters.huggingface.families.family import Family, register_family


@register_family
class Voxtral(Family):
    """A Whisper encoder that hears windows of 30 s, in front of a Mistral language model.

    Audio reaches the processor inside the messages alone, as an encoded file.
    """

    model_type = "voxtral"
    system_turn: ClassVar[bool] = False
    clips: ClassVar[int | None] = None

    @classmethod
    def longest_audio(cls, processor: Any) -> float | None:
        """The forty minutes that its authors name; the processor makes windows of any length."""
        del processor
        return 2400.0

    @classmethod
    def inputs(
        cls,
        processor: Any,
        conversations: Sequence[Conversation],
        waveforms: Sequence[Waveform],
    ) -> Any:
        """Put the waveforms into the messages, without loss."""
        rate = cls.sampling_rate(processor)
        heard = iter(waveforms)
        chats = []
        for conversation in conversations:
            messages: list[dict[str, Any]] = []
            for turn in conversation:
                audio = [{"type": "audio", "base64": _wav(next(heard), rate)} for _ in turn.clips]
                content = [*audio, {"type": "text", "text": turn.text}] if audio else turn.text
                messages.append({"role": turn.role, "content": content})
            chats.append(messages)
        return processor.apply_chat_template(chats)


def _wav(waveform: Waveform, rate: int) -> str:
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format="WAV", subtype="FLOAT")
    return base64.b64encode(file.getvalue()).decode()
