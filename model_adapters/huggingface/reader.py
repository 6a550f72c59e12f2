"""Reading: hear each clip once, and read once what questions about it have in common.

The key-value cache of what was read is the prefix of every answer. Questions about one clip begin
alike, with the clip itself, so their common head is read once, and each question's own rest after
it: a verifier that judges several answers hears the clip once.
"""

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from ambi_tasks.audio import Clip, Waveform
from ambi_tasks.errors import UserError
from model_adapters.backend import Conversation
from model_adapters.huggingface.families import Family
from model_adapters.huggingface.prefix import Prefix, token_positions
from model_adapters.huggingface.rows import can_be_rows, logits_behind

_CHECKED_TOKENS = 8
_TOKEN_TYPES = {"token_type_ids", "mm_token_type_ids"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a processor makes of conversations, before the model reads them.

    Attributes:
        conversations: B conversations.
        groups: Positions of those whose common head is read as one, G of them.
        rows: The tokens of each conversation.
        mask: Of the first of each group, 0 at padding, (G, T).
        inputs: What else the model is given for these.
    """

    conversations: Sequence[Conversation]
    groups: list[list[int]]
    rows: list[list[int]]
    mask: torch.Tensor
    inputs: Any


class Reader:
    """Reads conversations into prefixes.

    Attributes:
        cache_name: What the model calls a cache among its arguments.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        family: type[Family],
        waveform_of: Callable[[Clip], Waveform],
    ) -> None:
        """Take a model over.

        Args:
            model: A loaded model in evaluation mode.
            processor: Its processor.
            family: What is particular about it.
            waveform_of: Decodes a clip, at the processor's rate.
        """
        self._model = model
        self._processor = processor
        self._family = family
        self._waveform_of = waveform_of
        self._shares = True
        self._checked = family.tested
        self._processing = threading.Lock()  # processors serve one thread at a time
        # transformers 5.24 renamed the argument and the output's field.
        known = inspect.signature(model.forward).parameters
        self.cache_name = "cache" if "cache" in known else "past_key_values"

    def prepare(self, conversations: Sequence[Conversation]) -> Prepared:
        """Decode the clips and make the model's inputs; the model is not asked.

        May be called in another thread than `read`.
        """
        with self._untested(), self._processing:
            groups = (
                _groups(conversations) if self._shares else [[n] for n in range(len(conversations))]
            )
            inputs = self._inputs([conversations[group[0]] for group in groups])
            firsts, mask = inputs.pop("input_ids"), inputs.pop("attention_mask")
            rows: list[list[int]] = [[]] * len(conversations)
            for number, group in enumerate(groups):
                first = firsts[number][mask[number].bool()].tolist()
                found = self._rows(first, [conversations[n] for n in group])
                for position, row in zip(group, found, strict=True):
                    rows[position] = row
            return Prepared(conversations, groups, rows, mask, inputs)

    def read(self, prepared: Prepared) -> Prefix:
        """Encode the clips and fill the cache with the prompts, each once.

        Raises:
            UserError: The model is of no tested family, and cannot be run like one.
        """
        with self._untested():
            prefix = self._read(prepared)
            if not self._checked:
                self._compare_with_plain_generation(prepared.conversations[0])
                self._checked = True
        return prefix

    @contextmanager
    def _untested(self) -> Iterator[None]:
        """What goes wrong in a model of no tested family becomes a sentence.

        Raises:
            UserError: It did.
        """
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            if self._checked:
                raise
            raise self._refusal(f"shown a clip as most models are, it fails ({error})") from error

    def _refusal(self, reason: str) -> UserError:
        return UserError(
            f"alm_hf cannot draw from a model of the type '{self._model.config.model_type}': "
            f"{reason}. Write a family or an adapter for it (docs/adding_a_model.md)."
        )

    def _compare_with_plain_generation(self, conversation: Conversation) -> None:
        """See that the model goes on from a prompt that was kept as it does in plain generation.

        Raises:
            UserError: It does not.
        """
        with self._processing:
            inputs = self._moved(self._inputs([conversation]))
        plain = self._model.generate(
            **inputs,
            max_new_tokens=_CHECKED_TOKENS,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
        tokens = plain.sequences[:, inputs["input_ids"].shape[1] :]
        expected = torch.stack(plain.logits, dim=1).float().softmax(dim=-1)
        prefix = self._read(self.prepare([conversation]))
        found = logits_behind(
            self._model, self.cache_name, prefix, [0], tokens, torch.ones_like(tokens)
        )
        distance = float((found.softmax(dim=-1) - expected).abs().sum(dim=-1).max()) / 2
        if distance > (1e-3 if self._model.dtype == torch.float32 else 0.1):
            raise self._refusal(
                f"behind a prompt that was kept, its probabilities are others than in plain "
                f"generation (by {distance:.3f})"
            )

    def _read(self, prepared: Prepared) -> Prefix:
        groups, rows = prepared.groups, prepared.rows
        lengths = [_head_length([rows[position] for position in group]) for group in groups]
        heads = [rows[group[0]][:length] for group, length in zip(groups, lengths, strict=True)]
        cache, head_ids, head_mask = self._read_heads(heads, prepared.mask, prepared.inputs)
        if any(len(group) > 1 for group in groups) and not _is_plain(cache):
            self._shares = False  # windows cannot have padding in their midst
            return self._read(self.prepare(prepared.conversations))
        of = {position: number for number, group in enumerate(groups) for position in group}
        which = torch.tensor([of[n] for n in range(len(rows))], device=head_ids.device)
        rests = [row[lengths[of[n]] :] for n, row in enumerate(rows)]
        return self._read_rests(cache, (head_ids, head_mask), which, rests)

    def _inputs(self, conversations: Sequence[Conversation]) -> Any:
        clips = [clip for turns in conversations for turn in turns for clip in turn.clips]
        return self._family.inputs(
            self._processor, conversations, [self._waveform_of(clip) for clip in clips]
        )

    def _moved(self, inputs: Any) -> Any:
        return inputs.to(self._model.device, self._model.dtype)  # casts the floating inputs alone

    def _rows(self, first: list[int], group: Sequence[Conversation]) -> list[list[int]]:
        """The tokens of conversations about the same clips, of which the first one's are known."""
        if len(group) == 1:
            return [first]
        if "inputs" not in vars(self._family):  # where the family has its own way, ask it
            texts = [self._family.chat_text(self._processor, turns) for turns in group]
            found = [self._expanded(text, first) for text in texts]
            if found[0] == first:
                return found
        # The processor writes audio otherwise than by repeating a token: ask it for each.
        rows = [self._inputs([turns]) for turns in group]
        return [row["input_ids"][0].tolist() for row in rows]

    def _expanded(self, text: str, first: Sequence[int]) -> list[int]:
        """Tokens of a text, with as many for each clip as in the first conversation."""
        audio = getattr(self._model.config, "audio_token_id", None)
        runs = iter(_runs(first, audio))
        tokens: list[int] = []
        for token in self._processor.tokenizer(text).input_ids:
            tokens += [token] * (next(runs, 0) if token == audio else 1)
        return tokens

    def _read_heads(
        self,
        heads: Sequence[list[int]],
        mask: torch.Tensor,
        inputs: Any,
    ) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """Fill a cache with the heads, and say what they are, (G, H).

        Args:
            heads: Their tokens.
            mask: Of the conversations that they begin, (G, T).
            inputs: What else the model is given for these.
        """
        device = self._model.device
        ids, head_mask = _left_padded(heads, device)
        # By name: a mask of audio features can happen to have the shape of the tokens.
        beside = {
            name: _left_padded(
                [
                    row[kept.bool()].tolist()[: len(head)]
                    for row, kept, head in zip(inputs[name], mask, heads, strict=True)
                ],
                device,
            )[0]
            for name in _TOKEN_TYPES & inputs.keys()
        }
        output = self._model.generate(
            input_ids=ids,
            attention_mask=head_mask,
            **{**self._moved(inputs), **beside},
            max_new_tokens=1,
            do_sample=False,
            return_dict_in_generate=True,
        )
        cache = output.get(self.cache_name)
        if not can_be_rows(cache):
            raise self._refusal("it keeps more of its prompt than keys and values")
        return cache, ids, head_mask

    def _read_rests(
        self,
        cache: Any,
        heads: tuple[torch.Tensor, torch.Tensor],
        which: torch.Tensor,
        rests: Sequence[list[int]],
    ) -> Prefix:
        """Read what is each conversation's own, but its last token.

        Args:
            cache: Of the heads.
            heads: Their tokens and mask, both (G, H).
            which: The head of each conversation, (B,).
            rests: What follows it.
        """
        head_ids, head_mask = heads[0][which], heads[1][which]
        last = torch.tensor([[rest[-1]] for rest in rests], device=which.device)
        ids, rest_mask = _left_padded([rest[:-1] for rest in rests], which.device)
        mask = torch.cat([head_mask, rest_mask], dim=1)
        if len(which) > len(heads[0]):
            cache.batch_select_indices(which)
        if ids.shape[1]:
            self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=token_positions(mask)[:, -ids.shape[1] :],
                **{self.cache_name: cache},
            )
        whole = torch.cat([mask, torch.ones_like(last)], dim=1)
        return Prefix.of(cache, torch.cat([head_ids, ids, last], dim=1), whole)


