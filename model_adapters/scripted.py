"""A backend that answers from a script: tasks and strategies are tested without a model."""

from collections.abc import Callable, Iterator, Sequence

from model_adapters.backend import Answer, Backend, Capabilities, DrawOrder

Script = Callable[[DrawOrder, int], str]
"""Writes the answer to an order's draw of an index."""


class ScriptedBackend(Backend):
    """Answers what a function says.

    Attributes:
        orders: Everything that was asked, in order, for tests to look at.
    """

    capabilities = Capabilities(draw_log_likelihood=True)

    def __init__(self, script: Script) -> None:
        self._script = script
        self.orders: list[DrawOrder] = []

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
