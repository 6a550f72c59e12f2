"""Continuous decoding: answers that are finished leave the batch, and others take their rows."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch

from model_adapters.backend import Answer
from model_adapters.huggingface.prefix import Prefix
from model_adapters.huggingface.rows import Rows
from model_adapters.huggingface.sampling import Writing, before_stop, choose_tokens

_FREE_SHARE = 0.25  # of the rows; from there on a copy of the others is cheaper than these

Chunk = tuple[Prefix, Sequence[tuple[int, Writing]]]
"""Conversations that were read together; and draws, each with the place of its conversation."""

_Waiting = deque[tuple[Prefix, deque[tuple[int, Writing]]]]


class Decoder:
    """Decodes draws of any conversations and decodings side by side."""

    def __init__(
        self,
        model: Any,
        cache_name: str,
        decode: Callable[[Sequence[int]], str],
        ends: Collection[int],
    ) -> None:
        """Take a model over.

        Args:
            model: A loaded model in evaluation mode.
            cache_name: What it calls a cache among its arguments.
            decode: From an answer's tokens to its text, without special tokens.
            ends: Tokens that end an answer.
        """
        self._model = model
        self._cache_name = cache_name
        self._decode = decode
        self._ends = ends

    def run(self, chunks: Iterator[Chunk], batch_size: int) -> Iterator[tuple[Writing, Answer]]:
        """Decode until there is nothing left.

        Conversations are read when half of the batch is free, several at once; draws of those that
        were read take a row as soon as one is free.

        Args:
            chunks: What to decode; a chunk is read when it is asked for.
            batch_size: Most answers at once.

        Yields:
            Each draw, as soon as it is finished.
        """
        rows: Rows[Writing] = Rows(self._model, self._cache_name)
        waiting: _Waiting = deque()
        while True:
            while not waiting and len(rows.taken) <= batch_size // 2:
                prefix, drawn = next(chunks, (None, ()))
                if prefix is None:
                    break
                waiting.append((prefix, deque(drawn)))
                _admit(rows, waiting, batch_size)
            _admit(rows, waiting, batch_size)
            if not rows.taken:
                return
            yield from self._step(rows)
            if not waiting and len(rows.taken) <= (1 - _FREE_SHARE) * len(rows.occupants):
                rows.close_up()

    def _step(self, rows: Rows[Writing]) -> Iterator[tuple[Writing, Answer]]:
        """Write one token of each answer, and hand over those that end with it."""
        last = [[0 if one is None else (one.tokens or one.prompt)[-1]] for one in rows.occupants]
        logits = rows.read(torch.tensor(last, device=self._model.device))[:, -1]
        taken = rows.taken
        draws = [one for one in rows.occupants if one is not None]
        for row, draw, chosen in zip(
            taken, draws, choose_tokens(logits[taken], draws), strict=True
        ):
            draw.tokens.append(chosen.token)
            draw.log_likelihood += chosen.log_probability
            draw.sampling_log_likelihood += chosen.sampling_log_probability
            if answer := self._finished(draw):
                rows.release(row)
                yield draw, answer

    def _finished(self, draw: Writing) -> Answer | None:
        """The answer, where its last token ends it."""
        stop = draw.order.decoding.stop
        ends = draw.tokens[-1] in self._ends
        full = len(draw.tokens) == draw.order.decoding.max_new_tokens
        text = self._decode(draw.tokens) if ends or full or stop else ""
        stopped = any(string in text for string in stop if string)
        if not (ends or full or stopped):
            return None
        return Answer(
            text=before_stop(text, stop),
            log_likelihood=draw.log_likelihood,
            tokens=len(draw.tokens),
            finish_reason="stop" if ends or stopped else "length",
            sampling_log_likelihood=(
                draw.sampling_log_likelihood if draw.order.decoding.do_sample else None
            ),
        )


def _admit(rows: Rows[Writing], waiting: _Waiting, batch_size: int) -> None:
    """Give those who wait longest the rows that may still be taken."""
    while waiting and (free := batch_size - len(rows.taken)):
        prefix, draws = waiting[0]
        first = [draws.popleft() for _ in range(min(free, len(draws)))]
        rows.admit(prefix, [place for place, _ in first], [draw for _, draw in first])
        if not draws:
            waiting.popleft()
