"""The fields of a submission as a page for people, written from the models themselves."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ambi_tasks.leaderboard.submission import SCHEMA_VERSION, json_schema

_OTHERS = ("ModelSubmission", "ReferenceSubmission")  # come first, whatever their letters


def fields_markdown() -> str:
    """A table for each part: field, type, what it is."""
    parts = json_schema()["$defs"]
    names = [*_OTHERS, *sorted(set(parts) - set(_OTHERS))]
    file = f"v{SCHEMA_VERSION}.json"
    introduction = (
        f"Written by `ambi board schema --markdown`; for programs: [{file}]({file}). Fields "
        f"without a default must be there."
    )
    lines = [
        f"# `submission.json`, version {SCHEMA_VERSION}, field by field",
        "",
        introduction,
    ]
    for name in names:
        lines += ["", f"## {name}", "", parts[name]["description"], ""]
        lines += ["| field | type | default | what |", "|---|---|---|---|"]
        lines += _rows(parts[name], parts)
    return "\n".join(lines) + "\n"


def _rows(part: Mapping[str, Any], parts: Mapping[str, Any]) -> Iterator[str]:
    required = part.get("required", [])
    for field, said in part["properties"].items():
        default = "" if field in required else f"`{json.dumps(said.get('default'))}`"
        what = said.get("description") or parts[_reference(said)]["description"]
        yield f"| `{field}` | {_type(said)} | {default} | {' '.join(what.split())} |"


def _type(said: Mapping[str, Any]) -> str:
    """In a few words; the schema has the ranges."""
    if "$ref" in said:
        name = _reference(said)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in said:
        return " or ".join(dict.fromkeys(_type(one) for one in said["anyOf"]))
    if choices := said.get("enum", [said["const"]] if "const" in said else None):
        return ", ".join(f"`{json.dumps(value)}`" for value in choices)
    return _plain_type(said)


def _plain_type(said: Mapping[str, Any]) -> str:
    if said["type"] == "array":
        return f"list of {_type(said['items'])}"
    if said["type"] == "object":
        values = said.get("patternProperties") or {"": said.get("additionalProperties")}
        return f"names to {_type(next(iter(values.values())))}"
    if said.get("format") == "date":
        return "date"
    return {"string": "text", "integer": "whole number"}.get(said["type"], str(said["type"]))


def _reference(said: Mapping[str, Any]) -> str:
    return str(said["$ref"]).rpartition("/")[2]
