"""The protocol that every model speaks. Nothing here knows the harness, torch or a model.

To add a model, subclass `Backend`, register it with `registry.register_adapter`, and name it in
your package's entry points (see docs/adding_a_model.md).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation; its clips come before its text."""

    role: Literal["system", "user", "assistant"]
    text: str
    clips: tuple[Clip, ...] = ()


Conversation = tuple[Turn, ...]
"""What the model is shown. Clips stand in the first user turn, so that what varies follows them."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How an answer is drawn.

    What differs from the defaults is part of a draw's identity (see `changes`), so a field may be
    added, but a default never changes.

    Attributes:
        do_sample: Sample, or take the most probable token at each step.
        temperature: Divides the logits before sampling; > 0.
        top_p: Keep the fewest most probable tokens that reach this mass; in (0, 1].
        top_k: Keep so many of the most probable tokens; 0 keeps all.
        min_p: Keep tokens of at least this share of the most probable one's probability; in [0, 1).
        repetition_penalty: Divides the positive logits of tokens that are in the prompt or the
            answer already, and multiplies the negative ones; > 0, 1 for none.
        num_beams: Above 1, draw i is the beam of rank i of a search so wide, by the sum of its
            tokens' log-probabilities, without a penalty on length.
        max_new_tokens: Longest answer in tokens.
        stop: Strings at which the answer ends; they are not part of it.
        seed: Every random number derives from it.
    """

    do_sample: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    num_beams: int = 1
    max_new_tokens: int = 256
    stop: tuple[str, ...] = ()
    seed: int = 1234

    def changes(self) -> dict[str, object]:
        """The fields that differ from their defaults."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if value != getattr(PLAIN, name)}


PLAIN = Decoding()
"""One greedy answer."""


@dataclass(frozen=True, slots=True)
class DrawOrder:
    """Draws that are wanted of one conversation.

    Attributes:
        conversation: What the model is shown.
        decoding: How to draw.
        indices: Which draws; draw i of an order is the same whenever, and beside whatever, it is
            made.
        key: Identity of conversation and decoding by content; with the index and the step it seeds
            the noise (see `noise.uniform`).
    """

    conversation: Conversation
    decoding: Decoding
    indices: tuple[int, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished draw, as a backend gives it.

    Attributes:
        text: The answer, without stop strings and special tokens.
        log_likelihood: Sum of the natural log-probabilities of the answer's tokens, the end token
            included, under the model's own distribution (temperature 1, nothing cut off); None
            where the engine does not say.
        tokens: Number of these tokens, None where unknown.
        finish_reason: `stop` (end token or stop string), `length`, or `content_filter`: whoever
            runs the model withheld the answer.
        sampling_log_likelihood: Like `log_likelihood`, but under the distribution that the tokens
            were sampled from (with the temperature and what it cut off); None for a draw that was
            not sampled, or where the engine does not say.
    """

    text: str
    log_likelihood: float | None = None
    tokens: int | None = None
    finish_reason: Literal["stop", "length", "content_filter"] = "stop"
    sampling_log_likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class ScoreOrder:
    """Answers to one conversation that are to be scored, not drawn.

    Attributes:
        conversation: What the model is shown.
        continuations: The answers, without an end token.
    """

    conversation: Conversation
    continuations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """What the model thinks of a given answer.

    Attributes:
        log_likelihood: Sum of the natural log-probabilities of its tokens, all of them, under the
            model's own distribution; no end token follows.
        tokens: Number of these tokens.
        greedy: Whether greedy decoding writes it.
    """

    log_likelihood: float
    tokens: int
    greedy: bool


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do, as data.

    Attributes:
        sampling: It draws different answers for different indices.
        beams: It searches by beams, see `Decoding.num_beams`.
        draw_log_likelihood: Its answers carry their log-likelihood.
        log_likelihood: It scores given continuations (`Backend.log_likelihoods`).
        system_turn: It takes a system turn.
        clips: How many clips a conversation may hold, None for any number.
        repeatable: A draw is the same to the letter whenever, in whatever order and beside whatever
            it is made; else mostly, or not at all.
    """

    sampling: bool = True
    beams: bool = False
    draw_log_likelihood: bool = False
    log_likelihood: bool = False
    system_turn: bool = True
    clips: int | None = 1
    repeatable: bool = True


class Backend(ABC):
    """A model and the engine that runs it.

    A constructor takes keyword arguments only: the user's `--model_args`, and the harness's
    `batch_size`, `max_batch_size` and `device`. It checks them and is quick: weights load at the
    first draw, since the harness makes the model before it looks for the corpus.
    """

    capabilities: Capabilities = Capabilities()

    @property
    @abstractmethod
    def model_name(self) -> str:
        """What the results call the model."""

    def fingerprint(self) -> str | None:
        """Everything about model and engine that a draw depends on, as one hash.

        Returns:
            None where that cannot be told; finished draws are then not kept between runs.

        Raises:
            UserError: The model is not to be found.
        """
        return None

    @abstractmethod
    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """Make draws, in any order, each handed over as soon as it is finished.

        Args:
            orders: All that is wanted, so that the engine can sort and batch.

        Yields:
            The position in `orders`, the draw's index, and the answer; each wanted pair once.
        """

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        """Score given answers, in any order, each question's handed over as soon as they are.

        Args:
            orders: All that is wanted.

        Yields:
            The position in `orders`, and the scores of its continuations.

        Raises:
            UserError: This engine cannot, at the call and not later.
        """
        del orders
        raise UserError(
            f"{self.model_name}: this adapter does not score given answers, which the strategy "
            f"tlr and verifiers with score=probability need."
        )

    def describe(self) -> dict[str, object]:
        """What the results record about the model, as JSON-able data."""
        return {"model_name": self.model_name}
