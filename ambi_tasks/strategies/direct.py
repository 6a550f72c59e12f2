"""`direct`: one greedy answer, the baseline of every comparison."""

from ambi_tasks.strategies.fields import StrategyFields
from ambi_tasks.strategies.registry import strategy
from ambi_tasks.strategies.weights import equal_weights

strategy("direct", StrategyFields)(equal_weights)
