"""How strategies are declared, found and applied."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from functools import cache

from ambi_tasks.errors import UserError, nearest
from ambi_tasks.prediction import Candidate, Prediction

Combiner = Callable[[Sequence[Candidate]], tuple[float, ...]]
"""Makes one distribution, (K,), of one or more candidates that all have one."""

_STRATEGIES: dict[str, Combiner] = {}


def strategy(name: str) -> Callable[[Combiner], Combiner]:
    """Declare a strategy's combining function under its name in task names."""

    def register(function: Combiner) -> Combiner:
        if name in _STRATEGIES:
            raise ValueError(f"Two strategies are named '{name}'.")
        _STRATEGIES[name] = function
        return function

    return register


@cache
def _import_modules() -> None:
    package = importlib.import_module("ambi_tasks.strategies")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def get_strategy(name: str) -> Combiner:
    """Look a strategy up.

    Raises:
        UserError: There is none of that name.
    """
    _import_modules()
    if name not in _STRATEGIES:
        raise UserError(f"There is no strategy '{name}'; {nearest(name, _STRATEGIES)}")
    return _STRATEGIES[name]


def combine(name: str, candidates: Sequence[Candidate], classes: int) -> Prediction:
    """Make a prediction of the candidates of one utterance.

    Candidates that could not be read have no weight. Where none could, the prediction is uniform:
    the failure costs, and is visible.

    Args:
        name: The strategy.
        candidates: One or more, read or failed.
        classes: K.

    Raises:
        UserError: There is no such strategy.
        ValueError: There are no candidates at all.
    """
    combiner = get_strategy(name)  # before the uniform answer, which would hide a wrong name
    if not candidates:
        raise ValueError(f"The strategy '{name}' was given no candidates.")
    readable = [candidate for candidate in candidates if candidate.distribution is not None]
    if not readable:
        return Prediction((1.0 / classes,) * classes, answered=False)
    return Prediction(combiner(readable), answered=True)
