"""What each provider can do, and what it costs: data, dated and with its source.

What is not known is not here. A server that is none of these is `compatible`, of which nothing is
taken for granted; `--model_args offers=...` says what it can do.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ambi_tasks.errors import UserError, nearest

OFFERS: Mapping[str, str] = MappingProxyType(
    {
        "n": "several draws in one request",
        "seed": "a seed for each request",
        "filters": "top_k, min_p and repetition_penalty",
        "logprobs": "log-probabilities of an answer's tokens and of their rivals",
        "prompt_logprobs": "log-probabilities of a given answer's tokens",
        "beams": "beam search",
        "audio_url": "audio by URL, or as a file that the server sees",
    }
)
"""What a server may offer beyond greedy and sampled answers."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One kind of server.

    Attributes:
        name: As `--model_args provider=...` has it.
        base_url: Where it is; None where only the user knows.
        key_variable: The environment variable that holds the key.
        key_needed: Whether it cannot be had without a key.
        offers: What it can do, of `OFFERS`.
        length_field: What it calls the longest answer in tokens.
        most_draws: Most draws in one request, where it offers `n` (or the user says that it does).
        most_stops: Most stop strings; None where no limit is known.
        packs_decoding: Whether it samples only as a `generation_config` in the request says.
        most_bytes: Largest request; None where no limit is known.
        most_seconds: Most audio in a request; None where no limit is known.
        audio_tokens: Tokens that a second of audio counts; None where that depends on the model.
    """

    name: str
    base_url: str | None
    key_variable: str
    key_needed: bool
    offers: frozenset[str]
    length_field: str = "max_tokens"
    most_draws: int = 8
    most_stops: int | None = None
    packs_decoding: bool = False
    most_bytes: int | None = None
    most_seconds: float | None = None
    audio_tokens: float | None = None


PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        one.name: one
        for one in (
            # API reference of Chat Completions: n from 1 to 128, at most 4 stops, seeds as a best
            # effort. Its audio models refuse log-probabilities (guidance-ai/guidance pull request
            # 1154, March 2025). A token of a user's audio is 100 ms.
            Provider(
                name="openai",
                base_url="https://api.openai.com/v1",
                key_variable="OPENAI_API_KEY",
                key_needed=True,
                offers=frozenset({"n", "seed"}),
                length_field="max_completion_tokens",
                most_draws=128,
                most_stops=4,
                audio_tokens=10.0,
            ),
            # ai.google.dev/gemini-api/docs/audio: 32 tokens a second, 9.5 hours, 20 MB in line. The
            # reference of this endpoint (ai.google.dev/api/compatibility) has `n`, up to 8 with the
            # 2.5 models; those of 3 refuse it (googleapis/js-genai issue 1609, May 2026), and are
            # then asked for each draw alone. `seed` is answered with status 400 ("Unknown name");
            # log-probabilities are not enabled for the 2.5 models.
            Provider(
                name="gemini",
                base_url="https://generativelanguage.googleapis.com/v1beta/openai",
                key_variable="GEMINI_API_KEY",
                key_needed=True,
                offers=frozenset({"n"}),
                most_draws=8,
                most_bytes=20_000_000,
                most_seconds=9.5 * 3600,
                audio_tokens=32.0,
            ),
            Provider(
                name="vllm",
                base_url="http://localhost:8000/v1",
                key_variable="VLLM_API_KEY",
                key_needed=False,
                offers=frozenset(OFFERS),
                most_draws=256,
            ),
            # `transformers serve` 5.24, tried: greedy answers to `temperature`, one draw to `n`, no
            # log-probabilities, and status 500 to `stop` where the model hears.
            Provider(
                name="transformers",
                base_url="http://localhost:8000/v1",
                key_variable="ALM_API_KEY",
                key_needed=False,
                offers=frozenset({"seed", "filters"}),
                most_stops=0,
                packs_decoding=True,
            ),
            Provider(
                name="compatible",
                base_url=None,
                key_variable="ALM_API_KEY",
                key_needed=False,
                offers=frozenset(),
                most_draws=128,
            ),
        )
    }
)

MOST_RIVALS = 20
"""So many of a token's most probable rivals are given at most, by OpenAI and by vLLM."""

