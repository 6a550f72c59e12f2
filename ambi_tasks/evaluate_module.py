"""The metrics as modules of the library `evaluate`, for use outside the harness.

`evaluate.load(path)` wants a file of its own for each, which it copies and imports: those lie in
`metrics/evaluate_modules` and ask here for their class. Nothing is downloaded.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

from ambi_tasks.metrics import Metric, get_metric


class _Module(evaluate.Metric):  # type: ignore[misc] # untyped
    """A metric; subclasses name it.

    `references` are the annotators' distributions and `predictions` the model's; of the metrics
    that are shares, `predictions` are the parts and `references` the wholes. Further keywords are
    the function's own. The result has the metric's name, and is the mean where there is a value for
    each utterance.
    """

    metric: Metric

    def _info(self) -> evaluate.MetricInfo:
        text = inspect.getdoc(self.metric.function) or ""
        description, _, source = text.partition("Source:")
        number = datasets.Value("float64")
        feature = datasets.Sequence(number) if self.metric.needs == "distributions" else number
        return evaluate.MetricInfo(
            description=description.partition("\n\n")[0],
            citation=inspect.cleandoc(source.partition("\n>>>")[0]),
            inputs_description=text,
            features=datasets.Features({"predictions": feature, "references": feature}),
        )

    def _compute(
        self, *, predictions: Sequence[Any], references: Sequence[Any], **options: Any
    ) -> dict[str, float]:
        arrays = references, predictions
        if self.metric.needs != "distributions":
            arrays = predictions, references
        return {self.metric.name: float(np.mean(self.metric.function(*arrays, **options)))}


def module_class(name: str) -> type[evaluate.Metric]:
    """The class that `evaluate` makes its module of.

    Args:
        name: The metric.
    """
    return type(name, (_Module,), {"metric": get_metric(name), "__doc__": _Module.__doc__})
