"""Choosing tokens: greedy or by counter-based noise, with the model's own log-probability kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    """

    position: int
    order: DrawOrder
    index: int
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    log_likelihood: float = 0.0


def choose_tokens(logits: torch.Tensor, draws: Sequence[Writing]) -> tuple[list[int], list[float]]:
    """Choose the next token of each draw.

    Sampling is by inversion: the token at which the cumulative probability passes a uniform number
    that depends on (pool, draw, step) alone. So a draw is the same in any batch.

    Args:
        logits: Raw logits, (R, V).
        draws: What the rows belong to, R of them.

    Returns:
        The tokens, and their natural log-probabilities under the raw logits.
    """
    alike: dict[Decoding, list[int]] = {}
    for row, draw in enumerate(draws):
        alike.setdefault(draw.order.decoding, []).append(row)
    chosen = torch.empty(len(draws), dtype=torch.long, device=logits.device)
    for decoding, rows in alike.items():
        part = logits if len(rows) == len(draws) else logits[rows]
        chosen[rows] = _chosen(part, decoding, [draws[row] for row in rows])
    own = logits.gather(-1, chosen[:, None])[:, 0] - logits.logsumexp(dim=-1)
    tokens, log_probabilities = torch.stack([chosen.double(), own.double()]).tolist()
    return [int(token) for token in tokens], log_probabilities


def _chosen(logits: torch.Tensor, decoding: Decoding, draws: Sequence[Writing]) -> torch.Tensor:
    """The next tokens of draws of one decoding, (R,)."""
    if decoding.repetition_penalty != 1:
        penalty = RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty)
        logits = torch.cat(
            [
                penalty(torch.tensor([draw.prompt + draw.tokens], device=row.device), row[None])
                for draw, row in zip(draws, logits, strict=True)
            ]
        )
    if not decoding.do_sample:
        return logits.argmax(dim=-1)
    cumulative = _warpers(decoding)(None, logits).double().softmax(dim=-1).cumsum(dim=-1)
    total = cumulative[:, -1:]
    noise = [uniform(draw.order.key, draw.index, len(draw.tokens)) for draw in draws]
    point = torch.tensor(noise, dtype=torch.float64, device=logits.device)[:, None] * total
    # Rounding must not reach the total: beyond it lie tokens of probability 0 alone.
    point = torch.minimum(point, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, point, right=True)[:, 0]


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
