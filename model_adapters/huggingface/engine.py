"""The engine: hear a clip once, read its prompt once, draw from there as often as is wanted.

`generate` would repeat encoder and prompt for each draw. Here the prompt's key-value cache is made
once per conversation and its rows are selected for every draw.
"""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from transformers import GenerationConfig

from ambi_tasks.audio import Clip, Waveform, clip_seconds, load_waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import Answer, Conversation, Decoding, DrawOrder, Score, ScoreOrder
from model_adapters.huggingface.families import Family
from model_adapters.huggingface.memory import is_out_of_memory, rows_that_fit
from model_adapters.huggingface.prefix import Prefix, Reader, logits_behind, token_positions
from model_adapters.huggingface.sampling import StopAtStrings, TokenChooser, before_stop

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_Result = TypeVar("_Result")

LONG_AUDIO = ("refuse", "truncate")


class Engine:
    """A loaded model with its processor.

    Attributes:
        truncated: Clips that were cut to the model's window so far.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        family: type[Family],
        batch_size: int | None,
        long_audio: str,
    ) -> None:
        """Take a model over.

        Args:
            model: A loaded model in evaluation mode; its generation defaults are replaced, since a
                checkpoint's own (penalties, top-p, ...) would shape what is said to be greedy.
            processor: Its processor.
            family: What is particular about it.
            batch_size: Answers that are decoded at once; None for as many as seem to fit.
            long_audio: `refuse` or `truncate` clips beyond the model's window.
        """
        self._model = model
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._tokenizer.padding_side = "left"
        self._family = family
        self._batch_size = rows_that_fit(model) if batch_size is None else batch_size
        self._long_audio = long_audio
        self.truncated: set[Clip] = set()
        special = model.generation_config
        ends = (
            special.eos_token_id
            if special.eos_token_id is not None
            else self._tokenizer.eos_token_id
        )
        self._ends = {ends} if isinstance(ends, int) else set(ends)
        self._reader = Reader(model, processor, family, self._waveform)
        model.generation_config = GenerationConfig(
            bos_token_id=special.bos_token_id,
            eos_token_id=sorted(self._ends),
            pad_token_id=self._tokenizer.pad_token_id,
        )

    def describe(self) -> dict[str, object]:
        """What the results record about the loaded model."""
        return {
            "model_dtype": str(self._model.dtype).removeprefix("torch."),
            "model_device": str(self._model.device),
            "batch_size": self._batch_size,
            "clips_truncated": len(self.truncated),
            "longest_audio": self._family.longest_audio(self._processor),
        }

    def _check_clips(self, conversations: Iterable[Conversation]) -> None:
        """Look at the length of every clip before anything is made of the first.

        Raises:
            UserError: A clip cannot be read, or does not fit the model and is not to be cut.
        """
        asked = {clip for turns in conversations for turn in turns for clip in turn.clips}
        longest = self._family.longest_audio(self._processor)
        lengths = {clip: clip_seconds(clip) for clip in sorted(asked, key=str)}
        long = [clip for clip, seconds in lengths.items() if longest and seconds > longest]
        if long and self._long_audio == "refuse":
            raise UserError(
                f"{len(long)} of {len(lengths)} clips are longer than the {longest:.0f} s that "
                f"this model hears, for example {long[0]} ({lengths[long[0]]:.1f} s); hear their "
                f"beginning with --model_args long_audio=truncate."
            )
        shortest = self._family.shortest_audio
        if short := [clip for clip, seconds in lengths.items() if seconds < shortest]:
            raise UserError(
                f"{len(short)} of {len(lengths)} clips are shorter than the {shortest} s that this "
                f"model needs, for example {short[0]} ({lengths[short[0]]:.3f} s)."
            )

    @torch.inference_mode()
    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """See `Backend.draw`."""
        self._check_clips(order.conversation for order in orders)
        kinds = [order.decoding for order in orders]
        sizes = [max(len(order.indices), order.decoding.num_beams) for order in orders]
        handed_over: set[tuple[int, int]] = set()
        for position, (index, answer) in self._in_groups(
            kinds, sizes, lambda group: self._draw([orders[position] for position in group])
        ):
            if (position, index) not in handed_over:  # where memory ran out, some come again
                handed_over.add((position, index))
                yield position, index, answer

    @torch.inference_mode()
    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        """See `Backend.log_likelihoods`."""
        self._check_clips(order.conversation for order in orders)
        sizes = [len(order.continuations) for order in orders]
        yield from self._in_groups(
            [None] * len(orders),
            sizes,
            lambda group: enumerate(self._score([orders[position] for position in group])),
        )

    def _in_groups(
        self,
        kinds: Sequence[Decoding | None],
        sizes: Sequence[int],
        work: Callable[[list[int]], Iterable[tuple[int, _Result]]],
    ) -> Iterator[tuple[int, _Result]]:
        """Do the work in groups; where memory runs out, go on with groups of half the size.

        Args:
            kinds: See `_groups`.
            sizes: See `_groups`.
            work: From a group to places in it with results.

        Yields:
            Positions and results; those of a group that is done again come again.
        """
        left = list(range(len(kinds)))
        while left:
            done: set[int] = set()
            try:
                together = self._batch_size if self._family.reads_together else 1
                for group in _groups([kinds[n] for n in left], [sizes[n] for n in left], together):
                    positions = [left[n] for n in group]
                    for place, result in work(positions):
                        yield positions[place], result
                    done.update(positions)
            except RuntimeError as error:
                if not is_out_of_memory(error) or self._batch_size == 1:
                    raise
                self._batch_size //= 2
                _log.warning(
                    "alm_hf: memory ran out; going on with %d answers at once.", self._batch_size
                )
            torch.cuda.empty_cache()
            left = [n for n in left if n not in done]

    def _draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, tuple[int, Answer]]]:
        """Answer orders of one decoding; yields places and draws."""
        prefix = self._reader.read([order.conversation for order in orders])
        draw = self._search if orders[0].decoding.num_beams > 1 else self._decode_all
        for place, index, answer in draw(prefix, orders):
            yield place, (index, answer)

    def _score(self, orders: Sequence[ScoreOrder]) -> Iterator[list[Score]]:
        """Score the continuations of each order."""
        prefix = self._reader.read([order.conversation for order in orders])
        rows = [
            (place, self._tokens(text))
            for place, order in enumerate(orders)
            for text in order.continuations
        ]
        scores = (
            Score(float(own.sum()), len(own), greedy=bool(greedy.all()))
            for own, greedy in self._own_log_probabilities(prefix, rows)
        )
        for order in orders:
            yield list(itertools.islice(scores, len(order.continuations)))

    def _tokens(self, continuation: str) -> list[int]:
        tokens: list[int] = self._tokenizer(continuation, add_special_tokens=False).input_ids
        return tokens

    def _own_log_probabilities(
        self, prefix: Prefix, rows: Sequence[tuple[int, list[int]]]
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """What the model itself thinks of token sequences, `batch_size` of them at a time.

        Args:
            prefix: Conversations.
            rows: Place in the prefix, and tokens, of each sequence.

        Yields:
            Per sequence the natural log-probabilities of its tokens, (T,), and whether each is the
            most probable one, (T,).
        """
        for start in range(0, len(rows), self._batch_size):
            batch = rows[start : start + self._batch_size]
            targets, inside = self._padded([tokens for _, tokens in batch])
            if not inside.numel():
                yield from [(torch.zeros(0), torch.ones(0, dtype=torch.bool))] * len(batch)
                continue
            which = torch.tensor([place for place, _ in batch], device=targets.device)
            logits = logits_behind(self._model, prefix, which, targets, inside)
            own = logits.gather(-1, targets[..., None])[..., 0] - logits.logsumexp(dim=-1)
            greedy = logits.argmax(dim=-1) == targets
            for row in range(len(batch)):
                yield own[row, inside[row]].double().cpu(), greedy[row, inside[row]].cpu()

    def _padded(self, sequences: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token sequences padded on the right, (R, T), and where they are none, (R, T)."""
        device = self._model.device
        lengths = torch.tensor([len(tokens) for tokens in sequences], device=device)
        padded = torch.zeros(len(sequences), int(lengths.max()), dtype=torch.long, device=device)
        for row, tokens in enumerate(sequences):
            padded[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
        return padded, torch.arange(padded.shape[1], device=device) < lengths[:, None]

    def _waveform(self, clip: Clip) -> Waveform:
        rate = self._family.sampling_rate(self._processor)
        return self._fit(clip, load_waveform(clip, rate), rate)

    def _fit(self, clip: Clip, waveform: Waveform, rate: int) -> Waveform:
        """Cut a clip that the model's window does not hold, and count it."""
        longest = self._family.longest_audio(self._processor)
        if longest is None or len(waveform) <= round(longest * rate):
            return waveform
        self.truncated.add(clip)
        return waveform[: round(longest * rate)]

    def _decode_all(
        self, prefix: Prefix, orders: Sequence[DrawOrder]
    ) -> Iterator[tuple[int, int, Answer]]:
        """Draw, sampled or greedy; yields place, index and answer."""
        rows = [(place, index) for place, order in enumerate(orders) for index in order.indices]
        for start in range(0, len(rows), self._batch_size):
            batch = rows[start : start + self._batch_size]
            which = torch.tensor([place for place, _ in batch], device=prefix.ids.device)
            wanted = [(orders[place], index) for place, index in batch]
            for (place, index), answer in zip(
                batch, self._decode(prefix, which, wanted), strict=True
            ):
                yield place, index, answer

    def _decode(
        self, prefix: Prefix, which: torch.Tensor, wanted: Sequence[tuple[DrawOrder, int]]
    ) -> list[Answer]:
        decoding = wanted[0][0].decoding
        ids, mask = prefix.ids[which], prefix.mask[which]
        length = ids.shape[1]
        chooser = TokenChooser(decoding, [(order.key, index) for order, index in wanted])
        stopper = StopAtStrings(self._tokenizer, decoding.stop, length)
        sequences = self._model.generate(
            input_ids=ids,
            attention_mask=mask,
            position_ids=token_positions(mask),
            **prefix.rows(which),
            max_new_tokens=decoding.max_new_tokens,
            do_sample=False,
            logits_processor=[chooser],
            stopping_criteria=[stopper],
        )
        chosen = torch.stack(chooser.log_probabilities, dim=1).double().cpu()
        return [
            self._answer(tokens, chosen[row], stopper.lengths.get(row), decoding.stop)
            for row, tokens in enumerate(sequences[:, length:].tolist())
        ]

    def _search(
        self, prefix: Prefix, orders: Sequence[DrawOrder]
    ) -> Iterator[tuple[int, int, Answer]]:
        """Search by beams; yields place, rank and answer.

        The canonical search: no penalty on length, and no end before the best are found. The
        beams are scored afterwards, since `generate` would keep the logits of the whole search.
        """
        decoding = orders[0].decoding
        beams = decoding.num_beams
        length = prefix.ids.shape[1]
        places = torch.arange(len(orders), device=prefix.ids.device)
        sequences = self._model.generate(
            input_ids=prefix.ids,
            attention_mask=prefix.mask,
            position_ids=token_positions(prefix.mask),
            **prefix.rows(places.repeat_interleave(beams)),
            max_new_tokens=decoding.max_new_tokens,
            do_sample=False,
            num_beams=beams,
            num_return_sequences=beams,
            length_penalty=0.0,
            repetition_penalty=decoding.repetition_penalty,
            early_stopping="never",
        )
        found = [
            (row // beams, row % beams, tokens[: self._end(tokens)])
            for row, tokens in enumerate(sequences[:, length:].tolist())
        ]
        wanted = [one for one in found if one[1] in orders[one[0]].indices]
        rows = [(place, tokens) for place, _, tokens in wanted]
        for (place, rank, tokens), (own, _) in zip(
            wanted, self._own_log_probabilities(prefix, rows), strict=True
        ):
            yield place, rank, self._answer(tokens, own, None, ())

    def _end(self, tokens: Sequence[int]) -> int | None:
        """Tokens up to the end token and with it, None where there is none."""
        return next((n for n, token in enumerate(tokens, 1) if token in self._ends), None)

    def _answer(
        self, tokens: list[int], chosen: torch.Tensor, stopped: int | None, stop: Sequence[str]
    ) -> Answer:
        """Cut what `generate` wrote after a row's end."""
        ends = [end for end in (self._end(tokens), stopped) if end is not None]
        length = min(ends, default=len(tokens))
        text = self._tokenizer.decode(tokens[:length], skip_special_tokens=True)
        return Answer(
            text=before_stop(text, stop),
            log_likelihood=float(chosen[:length].sum()),
            tokens=length,
            finish_reason="stop" if ends else "length",
        )


def _groups(
    kinds: Sequence[Decoding | None], sizes: Sequence[int], batch_size: int
) -> Iterator[list[int]]:
    """Split orders into those that are read together.

    Orders of one kind share a group while their rows fit into one batch; an order with more rows
    than that is read alone.

    Args:
        kinds: What must be equal in a group, by order.
        sizes: Rows that each order takes.
        batch_size: Most rows of a group of several orders; 1 for groups of one order.

    Yields:
        Positions of orders.
    """
    by_kind = sorted(range(len(kinds)), key=lambda n: repr(kinds[n]))
    for _, alike in itertools.groupby(by_kind, key=lambda n: kinds[n]):
        group: list[int] = []
        rows = 0
        for position in alike:
            if group and rows + sizes[position] > batch_size:
                yield group
                group, rows = [], 0
            group.append(position)
            rows += sizes[position]
        yield group
