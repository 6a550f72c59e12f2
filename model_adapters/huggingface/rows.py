"""The key-value cache of the answers that are being decoded, a row each, written in place.

A cache of transformers grows by copying all of itself at every token, and its rows begin and end
together. Here keys and values lie in a buffer with room for what will be decoded, and a row that is
finished is written over by the prompt of the next one while the others go on. All rows end in the
same column, that of the token which is read next; so a prompt is written to the left of it, and a
mask says where each row begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from transformers import cache_utils
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from model_adapters.huggingface.prefix import Prefix, token_positions

_Occupant = TypeVar("_Occupant")

# In newer transformers a layer that uses another one's keys has a layer of its own kind.
_EMPTY_LAYER = getattr(cache_utils, "DummyLayer", DynamicLayer)
_MOVABLE_LAYERS = (DynamicLayer, DynamicSlidingWindowLayer, _EMPTY_LAYER)
_ROOM = 64  # columns: all rows are copied once in so many tokens


@dataclass(slots=True)
class _Span:
    """The columns that are in use, shared by the layers."""

    start: int = 0
    end: int = 0


class _RoomyLayer(DynamicLayer):  # type: ignore[misc] # transformers is untyped here
    """Keys and values of one layer, (rows, heads, columns, width), of which a span is in use.

    A layer that attends to a window keeps all of them as well, since the mask leaves out what is
    beyond it.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, span: _Span) -> None:
        super().__init__()
        self.keys, self.values = keys, values
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True
        self._span = span

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new tokens behind the span, and show it with them."""
        del args, kwargs
        start, middle = self._span.start, self._span.end
        end = middle + key_states.shape[-2]
        self.keys[:, :, middle:end] = key_states
        self.values[:, :, middle:end] = value_states
        return self.keys[:, :, start:end], self.values[:, :, start:end]

    def get_seq_length(self) -> int:
        """Columns in use; they grow when all layers have read the new tokens."""
        return self._span.end - self._span.start


def can_be_rows(cache: Any) -> bool:
    """Whether a cache holds keys and values alone, so that its rows can be moved."""
    layers = getattr(cache, "layers", None) or [None]
    return all(type(layer) in _MOVABLE_LAYERS for layer in layers)


class Rows(Generic[_Occupant]):
    """Answers that are decoded together.

    Attributes:
        occupants: Whose row each is, None where it is free.
    """

    def __init__(self, model: Any, cache_name: str) -> None:
        """Begin with no row.

        Args:
            model: The model that reads.
            cache_name: What it calls a cache among its arguments.
        """
        self.occupants: list[_Occupant | None] = []
        self._model = model
        self._cache_name = cache_name
        self._span = _Span()
        self._begins: list[int] = []
        self._mask = torch.zeros(0, 0, dtype=torch.long, device=model.device)
        self._cache = DynamicCache()

    @property
    def taken(self) -> list[int]:
        """The rows that are not free."""
        return [row for row, occupant in enumerate(self.occupants) if occupant is not None]

    def admit(self, prefix: Prefix, places: Sequence[int], occupants: Sequence[_Occupant]) -> None:
        """Give rows to answers: free ones, or new ones.

        Args:
            prefix: Conversations that were read.
            places: Which of them each answer is to.
            occupants: Whose rows they are.
        """
        length = prefix.ids.shape[1] - 1
        taken = self.taken
        if len(self.occupants) - len(taken) < len(places) or length > self._span.end:
            self._lay_out(taken, len(places), length, prefix.cache)
        free = [row for row, occupant in enumerate(self.occupants) if occupant is None]
        rows = free[: len(places)]
        end = self._span.end
        for layer, source in zip(self._cache.layers, prefix.cache.layers, strict=True):
            if source.keys is not None:  # else they are another layer's
                kept = source.keys.shape[-2]  # a layer of a window keeps the last ones alone
                to = torch.tensor(rows, device=source.keys.device)
                which = torch.tensor(places, device=source.keys.device)
                layer.keys[to, :, end - kept : end] = source.keys[which]
                layer.values[to, :, end - kept : end] = source.values[which]
        to = torch.tensor(rows, device=self._mask.device)
        self._mask[to, : end - length] = 0
        self._mask[to, end - length : end] = prefix.mask[list(places), :-1]
        for row, place, occupant in zip(rows, places, occupants, strict=True):
            self._begins[row] = end - length + prefix.padding[place]
            self.occupants[row] = occupant

    def release(self, row: int) -> None:
        """Take a row from its occupant."""
        self.occupants[row] = None

    def close_up(self) -> None:
        """Drop the free rows."""
        self._lay_out(self.taken, 0, 0, self._cache)

    def read(self, ids: torch.Tensor, inside: torch.Tensor | None = None) -> torch.Tensor:
        """Let the model read the next tokens of every row, free ones too.

        Args:
            ids: The tokens, (rows, T).
            inside: Where they are some, (rows, T); they all are if None.

        Returns:
            What it says after each, (rows, T, V), in float32.
        """
        count = ids.shape[1]
        if self._span.end + count > self._mask.shape[1]:
            everyone = range(len(self.occupants))
            self._lay_out(everyone, 0, 0, self._cache, room=max(_ROOM, count))
        self._span.start = min((self._begins[row] for row in self.taken), default=self._span.start)
        start, middle = self._span.start, self._span.end
        end = middle + count
        self._mask[:, middle:end] = 1 if inside is None else inside
        mask = self._mask[:, start:end]
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=token_positions(mask)[:, -count:],
            use_cache=True,
            **{self._cache_name: self._cache},
        )
        self._span.end = end
        logits: torch.Tensor = output.logits[:, -count:].float()
        return logits

    def _lay_out(
        self, kept: Sequence[int], fresh: int, length: int, like: Any, room: int = _ROOM
    ) -> None:
        """Copy rows into new buffers, which begin where the first of them does.

        Args:
            kept: These rows.
            fresh: Free rows behind them.
            length: Columns that are needed before the end.
            like: A cache of the same layers.
            room: Columns behind the end.
        """
        start = min((self._begins[row] for row in kept), default=self._span.end)
        used = self._span.end - start
        end = max(used, length)

        def moved(old: torch.Tensor) -> torch.Tensor:
            # Zeros: what is masked must still be a number.
            shape = (len(kept) + fresh, old.shape[1], end + room, old.shape[3])
            new = old.new_zeros(shape)
            if kept:
                which = torch.tensor(kept, device=old.device)
                new[: len(kept), :, end - used : end] = old[which, :, start : start + used]
            return new

        layers: list[DynamicLayer] = []
        for source in (self._cache if kept else like).layers:
            if source.keys is not None:
                keys, values = moved(source.keys), moved(source.values)
                layers.append(_RoomyLayer(keys, values, self._span))
            else:
                layers.append(source)
        self._cache = DynamicCache()
        self._cache.layers = layers
        self._mask = moved(self._mask[:, None, :, None])[:, 0, :, 0]
        self._begins = [self._begins[row] - start + end - used for row in kept] + [end] * fresh
        self.occupants = [self.occupants[row] for row in kept] + [None] * fresh
        self._span.start, self._span.end = end - used, end


def logits_behind(
    model: Any,
    cache_name: str,
    prefix: Prefix,
    places: Sequence[int],
    targets: torch.Tensor,
    inside: torch.Tensor,
) -> torch.Tensor:
    """What a model says before each of given tokens, in one pass, (R, T, V).

    Args:
        model: The model.
        cache_name: What it calls a cache among its arguments.
        prefix: Conversations that it has read.
        places: Which of them each row follows, R of them.
        targets: The tokens, padded on the right, (R, T).
        inside: Where they are some, (R, T).
    """
    rows: Rows[int] = Rows(model, cache_name)
    rows.admit(prefix, places, places)
    ids = torch.cat([prefix.ids[list(places), -1:], targets[:, :-1]], dim=1)
    before = torch.cat([torch.ones_like(inside[:, :1]), inside[:, :-1]], dim=1)
    return rows.read(ids, before)
