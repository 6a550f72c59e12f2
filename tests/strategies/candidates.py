"""Candidates for the tests of strategies, and strategies as their task files set them."""

from typing import Any

from hypothesis import strategies as st

from ambi_tasks.prediction import Candidate, Prediction
from ambi_tasks.strategies import StrategyFields, all_strategies, combine, get_strategy
from ambi_tasks.strategies.documentation import defaults

FAILED = Candidate(None, failure="truncated")
NAMES = tuple(sorted(all_strategies()))
CLASSES = 4


def read(*distribution: float, **evidence: Any) -> Candidate:
    """A candidate that could be read."""
    return Candidate(distribution, **evidence)


def fields_of(name: str, **values: Any) -> StrategyFields:
    """The settings of a task file, but for the given ones."""
    settings: StrategyFields = get_strategy(name).settings(defaults(name) | values)
    return settings


def predict(name: str, candidates: list[Candidate], **values: Any) -> Prediction:
    """What a strategy makes of candidates, as many classes as they have, or 4 if all failed."""
    classes = next((len(one.distribution) for one in candidates if one.distribution), CLASSES)
    return combine(get_strategy(name), fields_of(name, **values), candidates, classes)


def distributions(classes: int = CLASSES) -> st.SearchStrategy[tuple[float, ...]]:
    """Any distribution over so many classes, zeros and certainties among them."""
    masses = st.lists(st.integers(0, 20), min_size=classes, max_size=classes).filter(any)
    return masses.map(lambda found: tuple(mass / sum(found) for mass in found))


def any_candidate(classes: int = CLASSES) -> st.SearchStrategy[Candidate]:
    """Candidates that could be read, with all evidence that any strategy may want."""
    return st.builds(
        Candidate,
        distributions(classes),
        log_likelihood=st.floats(-400, 0),
        tokens=st.integers(1, 60),
        score=st.none() | st.floats(0, 10),
    )