WINDOWS: Mapping[str, float] = MappingProxyType({"qwen2-audio": 30.0})
"""Seconds after which vLLM cuts a clip and says nothing, by a part of the model's name."""

SHUT_DOWN: Mapping[str, str] = MappingProxyType(
    {
        "gpt-4o-audio-preview": "2026-05-07",
        "gpt-4o-mini-audio-preview": "2026-05-07",
        "gpt-audio-mini": "2027-01-20",
    }
)
"""Announced dates of the end of models, as the reference of the `openai` package 3.57 has them."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        text: Of a text's tokens in the question.
        audio: Of an audio's tokens in the question.
        output: Of the answer's tokens, with those of its reasoning.
        source: Where the numbers are from.
        date: When they held.
    """

    text: float
    audio: float
    output: float
    source: str
    date: str

    def cost(self, text: float, audio: float, output: float) -> float:
        """US dollars for so many tokens of each kind."""
        return (text * self.text + audio * self.audio + output * self.output) / 1e6


_GOOGLE = "ai.google.dev/gemini-api/docs/pricing, questions of up to 200,000 tokens"

PRICES: Mapping[str, Price] = MappingProxyType(
    {
        "gpt-4o-audio-preview": Price(2.50, 40.0, 10.0, "aitoolrank.net, list price", "2026-03-23"),
        "gpt-audio": Price(2.50, 32.0, 10.0, "openrouter.ai, list price", "2026"),
        "gpt-audio-1.5": Price(2.50, 32.0, 10.0, "llmreference.com, list price", "2026-05"),
        "gemini-2.5-pro": Price(1.25, 1.25, 10.0, _GOOGLE, "2026-03"),
        "gemini-2.5-flash": Price(0.30, 1.00, 2.50, _GOOGLE, "2026-03"),
    }
)
"""Standard prices without discounts for what is cached; a model that is not here has none known."""

_SNAPSHOT = re.compile(r"-20\d\d-\d\d-\d\d$")


def base_model(model: str) -> str:
    """A model's name without the date of its snapshot.

    >>> base_model("gpt-audio-2025-08-28")
    'gpt-audio'
    """
    return _SNAPSHOT.sub("", model)


def get_provider(name: str) -> Provider:
    """Look a provider up.

    Raises:
        UserError: There is none of that name.
    """
    if name not in PROVIDERS:
        raise UserError(
            f"--model_args provider: there is no '{name}'; {nearest(name, PROVIDERS)} A server "
            f"that is none of them is 'compatible'."
        )
    return PROVIDERS[name]


def read_offers(text: str) -> frozenset[str]:
    """Read `--model_args offers=n;seed`.

    Raises:
        UserError: It names something else than `OFFERS`.
    """
    named = [name for name in re.split(r"[;|\s]+", text) if name]
    for name in named:
        if name not in OFFERS:
            raise UserError(f"--model_args offers: there is no '{name}'; {nearest(name, OFFERS)}")
    return frozenset(named)


def read_price(text: str | None, model: str) -> Price | None:
    """The price that the user gives as `text;audio;answers`, or else the table's.

    Raises:
        UserError: It is not three numbers.
    """
    if text is None:
        return PRICES.get(base_model(model))
    try:
        words, audio, answers = map(float, re.split(r"[;|\s]+", str(text).strip()))
    except ValueError:
        words = audio = answers = -1.0
    if not all(0 <= value < math.inf for value in (words, audio, answers)):
        raise UserError(
            f"--model_args price must be three numbers, US dollars for a million tokens of text, "
            f"of audio and of answers, such as 2.5;32;10, and not '{text}'."
        )
    return Price(words, audio, answers, source="--model_args price", date="")
