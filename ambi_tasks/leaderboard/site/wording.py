"""How numbers and names are said on the pages."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ambi_tasks.leaderboard.entry import Status
from ambi_tasks.leaderboard.site.overall import is_demonstration
from ambi_tasks.leaderboard.site.standings import PRIMARY
from ambi_tasks.leaderboard.truth import board_corpora
from ambi_tasks.metrics import get_metric
from ambi_tasks.report.table import number_text
from ambi_tasks.statistics import Rank

OTHERS = ("bc", "r2", "acc", "f1_macro", "ece", "ent_corr", "parsed")
"""Metrics of the main table beside `PRIMARY`; the pages of entries have all."""

SHOWN_STATUS: Mapping[Status, str] = {"recomputed": "verified", "self-reported": "self-reported"}

EXPORTS = "exports"
"""The folder of what others read; see `leaderboard.exports`."""


def entry_path(key: str) -> str:
    """Where the page of an entry lies.

    Args:
        key: Of the entry; letters, digits, `._-` and `/` alone, see `submission.folder`.
    """
    return f"entries/{key}.html"


def file_path(key: str, name: str) -> str:
    """Where a file of a submission lies.

    Args:
        key: Of the entry.
        name: Of the file.
    """
    return f"data/submissions/{key}/{name}"


def corpus_title(name: str) -> str:
    """What pages call a corpus of the board."""
    return "Demo" if is_demonstration(name) else board_corpora()[name].title


def rounded(value: float, digits: int) -> str:
    """A number as `number_text` has it, without a minus before zeros.

    >>> rounded(-0.001, 2), rounded(-0.01, 2)
    ('0.00', '-0.01')
    """
    return number_text(round(value, digits) + 0.0, digits)


def arrowed(metric: str) -> str:
    """A metric's name with an arrow to where it is better."""
    return f"{metric} {'↑' if get_metric(metric).higher_is_better else '↓'}"


def summary(metric: str) -> str:
    """The first line of what the metric's own documentation says."""
    return (inspect.getdoc(get_metric(metric).function) or "").partition("\n")[0]


def in_order(metrics: Iterable[str]) -> list[str]:
    """Each once; those of the main table first, in its order."""
    first = (PRIMARY, *OTHERS)
    known = set(metrics)
    return [*(name for name in first if name in known), *sorted(known.difference(first))]


def size_text(parameters: int | None) -> str:
    """A number of parameters, in short.

    >>> size_text(7_000_000_000), size_text(8_400_000), size_text(None)
    ('7B', '8.4M', '-')
    """
    if parameters is None:
        return "-"
    for unit, scale in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if parameters >= 0.9995 * scale:  # what rounds up to it
            return f"{parameters / scale:.3g}{unit}"
    return str(parameters)


def span_text(rank: Rank) -> str:
    """From the best to the worst rank that the tests allow."""
    return f"{rank.best}" if rank.best == rank.worst else f"{rank.best} to {rank.worst}"


def is_web_address(text: str) -> bool:
    """Whether a link may lead there: http or https to a host, and nothing else."""
    try:
        address = urlsplit(text)
    except ValueError:
        return False
    return address.scheme in ("http", "https") and bool(address.hostname)


def listed(values: Mapping[str, Any]) -> str:
    """Names with their values."""
    return ", ".join(f"{name}={shown(value)}" for name, value in values.items())


def shown(value: Any) -> str:
    """A value of a setting."""
    if value is None:
        return "null"
    return " to ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
