"""Orders as requests, and replies as answers."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ambi_tasks.errors import UserError
from model_adapters.backend import Answer, Conversation, Decoding
from model_adapters.chat_api.faults import TryAgainError
from model_adapters.chat_api.providers import MOST_RIVALS, Provider
from model_adapters.chat_api.sound import Transport

_NO_LOG_PROBABILITIES = (
    "alm_api: the server gives no log-probabilities, although they are among what it is taken to "
    "offer; say what it does offer, such as --model_args offers=n;seed."
)
_SEEDS = 2**31
_LEAST_LOG_PROBABILITY = -9999.0  # vLLM's word for minus infinity, which JSON lacks


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server is spoken to.

    Attributes:
        model: The model's name.
        provider: The kind of server.
        offers: What it can do.
        transport: How clips reach it.
        reasoning_effort: Handed on where it is given.
    """

    model: str
    provider: Provider
    offers: frozenset[str]
    transport: Transport
    reasoning_effort: str | None = None

    def check(self, decoding: Decoding) -> None:
        """Refuse what cannot be asked.

        Raises:
            UserError: The server does not offer it.
        """
        name = self.provider.name
        filters = decoding.top_k or decoding.min_p or decoding.repetition_penalty != 1
        if filters and "filters" not in self.offers:
            raise UserError(
                f"--gen_kwargs top_k, min_p and repetition_penalty are not offered by "
                f"provider={name}; leave them out."
            )
        most = self.provider.most_stops
        if most is not None and len(decoding.stop) > most:
            raise UserError(
                f"--gen_kwargs until: provider={name} takes at most {most} strings, and not "
                f"{len(decoding.stop)}."
            )

    def draw_request(
        self, conversation: Conversation, decoding: Decoding, key: str, indices: Sequence[int]
    ) -> dict[str, Any]:
        """Ask for draws of consecutive indices, or for all beams."""
        body = self._request(self.messages(conversation), decoding.max_new_tokens)
        if decoding.stop:
            body["stop"] = list(decoding.stop)
        body |= self._sampling(decoding, key, indices)
        if self.provider.packs_decoding:
            body["generation_config"] = _packed(decoding)
        elif "filters" in self.offers:  # a server may have defaults of its own
            body |= {
                "top_p": decoding.top_p,
                "top_k": decoding.top_k or -1,
                "min_p": decoding.min_p,
                "repetition_penalty": decoding.repetition_penalty,
            }
        if "logprobs" in self.offers:
            body["logprobs"] = True
        return body

    def _sampling(self, decoding: Decoding, key: str, indices: Sequence[int]) -> dict[str, Any]:
        if decoding.num_beams > 1:
            return {
                "temperature": 0.0,
                "n": decoding.num_beams,
                "use_beam_search": True,
                "length_penalty": 0.0,  # vLLM divides by (length of question and answer) ^ this
                "include_stop_str_in_output": True,  # otherwise the end token is not counted
            }
        if not decoding.do_sample:
            return {"temperature": 0.0}
        fields: dict[str, Any] = {"temperature": decoding.temperature, "top_p": decoding.top_p}
        if len(indices) > 1:
            fields["n"] = len(indices)
        if "seed" in self.offers:
            fields["seed"] = seed(key, indices[0])
        return fields

    def rivals_request(self, conversation: Conversation) -> dict[str, Any]:
        """Ask for the most probable first tokens of the answer."""
        body = self._request(self.messages(conversation), 1)
        return body | {"temperature": 0.0, "logprobs": True, "top_logprobs": MOST_RIVALS}

    def score_request(self, conversation: Conversation, answer: str | None) -> dict[str, Any]:
        """Ask for the log-probabilities of the question's tokens, and of an answer's behind it."""
        messages = self.messages(conversation)
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
        return self._request(messages, 1) | {
            "temperature": 0.0,
            "prompt_logprobs": 0,
            "add_generation_prompt": answer is None,
            "continue_final_message": answer is not None,
        }

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """The turns, the clips before the text of theirs."""
        found: list[dict[str, Any]] = []
        for turn in conversation:
            if not turn.clips:
                found.append({"role": turn.role, "content": turn.text})
                continue
            parts = [self.transport.part(clip) for clip in turn.clips]
            text = {"type": "text", "text": turn.text}
            found.append({"role": turn.role, "content": [*parts, text]})
        return found

    def _request(self, messages: list[dict[str, Any]], length: int) -> dict[str, Any]:
        body = {"model": self.model, "messages": messages, self.provider.length_field: length}
        if self.reasoning_effort is not None:
            body["reasoning_effort"] = self.reasoning_effort
        return body


