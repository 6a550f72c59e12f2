"""`sc`, self-consistency: the mean of sampled answers.

After Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models" (ICLR
2023), with the vote over answers replaced by the mean of the answered distributions.
"""

from collections.abc import Sequence

import numpy as np

from ambi_tasks.prediction import Candidate
from ambi_tasks.strategies.registry import strategy


@strategy("sc")
def mean_of_candidates(candidates: Sequence[Candidate]) -> tuple[float, ...]:
    """Average the distributions: p = (1/N) sum_n p_n.

    Args:
        candidates: N candidates with a distribution, in any order.
    """
    stacked = np.array([candidate.distribution for candidate in candidates], dtype=np.float64)
    mean = stacked.mean(axis=0)
    return tuple((mean / mean.sum()).tolist())
