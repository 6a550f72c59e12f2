"""What a run is going to ask for, before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from model_adapters.backend import Conversation
from model_adapters.chat_api.providers import Price, Provider

_CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one request takes.

    Attributes:
        text_tokens: Of the question's text, about.
        seconds: Of its audio.
        most_output: Longest answers, in tokens, all of them.
    """

    text_tokens: float
    seconds: float
    most_output: float


def text_tokens(conversation: Conversation) -> float:
    """About how many tokens the words of a conversation are."""
    return sum(len(turn.text) for turn in conversation) / _CHARACTERS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Estimate:
    """The sum of all requests' needs.

    Attributes:
        model: The model's name.
        requests: How many.
        text_tokens: See `Need`.
        seconds: See `Need`.
        most_output: See `Need`.
        audio_tokens: None where it is not known how many a second counts.
        price: None where not known.
    """

    model: str
    requests: int
    text_tokens: float
    seconds: float
    most_output: float
    audio_tokens: float | None
    price: Price | None

    @classmethod
    def of(
        cls, model: str, needs: Sequence[Need], provider: Provider, price: Price | None
    ) -> "Estimate":
        """Sum up."""
        seconds = sum(need.seconds for need in needs)
        rate = provider.audio_tokens
        return cls(
            model=model,
            requests=len(needs),
            text_tokens=sum(need.text_tokens for need in needs),
            seconds=seconds,
            most_output=sum(need.most_output for need in needs),
            audio_tokens=None if rate is None else rate * seconds,
            price=price,
        )

    def __str__(self) -> str:
        audio = "unknown" if self.audio_tokens is None else f"about {self.audio_tokens:,.0f}"
        return (
            f"{self.requests:,} requests to {self.model}, {self.seconds / 60:,.1f} minutes of "
            f"audio sent; tokens: text about {self.text_tokens:,.0f}, audio {audio}, answers at "
            f"most {self.most_output:,.0f}; {self._money()}"
        )

    def _money(self) -> str:
        if self.price is None:
            return "price unknown (--model_args price=text;audio;answers, for a million tokens)."
        if self.audio_tokens is None:
            return "price unknown, since the audio's tokens are."
        least = self.price.cost(self.text_tokens, self.audio_tokens, 0)
        most = self.price.cost(self.text_tokens, self.audio_tokens, self.most_output)
        source = f"{self.price.source} {self.price.date}".strip()
        return f"{least:,.2f} USD for the questions, at most {most:,.2f} with answers ({source})."
