"""The registry: what is known of each metric, and how a metric enters it.

A metric is one file of this package, named as the metric, that holds one function under the
decorator `metric`. No list elsewhere names it: the package imports its own modules (see
`__init__.py`). The function's name differs from the file's, or the one would hide the other in the
package.

All metrics so far give one value per utterance; the first metric of a whole corpus (F1, calibration
error) brings a field `level` whose default is "utterance", so that no present file changes.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ambi_tasks.errors import UserError

MetricFunction: TypeAlias = Callable[..., NDArray[np.float64]]
Needs: TypeAlias = Literal["distributions", "draws", "verdicts"]
_Function = TypeVar("_Function", bound=MetricFunction)


@dataclass(frozen=True)
class Metric:
    """What a caller needs to compute a metric, to compare its values and to plot them.

    Attributes:
        name: Short name; configurations, results and tables use it.
        function: Two positional arrays to one value per utterance; options are keyword-only.
        higher_is_better: The direction.
        bounds: Smallest and largest value, with the function's default options.
        needs: What the two arrays are. "distributions": truth and prediction, both (N, K).
            "draws": per utterance, how many draws gave a distribution, and how many there were,
            both (N,). "verdicts": the same of a verifier's verdicts on them.
    """

    name: str
    function: MetricFunction
    higher_is_better: bool
    bounds: tuple[float, float]
    needs: Needs


_METRICS: dict[str, Metric] = {}


def metric(
    *,
    name: str,
    higher_is_better: bool,
    bounds: tuple[float, float],
    needs: Needs = "distributions",
) -> Callable[[_Function], _Function]:
    """Register the decorated function; the function itself comes back unchanged.

    Args:
        name: See `Metric`, as for the others.
        higher_is_better: The direction.
        bounds: Smallest and largest value.
        needs: What the function's arrays are.

    Returns:
        The decorator.

    Raises:
        ValueError: When decorating, another function already has the name.
    """

    def register(function: _Function) -> _Function:
        known = _METRICS.get(name)
        # The same function again is a reload of its module, as notebooks do.
        if known is not None and _origin(known.function) != _origin(function):
            raise ValueError(
                f"Metric '{name}' is both {_origin(known.function)} and {_origin(function)}: "
                "rename one."
            )
        _METRICS[name] = Metric(name, function, higher_is_better, bounds, needs)
        return function

    return register


def all_metrics() -> dict[str, Metric]:
    """Every metric by its name, in alphabetical order.

    >>> list(all_metrics())[:3]
    ['acc', 'bc', 'brier']
    """
    return dict(sorted(_METRICS.items()))


def get_metric(name: str) -> Metric:
    """The metric of this name.

    Args:
        name: The short name, such as "js".

    Returns:
        The metric.

    Raises:
        UserError: There is none; the message names the nearest one and lists all.

    >>> get_metric("js").higher_is_better
    False
    """
    if name in _METRICS:
        return _METRICS[name]
    # Who knows the function may try its name, so that is a way to find the short one too.
    spellings = {known: known for known in _METRICS}
    spellings |= {known.function.__name__: known.name for known in _METRICS.values()}
    near = difflib.get_close_matches(name.lower(), spellings, n=1)
    hint = f"; did you mean '{spellings[near[0]]}'?" if near else "."
    raise UserError(
        f"There is no metric '{name}'{hint} The metrics are {', '.join(all_metrics())}."
    )


def _origin(function: MetricFunction) -> str:
    return f"{function.__module__}.{function.__qualname__}"
