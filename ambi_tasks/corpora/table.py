"""`table`: any corpus with votes, as one table that the user writes; no code needed.

A CSV or Parquet file with the columns `utterance` and `path`, optionally `start` and `end`
(seconds) and `speaker`, and the votes in one of two ways: one row per vote with the column
`emotion` (and optionally `rater`; several ticks of one rater are separated by `;`), or one row per
utterance with a column of counts per class. Paths are relative to the table.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow.parquet

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.corpus import Corpus, Utterance
from ambi_tasks.corpora.csv_table import rows
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, Vote

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_DESCRIPTION = ("utterance", "path", "start", "end", "speaker", "rater")
_EMOTION = "emotion"

_UNNAMED = ("", "__index_level_0__")  # as pandas writes its index to CSV and to Parquet

_Row: TypeAlias = tuple[str, dict[str, str]]  # `file:line`, and column -> text


class _Table(Corpus):
    """A corpus that lies where its table lies, whatever `TABLE_ROOT` in the environment says."""

    __slots__ = ()

    def root(self, metadata: Mapping[str, Any]) -> Path:  # noqa: ARG002 - they name the table
        """The table's folder."""
        assert self.bundled_root is not None
        return self.bundled_root


def corpus_for(metadata: Mapping[str, Any]) -> Corpus:
    """The corpus that the run's `--metadata` name.

    Args:
        metadata: Its `table` is the file; its `label_rule` may name the classes, which are
            otherwise all that occur, in alphabetical order. In a table of counts the columns of
            the named classes and of the labels merged into them are read, and no other.

    Raises:
        UserError: No table is named, it cannot be read, it holds fewer than two classes, or the
            label rule asks for votes outside the classes that a table of counts does not give.
    """
    if not metadata.get("table"):
        raise UserError(
            'No table was named: give one with --metadata \'{"table": "votes.csv"}\'; '
            "docs/corpora.md says what it holds."
        )
    path = Path(str(metadata["table"])).expanduser().resolve()
    if path.is_dir():
        raise UserError(f"{path}: a folder, not a table; name the CSV or Parquet file in it.")
    asked = metadata.get("label_rule")
    rule = asked if isinstance(asked, Mapping) and asked.get("classes") else None
    words = tuple(sorted(_words(path, named=rule is not None)))
    counted: Collection[str] | None = None
    if rule is None:
        classes = words
        _log.info("%s: the classes are %s.", path, ", ".join(classes))
    else:
        chosen = LabelRule(classes=rule["classes"], merge=rule.get("merge", {}))
        classes = tuple(chosen.classes)
        counted = {*classes, *chosen.merge}
        _check_outside(path, rule)
    if len(classes) < 2:  # noqa: PLR2004
        raise UserError(f"{path}: two or more classes are needed, but there is {list(classes)}.")
    return _Table(
        name="table",
        title=f"The table {path.name}",
        source="docs/corpora.md says what such a table holds",
        licence="its owner's",
        label_rule=LabelRule(classes=classes),
        vocabulary=words,
        read=lambda _: read_table(path, counted),
        label_files=lambda _: [path],
        bundled_root=path.parent,
    )


def _check_outside(path: Path, rule: Mapping[str, Any]) -> None:
    """Refuse a policy for votes outside the named classes where such votes are not read."""
    policy = rule.get("out_of_set", "drop_vote")
    first = next(_rows(path), None)
    if first and _EMOTION not in first[1] and policy != "drop_vote":
        raise UserError(
            f"{path}: a table of counts has no votes outside the classes that label_rule names, so "
            f"out_of_set '{policy}' has nothing to do; leave it out, or give one row per vote."
        )


