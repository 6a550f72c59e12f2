"""Ultravox v0.3 and v0.4 (Fixie.ai, 2024), whose code comes with the checkpoint."""

from collections.abc import Sequence
from typing import Any, ClassVar

from ambi_tasks.audio import Waveform
from model_adapters.backend import Conversation
from model_adapters.huggingface.families.family import Family, register_family

_CLIP = "<|audio|>"


@register_family
class Ultravox(Family):
    """A Whisper encoder of one 30 s window, in front of a Llama language model.

    transformers runs a checkpoint's code only if it is told to (`trust_remote_code=True`). The
    processor takes one text with one clip, and the chat template is the language model's.
    """

    model_type = "ultravox"
    auto_class: ClassVar[str] = "AutoModel"
    reads_together: ClassVar[bool] = False
    tested: ClassVar[bool] = False

    @classmethod
    def longest_audio(cls, processor: Any) -> float | None:
        """The window of Whisper; later versions hear more."""
        del processor
        return 30.0

    @staticmethod
    def chat_text(processor: Any, conversation: Conversation) -> str:
        """Apply the language model's template to the text, with a placeholder for each clip."""
        messages = [
            {"role": turn.role, "content": f"{_CLIP}\n" * len(turn.clips) + turn.text}
            for turn in conversation
        ]
        text = processor.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return str(text)

    @classmethod
    def model_inputs(
        cls, processor: Any, texts: Sequence[str], waveforms: Sequence[Waveform]
    ) -> Any:
        """Call the processor with the one text, and with the clip where there is one."""
        (text,) = texts
        if not waveforms:
            return processor(text=text)
        (waveform,) = waveforms
        return processor(text=text, audio=waveform, sampling_rate=cls.sampling_rate(processor))