def _groups(conversations: Sequence[Conversation]) -> list[list[int]]:
    """Positions of conversations that are alike up to their last clip, in order of the first."""
    groups: dict[Any, list[int]] = {}
    for position, turns in enumerate(conversations):
        heard = [number for number, turn in enumerate(turns) if turn.clips]
        head = (turns[: heard[-1]], turns[heard[-1]].clips) if heard else position
        groups.setdefault(head, []).append(position)
    return list(groups.values())


def _head_length(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with; at least one is left to each."""
    shortest = min(len(row) for row in rows) - 1
    same = takewhile(lambda column: len(set(column)) == 1, zip(*rows, strict=False))
    return min(shortest, sum(1 for _ in same))


def _runs(tokens: Iterable[int], audio: int | None) -> list[int]:
    """Lengths of the stretches of audio tokens."""
    runs: list[int] = []
    before = None
    for token in tokens:
        if token == audio:
            if before != audio:
                runs.append(0)
            runs[-1] += 1
        before = token
    return runs


def _left_padded(
    rows: Sequence[Sequence[int]], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of tokens, padded on the left with 0, (R, T), and their mask, (R, T)."""
    length = max(map(len, rows))
    ids = torch.zeros(len(rows), length, dtype=torch.long, device=device)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        if row:
            ids[number, -len(row) :] = torch.tensor(row, dtype=torch.long)
            mask[number, -len(row) :] = 1
    return ids, mask


def _is_plain(cache: Any) -> bool:
    """Whether every layer keeps all keys and values."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)
