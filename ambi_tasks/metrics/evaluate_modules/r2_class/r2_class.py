"""`r2_class` for `evaluate.load`; made by `python -m ambi_tasks.metrics.documentation`."""

from ambi_tasks.evaluate_module import module_class

Module = module_class("r2_class")
