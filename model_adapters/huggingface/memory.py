"""How many answers fit into memory at once."""

import os
from typing import Any

import torch

_EXPECTED_TOKENS = (
    1024  # of prompt, clip and answer; a wrong guess costs a repetition, see `Engine`
)
_SHARE = 0.6  # of the free memory; activations and copies need the rest
_MOST, _MOST_ON_CPU = 256, 16


def rows_that_fit(model: Any) -> int:
    """Guess how many answers can be decoded at once, from the free memory.

    A row takes keys and values of each layer for every token, and the logits of one step.

    Args:
        model: A loaded model.

    Returns:
        At least 1; on a CPU at most 16, since more are no faster there.
    """
    text = model.config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    size = torch.finfo(model.dtype).bits // 8
    cache = 2 * text.num_hidden_layers * heads * width * size * _EXPECTED_TOKENS
    logits = 3 * 4 * text.vocab_size  # float32, and what choosing a token makes of them
    fitting = int(_SHARE * _free_bytes(model.device) / (2 * cache + logits))  # the cache is copied
    return max(1, min(fitting, _MOST if model.device.type == "cuda" else _MOST_ON_CPU))


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
