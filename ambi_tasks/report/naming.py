"""What to call a run where there are several."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from ambi_tasks.report.sample_log import TaskLog


def short_names(logs: Sequence[TaskLog]) -> list[str]:
    """Each log under a name as short as tells them apart: task, then model, then time, then path.

    Args:
        logs: Of different paths.
    """
    return _told_apart(logs, lambda log: log.task)


def strategy_names(logs: Sequence[TaskLog]) -> list[str]:
    """The same with the strategy in place of the task: unique among the logs of one corpus.

    Args:
        logs: Of different paths.
    """
    return _told_apart(logs, strategy_of_log)


def slugs(names: Sequence[str]) -> list[str]:
    """Names as parts of file names and addresses: letters, digits and dashes, each another.

    >>> slugs(["crema_d", "a/b", "a b", ""])
    ['crema-d', 'a-b', 'a-b-2', 'x']
    """
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "x"
        number, slug = 1, plain
        while slug in found:
            number += 1
            slug = f"{plain}-{number}"
        found.append(slug)
    return found


def strategy_of_log(log: TaskLog) -> str:
    """The strategy's name as the results have it; the task where they do not."""
    strategy = log.config.get("strategy")
    name = strategy.get("name") if isinstance(strategy, dict) else None
    return name if isinstance(name, str) else log.task


def _told_apart(logs: Sequence[TaskLog], first: Callable[[TaskLog], str]) -> list[str]:
    names = [first(log) for log in logs]
    if len({log.model for log in logs}) > 1:
        names = [f"{name}, {log.model}" for name, log in zip(names, logs, strict=True)]
    for more in ("time", "path"):
        # Of different tasks, the same name does no harm: they are of different corpora.
        keys = [(log.task, name) for log, name in zip(logs, names, strict=True)]
        again = Counter(keys)
        names = [
            f"{name}, {getattr(log, more)}" if again[key] > 1 else name
            for key, name, log in zip(keys, names, logs, strict=True)
        ]
    return names
