"""The prefix of answers: what a model has read of their conversations."""

import copy
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Prefix:
    """Conversations that the model has read, all but their last token.

    The last token is left to the decoding, so that `generate` can resume without cropping the
    cache. Padding stands on the left of a head and of a rest; the mask says where.

    Attributes:
        cache: Keys and values, of T - 1 tokens; it is never written into.
        ids: Tokens, (B, T).
        mask: 0 at padding, (B, T).
        padding: Columns before each conversation's first token.
    """

    cache: Any
    ids: torch.Tensor
    mask: torch.Tensor
    padding: list[int]

    @classmethod
    def of(cls, cache: Any, ids: torch.Tensor, mask: torch.Tensor) -> "Prefix":
        """See the attributes."""
        return cls(cache, ids, mask, mask.argmax(dim=1).tolist())

    def tokens(self, place: int) -> list[int]:
        """The tokens of a conversation, without padding."""
        tokens: list[int] = self.ids[place][self.mask[place].bool()].tolist()
        return tokens

    def copies(self, which: torch.Tensor) -> Any:
        """A cache of its own kind with a row for each entry of `which`, to be written into."""
        cache = copy.copy(self.cache)
        cache.layers = [copy.copy(layer) for layer in cache.layers]
        cache.batch_select_indices(which)
        return cache


def token_positions(mask: torch.Tensor) -> torch.Tensor:
    """Positions that do not count padding, (B, T)."""
    return (mask.long().cumsum(dim=-1) - 1).clamp(min=0)
