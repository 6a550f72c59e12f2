"""Models that read and do not hear, run by the same engine: the second half of `alm_cascade`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import jinja2
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from ambi_tasks.audio import Waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import Conversation
from model_adapters.huggingface.backend import HuggingFaceBackend
from model_adapters.huggingface.families import Family


@dataclass(frozen=True, slots=True)
class _Reading:
    """What stands for a processor where there is nothing to hear."""

    tokenizer: Any


class TextFamily(Family):
    """Any causal language model with a chat template."""

    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    clips: ClassVar[int | None] = 0
    tested: ClassVar[bool] = False  # the engine compares with plain `generate` at the first prompt

    @classmethod
    def load_processor(cls, path: str, **settings: Any) -> _Reading:
        """Load the tokenizer.

        Raises:
            UserError: It has no chat template.
        """
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, **settings)
        if not tokenizer.chat_template:
            raise UserError(
                f"'{path}' has no chat template, so it cannot be asked; name a text model that was "
                f"tuned for instructions."
            )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return _Reading(tokenizer)

    @classmethod
    def longest_audio(cls, processor: Any) -> float | None:
        """There is none."""
        del processor
        return None

    @staticmethod
    def chat_text(processor: Any, conversation: Conversation) -> str:
        """Apply the chat template, up to where the model's turn starts.

        Raises:
            UserError: The template does not take such a conversation.
        """
        messages = [{"role": turn.role, "content": turn.text} for turn in conversation]
        try:
            text = processor.tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=False
            )
        except jinja2.TemplateError as error:
            roles = ", ".join(turn.role for turn in conversation)
            raise UserError(
                f"The text model's chat template does not take turns of {roles} ({error})."
            ) from error
        return str(text)

    @classmethod
    def model_inputs(
        cls, processor: Any, texts: Sequence[str], waveforms: Sequence[Waveform]
    ) -> Any:
        """Tokens of a batch, padded on the left; the template has written the special ones."""
        del waveforms
        tokens = processor.tokenizer(
            list(texts),
            add_special_tokens=False,
            padding=True,
            padding_side="left",
            return_tensors="pt",
        )
        names = ("input_ids", "attention_mask")
        return transformers.BatchFeature({name: tokens[name] for name in names})


class TextBackend(HuggingFaceBackend):
    """A causal language model of transformers; conversations hold no clips."""

    called: ClassVar[str] = "alm_cascade"
    named_by: ClassVar[str] = "text_model"

    @cached_property
    def _family(self) -> type[Family]:
        own_code = getattr(self._config, "auto_map", None) or {}
        kind = self._config.model_type
        if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and TextFamily.auto_class not in own_code:
            raise UserError(
                f"alm_cascade: '{self.model_name}' (model_type '{kind}') is no causal language "
                f"model that transformers knows; name another text_model."
            )
        return TextFamily

    def describe(self) -> dict[str, object]:
        """What the results record about the model; nothing of clips."""
        about_clips = ("long_audio", "longest_audio", "clips_truncated")
        found = super().describe()
        return {name: value for name, value in found.items() if name not in about_clips}
