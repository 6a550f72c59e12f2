"""A table of a report: shown in the page, written as CSV and as LaTeX, from the same rows."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ambi_tasks.statistics import Score

Cell: TypeAlias = str | int | float | Score | None

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        title: Its head.
        higher_is_better: The direction of a metric, shown as an arrow; None for others.
        digits: After the point.
        hint: A word of explanation.
    """

    title: str
    higher_is_better: bool | None = None
    digits: int = 3
    hint: str = ""

    @property
    def head(self) -> str:
        """The title with its arrow."""
        arrow = {True: " ↑", False: " ↓", None: ""}[self.higher_is_better]
        return self.title + arrow


@dataclass(frozen=True, slots=True)
class Row:
    """A row.

    Attributes:
        cells: One for each column.
        marked: Places of cells that stand out: those of the best group.
        reference: Whether it is no run but a floor, a ceiling or a reported score.
    """

    cells: tuple[Cell, ...]
    marked: frozenset[int] = frozenset()
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        name: Of its files.
        caption: What it shows.
        columns: From left to right.
        rows: From top to bottom.
        note: What a reader must know.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""

    @property
    def numeric(self) -> list[bool]:
        """Whether each column holds anything but words."""
        return [
            any(not isinstance(row.cells[place], str | None) for row in self.rows)
            for place in range(len(self.columns))
        ]

    def to_csv(self) -> str:
        """All digits; a score is four columns, of which three end in _low, _high and _se."""
        import pandas as pd  # noqa: PLC0415 - half a second

        split = [_is_score(self, number) for number in range(len(self.columns))]
        heads = [
            head
            for column, scores in zip(self.columns, split, strict=True)
            for head in (_heads(column.title) if scores else [column.title])
        ]
        rows = [
            [
                value
                for cell, scores in zip(row.cells, split, strict=True)
                for value in (_values(cell) if scores else [cell])
            ]
            for row in self.rows
        ]
        return str(pd.DataFrame(rows, columns=heads, dtype=object).to_csv(index=False))

    def to_latex(self) -> str:
        """A table of booktabs; the best are bold."""
        import pandas as pd  # noqa: PLC0415

        places = range(len(self.columns))  # titles need not be unique, and here names must be
        shown = [
            [cell_text(one, col.digits) for one, col in zip(row.cells, self.columns, strict=True)]
            for row in self.rows
        ]
        frame = pd.DataFrame(shown, columns=places)
        bold = pd.DataFrame(
            [["textbf:--rwrap" * (place in row.marked) for place in places] for row in self.rows],
            columns=places,
        )
        style = frame.style.hide(axis="index").format(escape="latex")
        style = style.apply(lambda _: bold, axis=None)
        style = style.relabel_index([_escaped(one.title) for one in self.columns], axis="columns")
        latex = style.to_latex(
            hrules=True,
            caption=_escaped(self.caption),
            label=f"tab:{self.name}",
            position="t",
            position_float="centering",
            column_format="".join("r" if one else "l" for one in self.numeric),
        )
        # A bracket after the end of a row would be its height.
        return re.sub(r"^(?=\[)", "{}", str(latex), flags=re.MULTILINE)


def cell_text(cell: Cell, digits: int) -> str:
    """A cell as text; a score with its interval.

    >>> cell_text(Score(0.5, 0.25, 0.75, 0.1), 2)
    '0.50 [0.25, 0.75]'
    >>> cell_text(None, 2), cell_text(7, 2), cell_text(1 / 3, 2)
    ('-', '7', '0.33')
    """
    if isinstance(cell, Score):
        interval = interval_text(cell, digits)
        return f"{number_text(cell.value, digits)} {interval}".strip()
    if isinstance(cell, float):
        return number_text(cell, digits)
    return NOTHING if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def number_text(value: float, digits: int) -> str:
    """A number with so many digits after the point; a dash for NaN."""
    return NOTHING if math.isnan(value) else f"{value:,.{digits}f}"


def p_text(p: float) -> str:
    """A p-value; never 0, which none is.

    >>> p_text(0.0207), p_text(3e-7)
    ('0.0207', '<0.0001')
    """
    return "<0.0001" if p < 0.0001 else number_text(p, 4)  # noqa: PLR2004 - the last digit


def interval_text(score: Score, digits: int) -> str:
    """The interval in brackets; empty where there is none."""
    if math.isnan(score.low):
        return ""
    return f"[{score.low:.{digits}f}, {score.high:.{digits}f}]"


def _is_score(table: Table, place: int) -> bool:
    return any(isinstance(row.cells[place], Score) for row in table.rows)


def _heads(title: str) -> list[str]:
    return [title, *(f"{title}_{end}" for end in ("low", "high", "se"))]


def _values(cell: Cell) -> Sequence[Any]:
    if isinstance(cell, Score):
        return list(_finite((cell.value, cell.low, cell.high, cell.se)))
    return [cell, None, None, None]


def _finite(values: Sequence[float]) -> Iterator[float | None]:
    for value in values:
        yield None if math.isnan(value) else value


_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(one, one) for one in text.replace("\\", "/"))
