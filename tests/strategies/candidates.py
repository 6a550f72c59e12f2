"""Candidates for the tests of strategies."""

from hypothesis import strategies as st

from ambi_tasks.prediction import Candidate

FAILED = Candidate(None, failure="truncated")


def read(*distribution: float) -> Candidate:
    """A candidate that could be read."""
    return Candidate(distribution)


def any_candidate(classes: int) -> st.SearchStrategy[Candidate]:
    """Candidates of any distribution over so many classes, zeros and certainties among them."""
    masses = st.lists(st.integers(0, 20), min_size=classes, max_size=classes).filter(any)
    return masses.map(lambda found: read(*(mass / sum(found) for mass in found)))
