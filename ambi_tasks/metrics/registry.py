"""The registry: what is known of each metric, and how a metric enters it.

A metric is one file of this package, named as the metric, that holds one function under the
decorator `metric`. No list elsewhere names it: the package imports its own modules (see
`__init__.py`). The function's name differs from the file's, or the one would hide the other in the
package.

Whatever its level, a metric can be computed from additive statistics of the utterances, so that
clusters, shards and bootstrap resamples are sums:

>>> js = get_metric("js")
>>> statistics = js.sufficient([[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]])
>>> statistics
array([[0., 1.],
       [1., 1.]])
>>> float(js.value(statistics.sum(axis=0)))
0.5
"""

import difflib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.errors import UserError, nearest
from ambi_tasks.metrics.validation import Floats

MetricFunction: TypeAlias = Callable[..., Any]
Statistics: TypeAlias = Callable[..., Floats]
FromSums: TypeAlias = Callable[[Floats], Floats]
Needs: TypeAlias = Literal["distributions", "draws", "verdicts"]
Level: TypeAlias = Literal["utterance", "corpus"]
_Function = TypeVar("_Function", bound=MetricFunction)

_LABELS = "labels"


@dataclass(frozen=True)
class Metric:
    """What a caller needs to compute a metric, to compare its values and to plot them.

    Attributes:
        name: Short name; configurations, results and tables use it.
        function: Two positional arrays to one value per utterance, (N,), or of a corpus metric to
            one float; options are keyword-only. `compute` calls it with the options in force.
        higher_is_better: The direction.
        bounds: Smallest and largest value, with the function's default options.
        needs: What the two arrays are. "distributions": truth and prediction, both (N, K).
            "draws": per utterance, how many draws gave a distribution, and how many there were,
            both (N,). "verdicts": the same of a verifier's verdicts on them.
        level: "utterance": one value per utterance, the corpus's being their mean. "corpus": one
            value of all utterances together.
        statistics: Of a corpus metric: the arrays, and the function's options, to additive
            statistics of the utterances, (N, S).
        from_sums: Of a corpus metric: sums of these, (..., S), to its value, (...).
        takes_labels: Whether the function has a keyword `labels`, the names of the K classes.
        linearised: Whether an utterance's statistics depend on the others, as those of a rank do:
            a part of the utterances then has statistics of its own.
        chosen: Options in force that are not the function's defaults; see `choose`.
    """

    name: str
    function: MetricFunction
    higher_is_better: bool
    bounds: tuple[float, float]
    needs: Needs
    level: Level = "utterance"
    statistics: Statistics | None = None
    from_sums: FromSums | None = None
    takes_labels: bool = False
    linearised: bool = False
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its value in force.

        >>> get_metric("js").options
        {'base': 2.0, 'root': False}
        """
        parameters = inspect.signature(self.function).parameters.values()
        return {
            one.name: self.chosen.get(one.name, one.default)
            for one in parameters
            if one.kind is one.KEYWORD_ONLY and one.name != _LABELS
        }

    def choose(self, options: Mapping[str, Any]) -> "Metric":
        """The same metric with other options.

        Args:
            options: Option -> value; those that are not named stay as they are.

        Raises:
            UserError: There is no such option, or it cannot have this value.

        >>> get_metric("js").choose({"root": True}).options
        {'base': 2.0, 'root': True}
        """
        for name, value in options.items():
            _check_option(self, name, value)
        return replace(self, chosen={**self.chosen, **options})

    def compute(
        self, truth: ArrayLike, prediction: ArrayLike, *, labels: Sequence[str] | None = None
    ) -> Any:
        """The function's value with the options in force.

        Args:
            truth: The first array; see `needs`.
            prediction: The second.
            labels: Names of the classes, used only where the metric takes them.
        """
        return self.function(truth, prediction, **self._keywords(labels, {}))

    def sufficient(
        self,
        truth: ArrayLike,
        prediction: ArrayLike,
        *,
        labels: Sequence[str] | None = None,
        **options: Any,
    ) -> Floats:
        """Additive statistics of the utterances, (N, S), of which `value` makes the corpus's value.

        Args:
            truth: The first array; see `needs`.
            prediction: The second.
            labels: Names of the classes, used only where the metric takes them.
            **options: Options other than those in force.
        """
        keywords = self._keywords(labels, options)
        if self.statistics is not None:
            return self.statistics(truth, prediction, **keywords)
        values = self.function(truth, prediction, **keywords)
        return np.column_stack([values, np.ones(len(values))])

    def value(self, sums: ArrayLike) -> Floats:
        """The corpus's value, (...), from sums of `sufficient` statistics, (..., S).

        Args:
            sums: Over the utterances, or over a resample of them; of at least one utterance.
        """
        array = np.asarray(sums, dtype=np.float64)
        if self.from_sums is not None:
            return self.from_sums(array)
        mean: Floats = array[..., 0] / array[..., 1]
        return mean

    def misfit(self, labels: Sequence[str]) -> str | None:
        """Why the metric cannot be computed for these classes; None where it can.

        Args:
            labels: Names of the classes.
        """
        if not self.takes_labels:
            return None
        row = [[1 / len(labels)] * len(labels)]
        try:
            self.compute(row, row, labels=labels)
        except ValueError as error:
            return str(error)
        return None

    def _keywords(self, labels: Sequence[str] | None, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.chosen, **options, **({_LABELS: labels} if self.takes_labels else {})}


_METRICS: dict[str, Metric] = {}


def metric(
    *,
    name: str,
    higher_is_better: bool,
    bounds: tuple[float, float],
    needs: Needs = "distributions",
    level: Level = "utterance",
    statistics: Statistics | None = None,
    from_sums: FromSums | None = None,
    takes_labels: bool = False,
    linearised: bool = False,
) -> Callable[[_Function], _Function]:
    """Register the decorated function; the function itself comes back unchanged.

    Args:
        name: See `Metric`, as for the others.
        higher_is_better: The direction.
        bounds: Smallest and largest value.
        needs: What the function's arrays are.
        level: Whether the function gives values of utterances or of the corpus.
        statistics: Of a corpus metric alone.
        from_sums: Of a corpus metric alone.
        takes_labels: Whether the function has a keyword `labels`.
        linearised: Of a corpus metric alone.

    Returns:
        The decorator.

    Raises:
        ValueError: The level does not go with the statistics; or, when decorating, another function
            already has the name.
    """
    if (level == "corpus") != (statistics is not None) or (statistics is None) != (
        from_sums is None
    ):
        raise ValueError(
            f"Metric '{name}': a corpus metric, and no other, has statistics and from_sums."
        )

    def register(function: _Function) -> _Function:
        known = _METRICS.get(name)
        # The same function again is a reload of its module, as notebooks do.
        if known is not None and _origin(known.function) != _origin(function):
            raise ValueError(
                f"Metric '{name}' is both {_origin(known.function)} and {_origin(function)}: "
                "rename one."
            )
        _METRICS[name] = Metric(
            name,
            function,
            higher_is_better,
            bounds,
            needs,
            level,
            statistics,
            from_sums,
            takes_labels,
            linearised,
        )
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


def choose_options(chosen: object) -> dict[str, Metric]:
    """All metrics, with the options that a user chose.

    Args:
        chosen: Metric -> option -> value, as read from JSON.

    Raises:
        UserError: It is not of this form, or there is no such metric, option or value.

    >>> choose_options({"js": {"root": True}})["js"].options
    {'base': 2.0, 'root': True}
    """
    found = all_metrics()
    if not isinstance(chosen, Mapping):
        raise UserError(f'The options of metrics are like {{"js": {{"base": 4}}}}, not {chosen!r}.')
    for name, options in chosen.items():
        known = get_metric(str(name))
        if not isinstance(options, Mapping):
            raise UserError(
                f"The options of the metric '{name}' are like {{\"name\": value}}, not {options!r}."
            )
        found[name] = known.choose(options)
    return found


def _check_option(known: Metric, name: str, value: Any) -> None:
    import pydantic  # noqa: PLC0415 - the metrics themselves need numpy alone

    if not known.options:
        raise UserError(f"The metric '{known.name}' has no options, so no '{name}'.")
    if name not in known.options:
        raise UserError(
            f"The metric '{known.name}' has no option '{name}'; {nearest(name, known.options)}"
        )
    wanted = typing.get_type_hints(known.function)[name]
    try:
        pydantic.TypeAdapter(wanted, config={"strict": True}).validate_python(value)
        # The function knows its own limits best.
        if not known.takes_labels and known.needs == "distributions":
            known.function([[0.5, 0.5]], [[0.5, 0.5]], **{**known.chosen, name: value})
    except pydantic.ValidationError as error:
        said = error.errors()[0]["msg"]
        raise UserError(
            f"The metric '{known.name}': {name} is {value!r}, but {said[0].lower()}{said[1:]}."
        ) from error
    except ValueError as error:
        raise UserError(f"The metric '{known.name}': {error}") from error


def _origin(function: MetricFunction) -> str:
    return f"{function.__module__}.{function.__qualname__}"
