"""Test-time-scaling strategies: one module each, with the function that weighs candidates.

What to draw is data, in the task files; a strategy never calls a model. A new strategy is one
module here that registers a function by `strategy`, and its task file.
"""

from ambi_tasks.strategies.fields import StrategyFields
from ambi_tasks.strategies.registry import (
    Strategy,
    all_strategies,
    combine,
    get_strategy,
    strategy,
)

__all__ = [
    "Strategy",
    "StrategyFields",
    "all_strategies",
    "combine",
    "get_strategy",
    "strategy",
]
