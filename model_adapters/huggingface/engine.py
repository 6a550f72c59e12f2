"""The engine: hear a clip once, read its prompt once, draw from there as often as is wanted.

`generate` would repeat encoder and prompt for each draw. Here the prompt's key-value cache is made
once per conversation and its rows are selected for every draw.
"""

import copy
import logging
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice, pairwise
from typing import Any, TypeVar

import torch
from transformers import GenerationConfig

from ambi_tasks.audio import Clip, Waveform, clip_seconds, load_waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import (
    Answer,
    Conversation,
    Decoding,
    DrawOrder,
    Score,
    ScoreOrder,
    Turn,
)
from model_adapters.huggingface.ahead import ahead
from model_adapters.huggingface.decoding import Chunk, Decoder
from model_adapters.huggingface.families import Family
from model_adapters.huggingface.memory import is_out_of_memory, rows_that_fit
from model_adapters.huggingface.prefix import Prefix, token_positions
from model_adapters.huggingface.reader import Reader
from model_adapters.huggingface.rows import logits_behind
from model_adapters.huggingface.sampling import Writing

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_Result = TypeVar("_Result")

LONG_AUDIO = ("refuse", "truncate", "chunk")


class Engine:
    """A loaded model with its processor.

    Attributes:
        truncated: Clips that were cut to the model's window so far.
        chunked: Clips that were shown in pieces so far.
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
            long_audio: `refuse` or `truncate` clips beyond the model's window, or `chunk` them:
                show them in equal pieces that fit it.
        """
        self._model = model
        self._processor = processor
        processor.tokenizer.padding_side = "left"
        # A copy, since the processor is at work in another thread.
        self._tokenizer = copy.deepcopy(processor.tokenizer)
        self._family = family
        self._batch_size = rows_that_fit(model) if batch_size is None else batch_size
        self._long_audio = long_audio
        self.truncated: set[Clip] = set()
        self.chunked: set[Clip] = set()
        self._seconds: dict[Clip, float] = {}
        special = model.generation_config
        ends = (
            special.eos_token_id
            if special.eos_token_id is not None
            else self._tokenizer.eos_token_id
        )
        self._ends = {ends} if isinstance(ends, int) else set(ends)
        self._reader = Reader(model, processor, family, self._waveform)
        self._decoder = Decoder(model, self._reader.cache_name, self._decode, self._ends)
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
            "clips_chunked": len(self.chunked),
            "longest_audio": self._family.longest_audio(self._processor),
        }

    def _check_clips(self, conversations: Sequence[Conversation]) -> list[Conversation]:
        """Look at the length of every clip before anything is made of the first.

        Returns:
            What the model is shown: with `long_audio=chunk`, long clips in equal pieces.

        Raises:
            UserError: A clip cannot be read, or does not fit the model and is not to be cut.
        """
        asked = {clip for turns in conversations for turn in turns for clip in turn.clips}
        longest = self._family.longest_audio(self._processor)
        lengths = {clip: clip_seconds(clip) for clip in sorted(asked, key=str)}
        self._seconds |= lengths
        long = [clip for clip, seconds in lengths.items() if longest and seconds > longest]
        if long and (
            self._long_audio == "refuse"
            or (self._long_audio == "chunk" and self._family.clips is not None)
        ):
            several = ", or all of it in pieces with long_audio=chunk"
            raise UserError(
                f"{len(long)} of {len(lengths)} clips are longer than the {longest:.0f} s that "
                f"this model hears, for example {long[0]} ({lengths[long[0]]:.1f} s); hear their "
                f"beginning with --model_args long_audio=truncate"
                f"{several if self._family.clips is None else ''}."
            )
        shortest = self._family.shortest_audio
        if short := [clip for clip, seconds in lengths.items() if seconds < shortest]:
            raise UserError(
                f"{len(short)} of {len(lengths)} clips are shorter than the {shortest} s that this "
                f"model needs, for example {short[0]} ({lengths[short[0]]:.3f} s)."
            )
        if self._long_audio != "chunk" or not long:
            return list(conversations)
        assert longest is not None
        self.chunked.update(long)
        pieces = {clip: _pieces(clip, lengths[clip], longest) for clip in long}
        return [_in_pieces(turns, pieces) for turns in conversations]

    @torch.inference_mode()
    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """See `Backend.draw`."""
        shown = self._check_clips([order.conversation for order in orders])
        left = {position: set(order.indices) for position, order in enumerate(orders)}
        work = _Work(orders, shown, left)
        for run in (self._search, self._sample):
            for position, index, answer in self._in_memory(partial(run, work)):
                left[position].remove(index)
                yield position, index, answer

    @torch.inference_mode()
    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        """See `Backend.log_likelihoods`."""
        shown = self._check_clips([order.conversation for order in orders])
        left = set(range(len(orders)))
        for position, scores in self._in_memory(partial(self._score, orders, shown, left)):
            left.remove(position)
            yield position, scores

    def _in_memory(self, run: Callable[[], Iterator[_Result]]) -> Iterator[_Result]:
        """Run anew with half of the batch where memory runs out.

        Args:
            run: Goes on with what is left to do.
        """
        while True:
            try:
                yield from run()
            except RuntimeError as error:
                if not is_out_of_memory(error) or self._batch_size == 1:
                    raise
            else:
                return
            self._batch_size //= 2
            _log.warning(
                "alm_hf: memory ran out; going on with %d answers at once.", self._batch_size
            )
            torch.cuda.empty_cache()

    def _read(
        self, shown: Sequence[Conversation], sizes: Mapping[int, int], most: int
    ) -> Iterator[tuple[list[int], Prefix]]:
        """Read conversations, those about the same clips together, and long clips first.

        Clips are decoded, and the inputs made, while the model is at work on others.

        Args:
            shown: All conversations.
            sizes: Answers to each of those that are to be read.
            most: Answers to conversations that are read together, unless they share their clips.

        Yields:
            Positions of conversations, and what was read of these.
        """
        clips = [tuple(clip for turn in turns for clip in turn.clips) for turns in shown]
        lengths = {n: sum(self._seconds.get(clip, 0.0) for clip in clips[n]) for n in sizes}
        ordered = sorted(sizes, key=lambda n: (-lengths[n], list(map(str, clips[n]))))
        if self._family.reads_together:
            alike = [list(same) for _, same in groupby(ordered, key=lambda n: clips[n])]
            groups = list(_groups(alike, sizes, most, self._batch_size))
        else:
            groups = [[n] for n in ordered]
        prepared = ahead(self._reader.prepare, ([shown[n] for n in group] for group in groups))
        for group, inputs in zip(groups, prepared, strict=True):
            yield group, self._reader.read(inputs)

    def _sample(self, work: "_Work") -> Iterator[tuple[int, int, Answer]]:
        """Draw, sampled or greedy; yields position, index and answer."""
        sizes = {n: len(left) for n, left in work.left.items() if left}

        def chunks() -> Iterator[Chunk]:
            for group, prefix in self._read(work.shown, sizes, max(1, self._batch_size // 2)):
                yield (
                    prefix,
                    [
                        (place, Writing(n, work.orders[n], index, prompt))
                        for place, n in enumerate(group)
                        for prompt in [prefix.tokens(place)]
                        for index in sorted(work.left[n])
                    ],
                )

        for draw, answer in self._decoder.run(chunks(), self._batch_size):
            yield draw.position, draw.index, answer

    def _search(self, work: "_Work") -> Iterator[tuple[int, int, Answer]]:
        """Search by beams; yields position, rank and answer."""
        searches: dict[Decoding, dict[int, int]] = {}
        for n, left in work.left.items():
            decoding = work.orders[n].decoding
            if left and decoding.num_beams > 1:
                searches.setdefault(decoding, {})[n] = decoding.num_beams
        for decoding, sizes in searches.items():
            for group, prefix in self._read(work.shown, sizes, self._batch_size):
                found = [
                    (place, rank, tokens)
                    for place, rank, tokens in self._beams(prefix, len(group), decoding)
                    if rank in work.left[group[place]]
                ]
                rows = [(place, tokens) for place, _, tokens in found]
                own = self._own_log_probabilities(prefix, rows)
                for (place, rank, tokens), (log_probabilities, _) in zip(found, own, strict=True):
                    ended = bool(tokens) and tokens[-1] in self._ends
                    yield (
                        group[place],
                        rank,
                        Answer(
                            self._decode(tokens),
                            float(log_probabilities.sum()),
                            len(tokens),
                            "stop" if ended else "length",
                        ),
                    )

    def _score(
        self, orders: Sequence[ScoreOrder], shown: Sequence[Conversation], left: Collection[int]
    ) -> Iterator[tuple[int, list[Score]]]:
        """Score the continuations of what is left; yields positions and scores."""
        sizes = {n: len(orders[n].continuations) for n in left}
        for group, prefix in self._read(shown, sizes, self._batch_size):
            rows = [
                (place, self._tokens(text))
                for place, n in enumerate(group)
                for text in orders[n].continuations
            ]
            scores = (
                Score(float(own.sum()), len(own), greedy=bool(greedy.all()))
                for own, greedy in self._own_log_probabilities(prefix, rows)
            )
            for n in group:
                yield n, list(islice(scores, sizes[n]))

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text

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
            places = [place for place, _ in batch]
            logits = logits_behind(
                self._model, self._reader.cache_name, prefix, places, targets, inside
            )
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

    def _beams(
        self, prefix: Prefix, count: int, decoding: Decoding
    ) -> Iterator[tuple[int, int, list[int]]]:
        """Search by beams; yields place, rank and tokens, an end token included.

        The canonical search: no penalty on length, and no end before the best are found. The
        beams are scored afterwards, since `generate` would keep the logits of the whole search.
        """
        beams = decoding.num_beams
        length = prefix.ids.shape[1]
        places = torch.arange(count, device=prefix.ids.device)
        sequences = self._model.generate(
            input_ids=prefix.ids,
            attention_mask=prefix.mask,
            position_ids=token_positions(prefix.mask),
            **{self._reader.cache_name: prefix.copies(places.repeat_interleave(beams))},
            max_new_tokens=decoding.max_new_tokens,
            do_sample=False,
            num_beams=beams,
            num_return_sequences=beams,
            length_penalty=0.0,
            repetition_penalty=decoding.repetition_penalty,
            early_stopping="never",
        )
        for row, tokens in enumerate(sequences[:, length:].tolist()):
            end = next((n for n, token in enumerate(tokens, 1) if token in self._ends), None)
            yield row // beams, row % beams, tokens[:end]


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be drawn.

    Attributes:
        orders: All orders.
        shown: The conversation of each, as the model is shown it.
        left: Position -> draws that are still to be made.
    """

    orders: Sequence[DrawOrder]
    shown: Sequence[Conversation]
    left: Mapping[int, set[int]]


def _pieces(clip: Clip, seconds: float, longest: float) -> tuple[Clip, ...]:
    """Equal pieces of a clip that fit a window."""
    count = math.ceil(seconds / longest)
    start = clip.start or 0.0
    cuts = [start + seconds * n / count for n in range(count + 1)]
    return tuple(Clip(clip.path, one, two) for one, two in pairwise(cuts))


def _in_pieces(conversation: Conversation, pieces: Mapping[Clip, tuple[Clip, ...]]) -> Conversation:
    """A conversation with pieces in the place of clips."""
    return tuple(
        Turn(
            turn.role,
            turn.text,
            tuple(piece for clip in turn.clips for piece in pieces.get(clip, (clip,))),
        )
        for turn in conversation
    )


def _groups(
    alike: Iterable[list[int]], sizes: Mapping[int, int], most: int, conversations: int
) -> Iterator[list[int]]:
    """Put those together that are read together.

    Args:
        alike: Positions of conversations about the same clips.
        sizes: Answers to each.
        most: Answers to a group, unless these are to conversations about the same clips.
        conversations: Most conversations of a group.
    """
    group: list[int] = []
    for same in alike:
        for start in range(0, len(same), conversations):
            part = same[start : start + conversations]
            whole = group + part
            if group and (sum(sizes[n] for n in whole) > most or len(whole) > conversations):
                yield group
                group = []
            group = group + part
    if group:
        yield group
