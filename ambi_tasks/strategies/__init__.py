"""Test-time-scaling strategies: one module each, with the pure function that combines candidates.

What to draw is data, in the task files; a strategy never calls a model. A new strategy is one
module here with a function under `@strategy`, and its task file.
"""

from ambi_tasks.strategies.registry import combine, get_strategy, strategy

__all__ = ["combine", "get_strategy", "strategy"]
