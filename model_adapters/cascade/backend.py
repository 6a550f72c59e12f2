"""`alm_cascade`: a recogniser writes down what is said, and a text model answers from that alone.

It answers the same questions as any other adapter without hearing how anything is said. What it
reaches is what the words of a corpus give away; what a model that hears adds to it is the tone.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from ambi_tasks.prompts import load_prompt
from model_adapters.audio_lm import nested_model, question
from model_adapters.backend import (
    Answer,
    Backend,
    Capabilities,
    Conversation,
    DrawOrder,
    Score,
    ScoreOrder,
    Turn,
)
from model_adapters.cascade.sphinx import PocketSphinx
from model_adapters.registry import adapter_names, get_adapter, register_adapter

_CONTROL = "text only: the text model reads a recogniser's transcript and hears nothing"


@register_adapter("alm_cascade")
class CascadeBackend(Backend):
    """A speech recogniser and a text model.

    Questions whose clips have the same transcript are the same question, and get the same answer:
    it is asked once.
    """

    def __init__(
        self,
        *,
        recogniser: str | None = None,
        recogniser_args: str | Mapping[str, Any] | None = None,
        text_model: str | None = None,
        text_args: str | Mapping[str, Any] | None = None,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
        device: str | None = None,
    ) -> None:
        """Check the settings; nothing is loaded.

        Args:
            recogniser: Hub name or folder of a speech recogniser, `pocketsphinx`, or an adapter
                that hears.
            recogniser_args: Its model_args: a mapping, or `name=value;name=value`.
            text_model: Hub name or folder of a causal language model, or an adapter.
            text_args: Its model_args, likewise.
            batch_size: For both, where they have one; as the others.
            max_batch_size: See there.
            device: See there.

        Raises:
            UserError: A part is not named, or refuses its settings.
        """
        if recogniser is None or text_model is None:
            raise UserError(
                "alm_cascade: name both parts, such as --model_args recogniser="
                "openai/whisper-large-v3,text_model=Qwen/Qwen2.5-7B-Instruct."
            )
        settings = {"batch_size": batch_size, "max_batch_size": max_batch_size, "device": device}
        given = {name: value for name, value in settings.items() if value is not None}
        self._recogniser = nested_model(*_recogniser(str(recogniser)), recogniser_args, given)
        self._text = nested_model(*_text_model(str(text_model)), text_args, given).backend
        self._transcripts: dict[Clip, str] = {}

    @property
    def model_name(self) -> str:
        """Both names."""
        return f"{self._recogniser.backend.model_name} + {self._text.model_name}"

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override] # they are the text model's
        """What the text model can, of any number of clips."""
        return replace(self._text.capabilities, clips=None)

    def fingerprint(self) -> str | None:
        """See `Backend.fingerprint`: both parts, and the words that join them."""
        parts = [self._recogniser.backend.fingerprint(), self._text.fingerprint()]
        if None in parts:
            return None
        words = [load_prompt(name).sha256 for name in ("transcribe", "transcript")]
        return hashlib.sha256("/".join(map(str, [*parts, *words])).encode()).hexdigest()

    def describe(self) -> dict[str, object]:
        """What the results record: that it is a control, both parts, and what was understood."""
        texts = list(self._transcripts.values())
        return {
            "model_name": self.model_name,
            "control": _CONTROL,
            "recogniser": self._recogniser.get_model_info(),
            "text_model": self._text.describe(),
            "clips_transcribed": len(texts),
            "different_transcripts": len(set(texts)),
            "empty_transcripts": texts.count(""),
            "transcript_prompt": load_prompt("transcript").record(),
        }

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """Write down all clips, then let the text model draw, see `Backend.draw`."""
        pools: dict[str, _Pool] = {}
        conversations = self._read(order.conversation for order in orders)
        for position, (order, turns) in enumerate(zip(orders, conversations, strict=True)):
            key = question(turns, (), order.decoding).key
            pool = pools.setdefault(key, _Pool(replace(order, conversation=turns, key=key), {}))
            pool.askers[position] = frozenset(order.indices)
        asked = [pool.order() for pool in pools.values()]
        return _handed_out(list(pools.values()), self._text.draw(asked))

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        """Write down all clips, then let the text model score, see `Backend.log_likelihoods`."""
        askers: dict[ScoreOrder, list[int]] = defaultdict(list)
        for position, turns in enumerate(self._read(order.conversation for order in orders)):
            askers[replace(orders[position], conversation=turns)].append(position)
        found = self._text.log_likelihoods(list(askers))
        positions = list(askers.values())
        return ((position, scores) for place, scores in found for position in positions[place])

    def _read(self, conversations: Iterable[Conversation]) -> list[Conversation]:
        """The conversations, with words in the place of clips."""
        heard = list(conversations)
        clips = {clip for turns in heard for turn in turns for clip in turn.clips}
        missing = sorted(clips - set(self._transcripts), key=str)
        if missing:
            self._transcripts |= zip(missing, self._recogniser.transcribe(missing), strict=True)
        return [tuple(self._words(turn) for turn in turns) for turns in heard]

    def _words(self, turn: Turn) -> Turn:
        if not turn.clips:
            return turn
        transcripts = [self._transcripts[clip] for clip in turn.clips]
        text = load_prompt("transcript").render(transcripts=transcripts, task=turn.text)
        return Turn(turn.role, text)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Orders that are the same question once the clips are words.

    Attributes:
        first: One of them.
        askers: Their positions, and which draws each wants.
    """

    first: DrawOrder
    askers: dict[int, frozenset[int]]

    def order(self) -> DrawOrder:
        """What is asked of the text model, for all of them."""
        indices = frozenset[int]().union(*self.askers.values())
        return replace(self.first, indices=tuple(sorted(indices)))


def _handed_out(
    pools: Sequence[_Pool], found: Iterable[tuple[int, int, Answer]]
) -> Iterator[tuple[int, int, Answer]]:
    """Give each draw to all who want it."""
    for place, index, answer in found:
        for position, wanted in pools[place].askers.items():
            if index in wanted:
                yield position, index, answer


def _recogniser(name: str) -> tuple[str, type[Backend], dict[str, Any]]:
    """What hears: its name, its class, and what the name says of its settings."""
    if name == "pocketsphinx":
        return name, PocketSphinx, {}
    if name in adapter_names():
        return name, get_adapter(name), {}
    from model_adapters.huggingface.recogniser import SpeechRecogniser  # noqa: PLC0415 - torch

    return "speech recogniser", SpeechRecogniser, {"pretrained": name}


def _text_model(name: str) -> tuple[str, type[Backend], dict[str, Any]]:
    """What answers: as `_recogniser`."""
    if name in adapter_names():
        return name, get_adapter(name), {}
    from model_adapters.huggingface.text import TextBackend  # noqa: PLC0415 - torch

    return "text model", TextBackend, {"pretrained": name}
