"""Numbers that were published of this benchmark; reported, not measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml


@dataclass(frozen=True, slots=True)
class Published:
    """What was published.

    Attributes:
        source: Where.
        note: How far it compares.
        model: Whose scores they are.
        scores: Corpus -> strategy -> metric -> value.
    """

    source: str
    note: str
    model: str
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]


@cache
def published() -> Published:
    """All that is known.

    >>> published().scores["crema_d"]["wbon"]["acc"]
    0.5324
    """
    text = files("ambi_tasks.report").joinpath("published.yaml").read_text(encoding="utf-8")
    return Published(**yaml.safe_load(text))
