"""A backend that answers from a script: tasks and strategies are tested without a model."""

import re
from collections.abc import Callable, Iterator, Sequence

from model_adapters.backend import (
    Answer,
    Backend,
    Capabilities,
    Conversation,
    Decoding,
    DrawOrder,
    Score,
    ScoreOrder,
)

Script = Callable[[DrawOrder, int], str]
"""Writes the answer to an order's draw of an index."""

Scorer = Callable[[Conversation, str], float]
"""Says the log-likelihood of an answer to a conversation."""


class ScriptedBackend(Backend):
    """Answers what a function says, up to a stop string or as many words as tokens are allowed.

    Attributes:
        orders: Every draw that was asked for, in order, for tests to look at.
        score_orders: The same of scores.
    """

    capabilities = Capabilities(beams=True, draw_log_likelihood=True)

    def __init__(self, script: Script, scorer: Scorer | None = None) -> None:
        self._script = script
        self._scorer = scorer
        self.orders: list[DrawOrder] = []
        self.score_orders: list[ScoreOrder] = []

    @property
    def model_name(self) -> str:
        """A fixed name."""
        return "scripted"

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        """Answer in the order of the orders."""
        self.orders.extend(orders)
        for position, order in enumerate(orders):
            for index in order.indices:
                yield position, index, _ended(self._script(order, index), order.decoding)

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        """Score as the scorer says; without one this backend cannot."""
        if self._scorer is None:
            return super().log_likelihoods(orders)
        self.score_orders.extend(orders)
        return self._scores(self._scorer, orders)

    @staticmethod
    def _scores(scorer: Scorer, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        for position, order in enumerate(orders):
            yield (
                position,
                [
                    Score(scorer(order.conversation, text), len(text.split()), greedy=False)
                    for text in order.continuations
                ],
            )


def _ended(text: str, decoding: Decoding) -> Answer:
    """An answer that ends where its decoding ends it; its tokens are its words."""
    ends = [text.find(stop) for stop in decoding.stop if stop and stop in text]
    text = text[: min(ends)] if ends else text
    words = list(re.finditer(r"\S+", text))
    cut = len(words) > decoding.max_new_tokens
    if cut:
        text = text[: words[decoding.max_new_tokens - 1].end()]
    tokens = min(len(words), decoding.max_new_tokens)
    return Answer(text, -float(len(text)), tokens, "length" if cut else "stop")
