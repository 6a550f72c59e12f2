"""`direct`: one greedy answer, the baseline of every comparison."""

from collections.abc import Sequence

from ambi_tasks.prediction import Candidate
from ambi_tasks.strategies.registry import strategy


@strategy("direct")
def first_candidate(candidates: Sequence[Candidate]) -> tuple[float, ...]:
    """Take the first answer as it stands.

    Args:
        candidates: Candidates with a distribution; several only if the user asked for draws.
    """
    assert candidates[0].distribution is not None
    return candidates[0].distribution
