"""`cot`, chain of thought: one greedy answer that reasons before it gives the distribution.

After Wei et al., "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models" (NeurIPS
2022). What makes it is the prompt; the reader of answers takes the last object, not the reasoning.
"""

from ambi_tasks.strategies.fields import StrategyFields
from ambi_tasks.strategies.registry import strategy
from ambi_tasks.strategies.weights import equal_weights

strategy("cot", StrategyFields)(equal_weights)
