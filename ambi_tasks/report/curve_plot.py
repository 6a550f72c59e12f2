"""Curves of `curve.py`, drawn: quality against draws, and against generated tokens."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ambi_tasks.metrics import get_metric
from ambi_tasks.report.curve import Point
from ambi_tasks.report.palette import COLOURS, MARKERS

_GREY = "0.45"
_WIDTH = 5.2  # inches of a half
_LEGEND_CHARACTERS = 65  # that fit below a half
_DPI = 160
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # a model's name may hold dollars
}


def draw_curves(curves: Mapping[str, Sequence[Point]], path: Path) -> None:
    """Write a PNG: a row for each metric, its left half against draws, its right against tokens.

    Solid lines are means over choices of draws, dotted ones the first draws. Curves whose log has
    no tokens are in the left halves alone; where none has any, there are no right halves.

    Args:
        curves: Name of each -> its points, all of the same metrics, by rising numbers of draws.
        path: Where to.
    """
    metrics = list(dict.fromkeys(point.metric for points in curves.values() for point in points))
    with_tokens = any(points[0].tokens for points in curves.values())
    columns = 2 if with_tokens else 1
    legend_columns = _legend_columns(list(curves), columns)
    legend_rows = -(-(len(curves) + 2) // legend_columns)
    height = 3.5 * len(metrics) + 0.3 + 0.26 * legend_rows
    with mpl.rc_context(_STYLE):
        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
        figure = Figure(figsize=(_WIDTH * columns, height), layout=layout)
        axes = figure.subplots(len(metrics), columns, squeeze=False, sharey="row")
        for row, metric in zip(axes, metrics, strict=True):
            for number, points in enumerate(curves.values()):
                shown = [point for point in points if point.metric == metric]
                _draw(row[0], [point.draws for point in shown], shown, number)
                tokens = [point.tokens for point in shown if point.tokens]
                if tokens:  # not unknown, and not 0, which has no place on such an axis
                    _draw(row[1], tokens, shown, number)
            _label(row[0], metric, "draws per utterance")
            if with_tokens:
                _label(row[1], "", "generated tokens per utterance")
        _add_legend(figure, list(curves), legend_columns)
        FigureCanvasAgg(figure)  # whatever the environment names, no window is opened
        figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})


def _draw(axes: Axes, x: Sequence[float], points: Sequence[Point], number: int) -> None:
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    prefix, subset = [one.prefix for one in points], [one.subset for one in points]
    axes.plot(x, prefix, color=colour, linestyle=":", linewidth=1.1, alpha=0.8)
    axes.plot(x, subset, color=colour, marker=marker, markersize=5, linewidth=1.8)


def _label(axes: Axes, metric: str, x_label: str) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(base=2, numticks=20))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_xlabel(x_label)
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    if metric:
        better = "higher" if get_metric(metric).higher_is_better else "lower"
        axes.set_ylabel(f"{metric} ({better} is better)")


def _legend_columns(names: Sequence[str], halves: int) -> int:
    widest = max(len(name) for name in [*names, "mean over choices of draws"]) + 8
    return max(1, min(len(names) + 2, halves * _LEGEND_CHARACTERS // widest))


def _add_legend(figure: Figure, names: Sequence[str], columns: int) -> None:
    handles = [
        Line2D(
            [],
            [],
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
            linewidth=1.8,
            label=name,
        )
        for number, name in enumerate(names)
    ]
    handles += [
        Line2D([], [], color=_GREY, linewidth=1.8, label="mean over choices of draws"),
        Line2D([], [], color=_GREY, linewidth=1.1, linestyle=":", label="the first draws"),
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9,
    )
