"""How strategies are declared, found and applied."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import numpy as np

from ambi_tasks.errors import UserError, nearest
from ambi_tasks.mixture import mixture_mean, mixture_spread, shares_of
from ambi_tasks.prediction import Candidate, Prediction
from ambi_tasks.strategies.evidence import Evidence, Floats
from ambi_tasks.strategies.fields import StrategyFields, check_fields

_Fields = TypeVar("_Fields", bound=StrategyFields)
Weigher = Callable[[Evidence, _Fields], Floats]
"""From the evidence of candidates to their weights, both (..., N), of any positive sum.

What it gives to a candidate that could not be read does not count.
"""


@dataclass(frozen=True, slots=True)
class Strategy(Generic[_Fields]):
    """A strategy: what can be set of it, and the function that weighs candidates.

    Attributes:
        name: Its name.
        fields: What can be set.
        weigh: The candidates' weights; the prediction is the mean of the mixture that they make.
    """

    name: str
    fields: type[_Fields]
    weigh: Weigher[_Fields]

    def settings(self, values: Mapping[str, Any]) -> _Fields:
        """Check what is set of it.

        Raises:
            UserError: A field is unknown, missing, or out of its range.
        """
        checked = check_fields(self.fields, self.name, values)
        assert isinstance(checked, self.fields)
        return checked

    def weights(self, evidence: Evidence, settings: _Fields) -> Floats:
        """What the candidates count: what `weigh` gives them, 0 where they could not be read.

        Args:
            evidence: (..., N).
            settings: What is set of the strategy.

        Returns:
            >= 0, (..., N), of any positive sum where a candidate could be read.

        Raises:
            ValueError: What `weigh` gives are no weights.
            UserError: The candidates lack the evidence by which the strategy weighs.
        """
        given = np.asarray(self.weigh(evidence, settings), dtype=np.float64)
        shape = evidence.readable.shape
        if given.shape != shape:
            raise ValueError(
                f"The strategy '{self.name}' gave weights of the shape {given.shape} for "
                f"candidates of the shape {shape}."
            )
        weights = np.where(evidence.readable, given, 0.0)
        total = weights.sum(axis=-1)
        sound = np.isfinite(total) & (total > 0) & (weights >= 0).all(axis=-1)
        if not (sound | ~evidence.readable.any(axis=-1)).all():
            raise ValueError(
                f"The strategy '{self.name}' gave weights that are negative, not finite, or all 0."
            )
        return weights


_STRATEGIES: dict[str, Strategy[Any]] = {}


def strategy(name: str, fields: type[_Fields]) -> Callable[[Weigher[_Fields]], Weigher[_Fields]]:
    """Make a function known as a strategy.

    It gets the evidence of candidates and returns their weights, see `Weigher`.

    Args:
        name: The name, as in `ambi_<corpus>_<name>`.
        fields: What can be set.

    Raises:
        ValueError: When decorating, another function or other fields already have the name.
    """

    def register(weigh: Weigher[_Fields]) -> Weigher[_Fields]:
        made = Strategy(name, fields, weigh)
        known = _STRATEGIES.get(name)
        # The same again is a reload of its module, as notebooks do.
        if known is not None and _origin(known) != _origin(made):
            raise ValueError(
                f"Two strategies are named '{name}': {_origin(known)} and {_origin(made)}."
            )
        _STRATEGIES[name] = made
        return weigh

    return register


def _origin(known: Strategy[Any]) -> str:
    parts = (known.weigh, known.fields)
    return " with ".join(f"{part.__module__}.{part.__qualname__}" for part in parts)


@cache
def _import_modules() -> None:
    package = importlib.import_module("ambi_tasks.strategies")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def all_strategies() -> dict[str, Strategy[Any]]:
    """Every strategy by its name."""
    _import_modules()
    return dict(_STRATEGIES)


def get_strategy(name: str) -> Strategy[Any]:
    """Look a strategy up.

    Raises:
        UserError: There is none of that name.
    """
    known = all_strategies()
    if name not in known:
        raise UserError(f"There is no strategy '{name}'; {nearest(name, known)}")
    return known[name]


def combine(
    chosen: Strategy[Any], settings: StrategyFields, candidates: Sequence[Candidate], classes: int
) -> Prediction:
    """Make a prediction of the candidates of one utterance.

    Candidates that could not be read have no weight. Where none could, the prediction is uniform:
    the failure costs, and is visible.

    Args:
        chosen: The strategy.
        settings: What is set of it.
        candidates: One or more, read or failed.
        classes: K.

    Raises:
        ValueError: There are no candidates at all, or the strategy's weights are none.
        UserError: The candidates lack the evidence by which the strategy weighs.
    """
    if not candidates:
        raise ValueError(f"The strategy '{chosen.name}' was given no candidates.")
    evidence = Evidence.of(candidates)
    if not evidence.readable.any():
        nothing = (0.0,) * len(candidates)
        return Prediction((1.0 / classes,) * classes, False, None, nothing)
    weights = chosen.weights(evidence, settings)[evidence.readable].tolist()
    distributions = [
        settings.contribution(one.distribution)
        for one in candidates
        if one.distribution is not None
    ]
    shares = iter(shares_of(weights, distributions))
    return Prediction(
        distribution=mixture_mean(weights, distributions),
        answered=True,
        spread=mixture_spread(weights, distributions, settings.concentration),
        weights=tuple(0.0 if one.distribution is None else next(shares) for one in candidates),
    )