def read_table(path: Path, counted: Collection[str] | None = None) -> Iterator[Utterance]:
    """Read a table of votes or of counts.

    Args:
        path: A CSV file, or a Parquet file by its suffix.
        counted: The columns that may be counts of votes; None for all that describe nothing else.

    Raises:
        UserError: The table is missing or malformed, an utterance's rows are apart or contradict
            each other, or a count is no whole number.
    """
    seen: set[str] = set()
    for name, group in groupby(_rows(path), key=lambda row: row[1]["utterance"]):
        own = list(group)
        where, first = own[0]
        if name in seen:
            raise UserError(
                f"{where}: the votes of {name} are not next to each other; "
                f"sort the table by utterance."
            )
        seen.add(name)
        _check_agreement(own)
        yield Utterance(
            id=name,
            clip=Clip(
                str(path.parent / first["path"]), _seconds(own[0], "start"), _seconds(own[0], "end")
            ),
            votes=tuple(_votes(own, counted)),
            speaker=first.get("speaker") or name,
        )


def _rows(path: Path) -> Iterator[_Row]:
    columns = ["utterance", "path"]
    if path.suffix != ".parquet":
        yield from rows(path, columns)
        return
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: cannot be read as a Parquet table ({error}).") from error
    if lacking := [name for name in columns if name not in table.column_names]:
        raise UserError(f"{path}: the column(s) {', '.join(lacking)} are missing.")
    for number, row in enumerate(table.to_pylist(), start=1):
        text = {name: "" if value is None else str(value) for name, value in row.items()}
        yield f"{path}: row {number}", text


def _words(path: Path, *, named: bool) -> set[str]:
    """All that votes are for, or may be where the classes are named."""
    found: set[str] = set()
    for row in _rows(path):
        if _EMOTION not in row[1]:
            columns = set(_class_columns(row[1]))
            if not named and columns.intersection(_UNNAMED):
                raise UserError(
                    f"{path}: a column has no name, as pandas writes its index; write the table "
                    f"with index=False, or name the classes by label_rule."
                )
            return columns - {*_UNNAMED}
        found.update(_ticks(row))
    return found


def _class_columns(row: Mapping[str, str], counted: Collection[str] | None = None) -> list[str]:
    others = [name for name in row if name not in _DESCRIPTION]
    return others if counted is None else [name for name in others if name in counted]


def _votes(own: Sequence[_Row], counted: Collection[str] | None) -> Iterator[Vote]:
    if _EMOTION in own[0][1]:
        for row in own:
            yield Vote(_ticks(row), row[1].get("rater", ""))
        return
    if len(own) > 1:
        raise UserError(f"{own[1][0]}: a second row of counts for {own[1][1]['utterance']}.")
    for name in _class_columns(own[0][1], counted):
        yield from [Vote((name,))] * _count(own[0], name)


def _ticks(row: _Row) -> tuple[str, ...]:
    ticks = tuple(tick.strip() for tick in row[1][_EMOTION].split(";") if tick.strip())
    if not ticks:
        raise UserError(f"{row[0]}: no value for {_EMOTION}.")
    return ticks


def _count(row: _Row, name: str) -> int:
    where, values = row
    try:
        count = float(values[name] or 0)
    except ValueError as error:
        raise UserError(f"{where}: '{values[name]}' is no count of votes for {name}.") from error
    if not (0 <= count < float("inf") and count == int(count)):
        raise UserError(
            f"{where}: {values[name]} votes for {name}. Counts are whole numbers; shares or "
            f"smoothed labels do not say how many annotators there were, so give the counts."
        )
    return int(count)


def _seconds(row: _Row, column: str) -> float | None:
    where, values = row
    text = values.get(column, "").strip()
    try:
        seconds = float(text) if text else None
    except ValueError as error:
        raise UserError(f"{where}: {column} '{text}' is no number of seconds.") from error
    if seconds is not None and not 0 <= seconds < float("inf"):
        raise UserError(f"{where}: {column} {text} is no time in a recording.")
    return seconds


def _check_agreement(own: Sequence[_Row]) -> None:
    """Refuse rows that say different things about their utterance."""
    _, first = own[0]
    raters: set[str] = set()
    for where, row in own:
        for column in ("path", "start", "end", "speaker"):
            if row.get(column) != first.get(column):
                raise UserError(
                    f"{where}: the {column} of {row['utterance']} was '{first[column]}' "
                    f"and is now '{row[column]}'."
                )
        rater = row.get("rater", "")
        if rater and rater in raters:
            raise UserError(f"{where}: a second vote of {rater} for {row['utterance']}.")
        raters.add(rater)
