"""The table of all fields in docs/strategies.md, made from the fields and the task files.

To renew it: `python -m ambi_tasks.strategies.documentation docs/strategies.md`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ambi_tasks.strategies.registry import all_strategies

BEGIN, END = "<!-- fields: begin -->", "<!-- fields: end -->"

_TASKS = Path(__file__).parent.parent / "tasks"
_HEAD = ("field", "strategies", "default", "range", "meaning")


def defaults(name: str) -> dict[str, Any]:
    """What the task file of a strategy sets, without its name.

    Args:
        name: The strategy.
    """
    source = (_TASKS / f"strategy_{name}.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(source)["strategy"]
    return {field: value for field, value in values.items() if field != "name"}


def fields_table() -> str:
    """All fields of all strategies as a Markdown table, one row per field and meaning."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for name in sorted(all_strategies()):
        values = defaults(name)
        schema = all_strategies()[name].fields.model_json_schema()["properties"]
        for field, found in schema.items():
            key = (field, _range(found), found.get("description", ""))
            rows.setdefault(key, {})[name] = values[field]
    lines = [_line(_HEAD), _line(["---"] * len(_HEAD))]
    for (field, values_allowed, meaning), found in rows.items():
        everywhere = len(found) == len(all_strategies())
        whose = "all" if everywhere else ", ".join(f"`{name}`" for name in found)
        lines.append(_line((f"`{field}`", whose, _default(found), values_allowed, meaning)))
    return "\n".join(lines)


def renewed(page: str) -> str:
    """The page with the table as it is now.

    Args:
        page: Markdown with the two markers.

    Raises:
        ValueError: The markers are not there.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"The page has no {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{fields_table()}\n{END}{after}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _default(values: Mapping[str, Any]) -> str:
    """One value if all strategies agree, or each with its strategies."""
    whose: dict[str, list[str]] = {}
    for name, value in values.items():
        whose.setdefault(f"`{json.dumps(value).strip(chr(34))}`", []).append(name)
    if len(whose) == 1:
        return next(iter(whose))
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in whose.items())


def _range(schema: Mapping[str, Any]) -> str:
    """What a field may be, in words, from its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(_range(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    kinds = {"integer": "whole number", "number": "number", "null": "`null`", "string": "text"}
    if schema["type"] == "array":
        return f"list of {len(schema['prefixItems'])} ({_range(schema['prefixItems'][0])})"
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[name]:g}" for name, sign in bounds.items() if name in schema]
    return ", ".join([kinds[schema["type"]], *limits])


def main(paths: Sequence[str]) -> None:
    """Renew the table in the pages.

    Args:
        paths: Their files.
    """
    for path in map(Path, paths):
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
