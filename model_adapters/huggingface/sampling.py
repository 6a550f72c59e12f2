"""Choosing tokens: greedy or by counter-based noise, with the model's own log-probability kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from model_adapters.backend import Decoding, DrawOrder
from model_adapters.noise import uniform


@dataclass(slots=True)
class Writing:
    """A draw that is being written.

    Attributes:
        position: Its order's, among all orders.
        order: What was ordered.
        index: Which draw of the order.
        prompt: The prompt's tokens.
        tokens: The answer's so far.
        log_likelihood: Of these, under the model's own distribution.
        sampling_log_likelihood: Of these, under the distribution that they were sampled from.
    """

    position: int
    order: DrawOrder
    index: int
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    log_likelihood: float = 0.0
    sampling_log_likelihood: float = 0.0


class Chosen(NamedTuple):
    """A token, with its natural log-probabilities.

    Attributes:
        token: The token.
        log_probability: Under the raw logits.
        sampling_log_probability: Under what it was sampled from; 0 where there was no choice.
    """

    token: int
    log_probability: float
    sampling_log_probability: float


def choose_tokens(logits: torch.Tensor, draws: Sequence[Writing]) -> list[Chosen]:
    """Choose the next token of each draw.

    Sampling is by inversion: the token at which the cumulative probability passes a uniform number
    that depends on (pool, draw, step) alone. So a draw is the same in any batch.

    Args:
        logits: Raw logits, (R, V).
        draws: What the rows belong to, R of them.
    """
    alike: dict[Decoding, list[int]] = {}
    for row, draw in enumerate(draws):
        alike.setdefault(draw.order.decoding, []).append(row)
    found = torch.empty(3, len(draws), dtype=torch.float64, device=logits.device)
    for decoding, rows in alike.items():
        part = logits if len(rows) == len(draws) else logits[rows]
        tokens, drawn = _chosen(part, decoding, [draws[row] for row in rows])
        own = part.gather(-1, tokens[:, None])[:, 0] - part.logsumexp(dim=-1)
        found[:, rows] = torch.stack([tokens.double(), own.double(), drawn])
    return [Chosen(int(token), own, drawn) for token, own, drawn in found.T.tolist()]


def _chosen(
    logits: torch.Tensor, decoding: Decoding, draws: Sequence[Writing]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The next tokens of draws of one decoding, and their log-probabilities there, both (R,)."""
    if decoding.repetition_penalty != 1:
        penalty = RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty)
        logits = torch.cat(
            [
                penalty(torch.tensor([draw.prompt + draw.tokens], device=row.device), row[None])
                for draw, row in zip(draws, logits, strict=True)
            ]
        )
    if not decoding.do_sample:
        tokens = logits.argmax(dim=-1)
        return tokens, torch.zeros_like(tokens, dtype=torch.float64)
    probabilities = _warpers(decoding)(None, logits).double().softmax(dim=-1)
    cumulative = probabilities.cumsum(dim=-1)
    total = cumulative[:, -1:]
    noise = [uniform(draw.order.key, draw.index, len(draw.tokens)) for draw in draws]
    point = torch.tensor(noise, dtype=torch.float64, device=logits.device)[:, None] * total
    # Rounding must not reach the total: beyond it lie tokens of probability 0 alone.
    point = torch.minimum(point, torch.nextafter(total, torch.zeros_like(total)))
    chosen = torch.searchsorted(cumulative, point, right=True)
    return chosen[:, 0], probabilities.gather(-1, chosen)[:, 0].log()


def _warpers(decoding: Decoding) -> LogitsProcessorList:
    chosen = LogitsProcessorList()
    if decoding.temperature != 1:
        chosen.append(TemperatureLogitsWarper(float(decoding.temperature)))
    if decoding.top_k > 0:
        chosen.append(TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1:
        chosen.append(TopPLogitsWarper(decoding.top_p))
    if decoding.min_p > 0:
        chosen.append(MinPLogitsWarper(decoding.min_p))
    return chosen


def before_stop(text: str, stop: Sequence[str]) -> str:
    """Cut a text at the first stop string."""
    ends = [text.index(string) for string in stop if string and string in text]
    return text[: min(ends)] if ends else text
