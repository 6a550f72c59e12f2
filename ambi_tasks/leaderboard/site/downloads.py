"""The board as data: one row an entry as CSV and Parquet, everything as JSON."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

import ambi_tasks
from ambi_tasks.leaderboard.site.compute import cost_of
from ambi_tasks.leaderboard.site.standings import PRIMARY, Standing, Standings
from ambi_tasks.leaderboard.submission import ModelSubmission
from ambi_tasks.metrics import all_metrics
from ambi_tasks.statistics import Score

_ENDS = ("low", "high", "se")


def downloads(found: Sequence[Standings]) -> dict[str, bytes]:
    """The files.

    Args:
        found: All entries of the board.

    Returns:
        Name -> content; equal boards give equal CSV and JSON.
    """
    table = _table(found)
    csv, parquet = io.BytesIO(), io.BytesIO()
    pyarrow.csv.write_csv(table, csv)
    pyarrow.parquet.write_table(table, parquet)
    content = {
        "generator": f"ambi_tasks {ambi_tasks.__version__}",
        "primary_metric": PRIMARY,
        "entries": [_record(one, group) for group in found for one in group.everybody],
    }
    return {
        "board.csv": csv.getvalue(),
        "board.json": json.dumps(content, indent=1, allow_nan=False).encode(),
        "board.parquet": parquet.getvalue(),
    }


def _table(found: Sequence[Standings]) -> pa.Table:
    rows = [_row(one, group) for group in found for one in group.everybody]
    return pa.Table.from_pylist(rows, schema=_schema())


def _schema() -> pa.Schema:
    text, whole, number = pa.string(), pa.int64(), pa.float64()
    fields = {
        "key": text,
        "kind": text,
        "corpus": text,
        "label_rule": text,
        "manifest_sha256": text,
        "organization": text,
        "model": text,
        "weights": text,
        "parameters": whole,
        "strategy": text,
        "variant": text,
        "draws": number,
        "tokens": number,
        "status": text,
        "rank_group": whole,
        "rank_best": whole,
        "rank_worst": whole,
        f"skill_{PRIMARY}": number,
        **dict.fromkeys(("gain", *(f"gain_{end}" for end in _ENDS), "gain_p_holm"), number),
        "gain_over": text,
    }
    for name in all_metrics():
        fields |= dict.fromkeys((name, *(f"{name}_{end}" for end in _ENDS)), number)
    return pa.schema(list(fields.items()))


def _row(one: Standing, group: Standings) -> dict[str, Any]:
    submission = one.entry.submission
    row: dict[str, Any] = {
        "key": one.entry.key,
        "kind": submission.kind,
        "corpus": submission.corpus.name,
        "label_rule": group.rule,
        "manifest_sha256": submission.corpus.manifest_sha256,
        "status": one.entry.status,
        f"skill_{PRIMARY}": one.skill.get(PRIMARY),
    }
    if isinstance(submission, ModelSubmission):
        cost = cost_of(submission)
        row |= {
            "organization": submission.model.organization,
            "model": submission.model.name,
            "weights": submission.model.weights,
            "parameters": submission.model.parameters,
            "strategy": submission.strategy.name,
            "variant": submission.variant,
            "draws": cost["draws"],
            "tokens": cost["tokens"],
        }
    if one.rank is not None:
        row |= {
            "rank_group": one.rank.group,
            "rank_best": one.rank.best,
            "rank_worst": one.rank.worst,
        }
    if one.gain is not None:
        better = one.gain.better
        gain = Score(better.value, better.low, better.high, better.se)
        row |= _columns("gain", gain) | {
            "gain_p_holm": _finite(better.adjusted),
            "gain_over": one.gain.baseline,
        }
    for name, score in one.scores.items():
        row |= _columns(name, score)
    return row


def _columns(name: str, score: Score) -> dict[str, float | None]:
    found = _numbers(score)
    columns = {name: found["value"]}
    return columns | {f"{name}_{end}": found[end] for end in _ENDS}


def _record(one: Standing, group: Standings) -> dict[str, Any]:
    """Everything of an entry; what the board computed stands beside what was submitted."""
    return {
        "key": one.entry.key,
        "status": one.entry.status,
        "label_rule": group.rule,
        "rank": None
        if one.rank is None
        else {"group": one.rank.group, "best": one.rank.best, "worst": one.rank.worst},
        "skill": dict(one.skill),
        "scores": _scores(one.scores),
        "strata": {stratum: _scores(scores) for stratum, scores in one.strata.items()},
        "gain": None
        if one.gain is None
        else {
            "over": one.gain.baseline,
            **_numbers(one.gain.better),
            "p_holm": _finite(one.gain.better.adjusted),
        },
        "warnings": [str(finding) for finding in one.entry.warnings],
        "submission": one.entry.submission.model_dump(mode="json"),
    }


def _scores(scores: Mapping[str, Score]) -> dict[str, dict[str, float | None]]:
    return {name: _numbers(score) for name, score in scores.items()}


def _numbers(score: Any) -> dict[str, float | None]:
    return {name: _finite(getattr(score, name)) for name in ("value", *_ENDS)}


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value
