"""Metrics: how near the predicted distributions of emotion votes come to the annotators'.

Each metric is one pure function on numpy arrays, in a file of its own:

>>> from ambi_tasks.metrics import get_metric, jensen_shannon
>>> jensen_shannon([[0.5, 0.5]], [[0.5, 0.5]])
array([0.])
>>> get_metric("js").function is jensen_shannon
True

To add one, add its file (see `registry`): it is then registered, and exported from here, without a
line elsewhere. Only numpy is imported. Type checkers know a function's exact signature where it is
imported from its own module, for instance `ambi_tasks.metrics.js`.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from ambi_tasks.metrics.registry import Metric, MetricFunction, all_metrics, get_metric, metric

for _module in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
    if not _module.name.endswith(".documentation"):  # is run as a script
        importlib.import_module(_module.name)

_functions = {known.function.__name__: known.function for known in all_metrics().values()}
globals().update(_functions)

__all__ = ["Metric", "MetricFunction", "all_metrics", "get_metric", "metric"]
__all__ += list(_functions)

if TYPE_CHECKING:

    def __getattr__(name: str) -> MetricFunction:
        """Tell type checkers what the names are that only running the module reveals."""
