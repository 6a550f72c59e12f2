"""What to call a run where there are several."""

from collections import Counter
from collections.abc import Sequence

from ambi_tasks.report.sample_log import TaskLog


def short_names(logs: Sequence[TaskLog]) -> list[str]:
    """Each log under a name as short as tells them apart: task, then model, then time, then path.

    Args:
        logs: Of different paths.
    """
    names = [log.task for log in logs]
    if len({log.model for log in logs}) > 1:
        names = [f"{name}, {log.model}" for name, log in zip(names, logs, strict=True)]
    for more in ("time", "path"):
        again = Counter(names)
        names = [
            f"{name}, {getattr(log, more)}" if again[name] > 1 else name
            for name, log in zip(names, logs, strict=True)
        ]
    return names
