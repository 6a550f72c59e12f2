"""Tables as text."""

import csv
import io
import math

from ambi_tasks.report.table import Column, Row, Table, cell_text
from ambi_tasks.statistics import Score

SCORE = Score(0.12345, 0.1, 0.2, 0.03)
TABLE = Table(
    "t",
    "50 % of a_b",
    (Column("model_name"), Column("js", False), Column("n")),
    (
        Row(("a & b_{1}", SCORE, 3), frozenset({1})),
        Row(("floor, uniform", Score(0.5, math.nan, math.nan, math.nan), None), reference=True),
    ),
)


def test_csv_has_all_digits_and_the_ends_of_intervals():
    rows = list(csv.DictReader(io.StringIO(TABLE.to_csv())))
    assert rows[0] == {
        "model_name": "a & b_{1}",
        "js": "0.12345",
        "js_low": "0.1",
        "js_high": "0.2",
        "js_se": "0.03",
        "n": "3",
    }
    assert rows[1]["js_low"] == rows[1]["n"] == ""


def test_latex_is_escaped_and_the_best_bold():
    latex = TABLE.to_latex()
    assert r"a \& b\_\{1\}" in latex
    assert r"model\_name" in latex
    assert r"\caption{50 \% of a\_b}" in latex
    assert r"\textbf{0.123 [0.100, 0.200]}" in latex
    assert r"floor, uniform & 0.500 & -" in latex
    assert r"\begin{tabular}{lrr}" in latex
    assert r"\toprule" in latex


def test_a_row_that_begins_with_a_bracket_is_no_height_in_latex():
    latex = Table("t", "t", (Column("a"), Column("b")), (Row(("[x]", "[y]")),)).to_latex()
    assert "\n{}[x] & [y] \\\\\n" in latex
    assert "\\begin{table}[t]" in latex


def test_heads_say_the_direction():
    assert [column.head for column in TABLE.columns] == ["model_name", "js ↓", "n"]


def test_cells():
    assert cell_text(SCORE, 2) == "0.12 [0.10, 0.20]"
    assert cell_text(math.nan, 2) == "-"
    assert cell_text(12345, 2) == "12,345"
    assert cell_text("word", 2) == "word"


def test_titles_may_repeat():
    twice = Table("t", "t", (Column("a"), Column("a")), (Row(("x", 1)),))
    assert "a & a" in twice.to_latex()
    assert twice.to_csv() == "a,a\nx,1\n"


def test_a_table_without_rows():
    empty = Table("e", "nothing", (Column("a"),), ())
    assert empty.to_csv().strip() == "a"
    assert r"\midrule" in empty.to_latex()
