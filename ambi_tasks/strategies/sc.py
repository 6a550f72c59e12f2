"""`sc`, self-consistency: the mean of sampled answers, or a vote among them.

After Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models" (ICLR
2023), with the answered distributions averaged. Its voting form counts, as there, only each
answer's first choice.
"""

from typing import Annotated, Literal

from pydantic import Field

from ambi_tasks.strategies.fields import PooledFields
from ambi_tasks.strategies.registry import strategy
from ambi_tasks.strategies.weights import equal_weights


class Fields(PooledFields):
    """What can be set of `sc`."""

    vote: Annotated[
        Literal["distribution", "argmax"],
        Field(description="What a draw contributes: its distribution, or its first choice alone."),
    ]

    def contribution(self, distribution: tuple[float, ...]) -> tuple[float, ...]:
        """What a candidate contributes; first choices that are equal share its vote."""
        if self.vote == "distribution":
            return distribution
        best = max(distribution)
        chosen = [float(share == best) for share in distribution]
        return tuple(one / sum(chosen) for one in chosen)


strategy("sc", Fields)(equal_weights)
