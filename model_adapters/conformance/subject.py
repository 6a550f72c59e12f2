"""An adapter under test: how it is made, what it is asked, and how its answers are gathered."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ambi_tasks.audio import Clip, silent_clip
from ambi_tasks.doctor.stimuli import demo_clips
from ambi_tasks.errors import UserError
from ambi_tasks.prompts import load_prompt
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import (
    Answer,
    Backend,
    Conversation,
    Decoding,
    DrawOrder,
    Score,
    ScoreOrder,
    Turn,
)

LABELS = ("neutral", "happy", "angry", "sad")
GREEDY = Decoding(max_new_tokens=48)
SAMPLED = Decoding(do_sample=True, max_new_tokens=48)

_BATCH = 4
_CLIPS = 3

Drawn = dict[tuple[str, int], Answer]
"""Answers by the key of their order and their index."""


class Subject:
    """One adapter with its arguments.

    Attributes:
        adapter: Its name.
        backend_class: Its class.
        model_args: What a user would give as `--model_args`.
    """

    def __init__(
        self, adapter: str, backend_class: type[Backend], model_args: Mapping[str, Any]
    ) -> None:
        self.adapter, self.backend_class, self.model_args = adapter, backend_class, model_args

    def make(self, **settings: Any) -> AudioLM:
        """Make the model as the harness would, by settings of its own.

        Args:
            **settings: Beside the user's arguments.
        """
        known = {"adapter": self.adapter, "backend_class": self.backend_class}
        kind: type[AudioLM] = type(self.adapter, (AudioLM,), known)
        given = {"batch_size": _BATCH, **self.model_args, "keep_draws": False}
        return kind.create_from_arg_obj(given | settings)

    @cached_property
    def lm(self) -> AudioLM:
        """The model that is asked, which keeps no draws."""
        return self.make()

    @property
    def backend(self) -> Backend:
        """Its backend."""
        return self.lm.backend

    @cached_property
    def clips(self) -> list[Clip]:
        """Some clips of the demo corpus."""
        return demo_clips()[:_CLIPS]

    @cached_property
    def silence(self) -> Clip:
        """A clip of silence."""
        return silent_clip()

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The arguments that the adapter's constructor takes."""
        return inspect.signature(self.backend_class).parameters

    def orders(
        self,
        decoding: Decoding,
        draws: Sequence[int] = (0,),
        *,
        clips: Sequence[Clip] | None = None,
        key: str = "conformance",
    ) -> list[DrawOrder]:
        """One order about each clip.

        Args:
            decoding: How to draw.
            draws: Indices of the draws.
            clips: The clips; those of the subject if None.
            key: Start of the orders' keys.
        """
        return [
            DrawOrder(asking(clip), decoding, tuple(draws), f"{key}/{number}")
            for number, clip in enumerate(self.clips if clips is None else clips)
        ]

    def draw(self, orders: Sequence[DrawOrder]) -> Drawn:
        """Draw, and gather the answers."""
        return {
            (orders[position].key, index): answer
            for position, index, answer in self.backend.draw(orders)
        }

    def draw_alone(self, orders: Sequence[DrawOrder]) -> Drawn:
        """Draw in calls of one order each."""
        return {key: answer for order in orders for key, answer in self.draw([order]).items()}

    def score(
        self, *conversations: Conversation, answers: Sequence[str] = LABELS
    ) -> list[list[Score]]:
        """Score answers to conversations, in one call."""
        orders = [ScoreOrder(conversation, tuple(answers)) for conversation in conversations]
        found = dict(self.backend.log_likelihoods(orders))
        return [found[position] for position in range(len(orders))]

    def refusal(self, ask: Callable[[], object]) -> str | None:
        """The sentence with which something is refused; None where it is not.

        Raises:
            Exception: It ends in anything but a `UserError`.
        """
        try:
            ask()
        except UserError as error:
            return str(error)
        return None


def question(prompt: str = "direct") -> str:
    """A prompt of the benchmark."""
    return load_prompt(prompt).render(labels=list(LABELS))


def asking(*clips: Clip, prompt: str = "direct") -> Conversation:
    """A question about clips."""
    return (Turn("user", question(prompt), clips),)


def texts(drawn: Drawn) -> dict[tuple[str, int], str]:
    """The answers' texts."""
    return {key: answer.text for key, answer in drawn.items()}


def is_sentence(text: str | None) -> bool:
    """Whether a refusal is one line that says something."""
    return bool(text) and "\n" not in str(text) and len(str(text).split()) > 2  # noqa: PLR2004
