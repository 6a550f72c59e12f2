"""A backend that answers from a script: tasks and strategies are tested without a model."""

from collections.abc import Callable, Iterator, Sequence

from model_adapters.backend import (
    Answer,
    Backend,
    Capabilities,
    Conversation,
    DrawOrder,
    Score,
    ScoreOrder,
)

Script = Callable[[DrawOrder, int], str]
"""Writes the answer to an order's draw of an index."""

Scorer = Callable[[Conversation, str], float]
"""Says the log-likelihood of an answer to a conversation."""


class ScriptedBackend(Backend):
    """Answers what a function says.

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
                text = self._script(order, index)
                yield position, index, Answer(text, -float(len(text)), len(text.split()))

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