def _packed(decoding: Decoding) -> str:
    """A decoding in the words of transformers; everything is said, lest a checkpoint's own hold."""
    return json.dumps(
        {
            "do_sample": decoding.do_sample,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "top_k": decoding.top_k,
            "min_p": decoding.min_p,
            "repetition_penalty": decoding.repetition_penalty,
            "max_new_tokens": decoding.max_new_tokens,
        }
    )


def seed(key: str, index: int) -> int:
    """The seed of a pool's draw.

    vLLM seeds draw j of a request with the request's seed + j. Seeds of a pool are therefore
    consecutive: a draw is the same whichever request it is made by, alone or among others.

    Args:
        key: Identity of the pool.
        index: Which draw.
    """
    start = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return (start + index) % _SEEDS


def read_answers(reply: Mapping[str, Any], expected: int, *, promised: bool) -> list[Answer]:
    """Read the answers of a reply.

    Args:
        reply: What the server sent.
        expected: How many answers were asked for; fewer may come.
        promised: Whether their log-probabilities are.

    Raises:
        UserError: They are not there.
        TryAgainError: The server broke an answer off.
    """
    choices = sorted(reply["choices"], key=lambda choice: int(choice.get("index") or 0))
    usage = reply.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    alone = count if len(choices) == 1 and isinstance(count, int) else None
    return [_read_choice(choice, alone, promised=promised) for choice in choices[:expected]]


def withheld(expected: int) -> list[Answer]:
    """The answers to a question that the provider's filter rejected."""
    return [Answer("", finish_reason="content_filter")] * expected


def _read_choice(choice: Mapping[str, Any], tokens: int | None, *, promised: bool) -> Answer:
    message = choice.get("message") or {}
    reason = str(choice.get("finish_reason")).lower()
    if "content_filter" in reason:
        return withheld(1)[0]
    if reason in ("abort", "error"):
        raise TryAgainError("aborted")
    text = _text(message.get("content")) or _text(message.get("refusal"))
    likelihood: float | None = None
    if promised:
        found = token_log_probabilities(choice)
        if found is None and text:
            raise UserError(_NO_LOG_PROBABILITIES)
        if found is not None:
            likelihood, tokens = math.fsum(found), len(found)
    return Answer(text, likelihood, tokens, "length" if reason == "length" else "stop")


def token_log_probabilities(choice: Mapping[str, Any]) -> list[float] | None:
    """The log-probabilities of an answer's tokens, None where they are not there."""
    found = choice.get("logprobs")
    content = found.get("content") if isinstance(found, Mapping) else None
    if not isinstance(content, list):
        return None
    return [_log_probability(entry["logprob"]) for entry in content]


def read_rivals(reply: Mapping[str, Any]) -> dict[str, float]:
    """The most probable first tokens of the answer, and their log-probabilities.

    Raises:
        UserError: They are not there.
    """
    found = (reply["choices"][0].get("logprobs") or {}).get("content")
    if not found or not found[0].get("top_logprobs"):
        raise UserError(_NO_LOG_PROBABILITIES)
    best: dict[str, float] = {}
    for entry in found[0]["top_logprobs"]:
        best.setdefault(str(entry["token"]), _log_probability(entry["logprob"]))
    return best


@dataclass(frozen=True, slots=True)
class PromptToken:
    """A token of a question.

    Attributes:
        id: Its number.
        log_probability: Of it, given what stands before it.
        first: Whether it is the most probable one there.
    """

    id: str
    log_probability: float
    first: bool


def read_prompt(reply: Mapping[str, Any]) -> list[PromptToken]:
    """The question's tokens behind the first one.

    Raises:
        UserError: They are not there.
    """
    found = reply.get("prompt_logprobs")
    if found is None:
        raise UserError(_NO_LOG_PROBABILITIES)
    tokens = []
    for entry in found[1:]:
        number, values = next(iter(entry.items()))  # the token itself comes before its rivals
        value = _log_probability(values["logprob"])
        tokens.append(PromptToken(number, value, values.get("rank") == 1))
    return tokens


def _log_probability(value: float) -> float:
    return -math.inf if value <= _LEAST_LOG_PROBABILITY else float(value)


def _text(content: Any) -> str:
    """A message's text; some servers give it in parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""
