"""What is recorded of the requests of a run: numbers, tokens, money, who answered, what failed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from model_adapters.chat_api.providers import Price


@dataclass(slots=True)
class Usage:
    """Tokens of one answered request, as it is billed.

    Attributes:
        text: Of the question's text, and of its audio where that is not told apart.
        audio: Of the question's audio.
        output: Of the answers, with those of their reasoning.
        tells_audio: Whether the audio's are known.
    """

    text: float = 0
    audio: float = 0
    output: float = 0
    tells_audio: bool = True

    @classmethod
    def read(cls, reply: Mapping[str, Any], audio_expected: float | None) -> "Usage":
        """Read what a server says of a request.

        Google counts the tokens of the reasoning in the total alone.

        Args:
            reply: The server's answer.
            audio_expected: Tokens of the audio, where the server does not say; None if not known.
        """
        usage = _mapping(reply.get("usage"))
        question = _number(usage.get("prompt_tokens"))
        output = _number(usage.get("completion_tokens"))
        output = max(output, _number(usage.get("total_tokens")) - question)
        said = _mapping(usage.get("prompt_tokens_details")).get("audio_tokens")
        audio = min(question, _number(said) if said is not None else audio_expected or 0.0)
        return cls(question - audio, audio, output, said is not None or audio_expected is not None)


@dataclass(slots=True)
class Record:
    """The requests of a run.

    Attributes:
        sent: Requests sent, those that failed included.
        answered: Requests that were answered.
        faults: Faults of requests that may pass, by reason; nearly all were tried again.
        refusals: Answers that the provider's filter withheld.
        empty: Answers without a text.
        models: Who answered, by the name that the server gives.
        fingerprints: The servers' configurations, by the hash that they give.
        usage: Tokens of the answered requests.
        cost: US dollars, as far as a price is known; discounts for what is cached are not counted.
        taken_out: Endpoints that stopped answering.
        first: When the first answer came.
        last: When the last answer came.
        several_ignored: The server gave fewer draws than were asked for in a request.
        pools: Sampled pools of two draws or more, and how many of them hold one text alone.
        missing_mass: Of each read-out by rivals, the probability of what is not among them.
    """

    sent: int = 0
    answered: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    refusals: int = 0
    empty: int = 0
    models: Counter[str] = field(default_factory=Counter)
    fingerprints: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0
    taken_out: list[str] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None
    several_ignored: bool = False
    pools: Counter[str] = field(default_factory=Counter)
    missing_mass: list[float] = field(default_factory=list)

    def add(self, reply: Mapping[str, Any], usage: Usage, price: Price | None) -> None:
        """Count an answered request."""
        self.answered += 1
        self.models[str(reply.get("model"))] += 1
        if reply.get("system_fingerprint"):
            self.fingerprints[str(reply["system_fingerprint"])] += 1
        self.usage.text += usage.text
        self.usage.audio += usage.audio
        self.usage.output += usage.output
        self.usage.tells_audio &= usage.tells_audio
        if price is not None:
            self.cost += price.cost(usage.text, usage.audio, usage.output)
        self.last = datetime.now(timezone.utc)
        self.first = self.first or self.last

    def describe(self, price: Price | None) -> dict[str, Any]:
        """What the results record, as JSON-able data."""
        mass = self.missing_mass
        return {
            "requests": self.sent,
            "requests_answered": self.answered,
            "retries": dict(self.faults),
            "refusals": self.refusals,
            "empty_answers": self.empty,
            "answered_by": dict(self.models),
            "system_fingerprints": dict(self.fingerprints),
            "answered_from": self.first and self.first.isoformat(timespec="seconds"),
            "answered_until": self.last and self.last.isoformat(timespec="seconds"),
            "question_tokens": round(self.usage.text + self.usage.audio),
            "audio_tokens": round(self.usage.audio) if self.usage.tells_audio else None,
            "output_tokens": round(self.usage.output),
            "cost_usd": None if price is None else round(self.cost, 6),
            "price": price and f"{price.source} {price.date}".strip(),
            "endpoints_taken_out": list(self.taken_out),
            "several_draws_ignored": self.several_ignored,
            "sampled_pools": self.pools["all"],
            "sampled_pools_of_one_text": self.pools["alike"],
            **({"missing_mass": _summary(mass)} if mass else {}),
        }

    def warnings(self) -> list[str]:
        """What makes results worse than they look."""
        found = []
        if self.pools["all"] and self.pools["alike"] == self.pools["all"]:
            found.append(
                f"the draws of each of {self.pools['all']} sampled pools are one text: the server "
                f"seems to ignore temperature or seed."
            )
        if self.empty:
            found.append(
                f"{self.empty} answer(s) are empty; a model that reasons may have used its tokens "
                f"before it answered (--gen_kwargs max_gen_toks=..., reasoning_effort=low)."
            )
        if self.refusals:
            found.append(f"the provider withheld {self.refusals} answer(s); they are failures.")
        if self.missing_mass:
            mass = _summary(self.missing_mass)
            found.append(
                f"labels were read among the most probable first tokens; {mass['mean']:.3f} of the "
                f"probability in the mean, and {mass['largest']:.3f} at most, lies outside of them."
            )
        return found


def _summary(mass: list[float]) -> dict[str, float]:
    return {"read_outs": len(mass), "mean": sum(mass) / len(mass), "largest": max(mass)}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float:
    ok = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return float(value) if ok else 0.0
