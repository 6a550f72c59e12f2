"""What the task files say of a strategy and of decoding, unless somebody says otherwise."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ambi_tasks.leaderboard.submission import StrategyRecord
from ambi_tasks.plugin import tasks_path


@cache
def strategy_defaults(name: str) -> Mapping[str, Any]:
    """The fields of a strategy's file; none where there is no such strategy.

    Args:
        name: Of the strategy.
    """
    path = Path(tasks_path()) / f"strategy_{name}.yaml"
    if not path.is_file():
        return {}
    fields: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["strategy"]
    return {field: value for field, value in fields.items() if field != "name"}


def all_fields(strategy: StrategyRecord) -> dict[str, Any]:
    """The fields of a record; those that its version of the package did not have, at their default.

    Args:
        strategy: Of a submission.
    """
    return {**strategy_defaults(strategy.name), **strategy.fields}


@cache
def decoding_defaults() -> Mapping[str, Any]:
    """`generation_kwargs` of every task."""
    # The file names the class of the task by a tag, which only the harness reads.
    text = (Path(tasks_path()) / "base.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text.replace("!function ", ""))
    return dict(content["generation_kwargs"])
