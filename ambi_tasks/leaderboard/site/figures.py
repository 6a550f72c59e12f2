"""The figures of the board's pages. Each shows what a table beside it has in numbers."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from ambi_tasks.leaderboard.site.compute import UNITS, Point, Unit, fronts, points_of
from ambi_tasks.leaderboard.site.standings import (
    BASELINE,
    CEILING,
    FLOOR,
    PRIMARY,
    Standings,
    value_of,
)
from ambi_tasks.leaderboard.submission import CurvePoint, ModelSubmission, Reference
from ambi_tasks.metrics import all_metrics, get_metric
from ambi_tasks.report.drawing import GREY, Figure, drawn, grid, log_axis, picture
from ambi_tasks.report.palette import BLUE, COLOURS, INK, MARKERS

_WIDTH = 7.2  # inches; a page shows it at 100 per inch
_MOST_ROWS = 40
_LONGEST = 32  # characters of a name
_MOST_CURVES = 3

_STYLE = re.compile(r'\bstyle="([^"]*)"')
_FONT = re.compile(r"(?:(?:normal|italic|oblique|bold|\d{3}) )*([\d.]+px) (.*)")


def inline(figure: Figure) -> Markup:
    """A figure for the midst of a page, in the page's own colours.

    No style stands in it, neither in elements nor in attributes: the pages' content security policy
    forbids them. What styles said is said by the attributes that SVG has for it.

    Args:
        figure: Whose texts matplotlib has escaped.
    """
    svg = re.sub(r"<style.*?</style>", "", picture(figure), flags=re.DOTALL)
    svg = _STYLE.sub(lambda found: " ".join(_attributes(found[1])), svg)
    inside = Markup(svg)  # noqa: S704 - as `picture` made it, but for the styles
    return Markup(
        '<figure><div class="scroll" role="region" tabindex="0" aria-label="{caption}">{inside}'
        "</div><figcaption>{caption}.</figcaption></figure>"
    ).format(caption=figure.caption, inside=inside)


def _attributes(style: str) -> Iterator[str]:
    for declaration in filter(None, map(str.strip, style.split(";"))):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            found = _FONT.fullmatch(value)
            if found:
                yield f'font-size="{found[1]}" font-family="{found[2]}"'
        else:
            yield f'{name}="{value}"'


def _direction() -> str:
    better = "higher" if get_metric(PRIMARY).higher_is_better else "lower"
    return f"{PRIMARY} ({better} is better)"


def _name(submission: ModelSubmission) -> str:
    """What a figure calls an entry: long names are cut, since the table beside it has them."""
    name, strategy = submission.model.name, submission.strategy.name
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
    variant = f", {submission.variant[:_LONGEST]}" if submission.variant else ""
    return f"{short}, {strategy}{variant}"


# --- quality against compute ---------------------------------------------------------------------


def compute_figure(group: Standings, name: str) -> Figure | None:
    """Quality against cost, with the front; None where no cost is known.

    Args:
        group: Entries that compare.
        name: Of the figure.
    """
    units = [unit for unit in UNITS if points_of(group.models, unit)]
    if not units:
        return None
    numbers = _numbered(group)

    def draw(canvas: Canvas) -> None:
        row = canvas.subplots(1, len(units), squeeze=False, sharey=True)[0]
        for axes, unit in zip(row, units, strict=True):
            _scatter(axes, group, unit)
            _front(axes, group, unit, numbers)
            _marks(axes, group)
        row[0].set_ylabel(_direction())
        row[0].margins(y=0.12)
        handles, labels = row[0].get_legend_handles_labels()
        canvas.legend(
            handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8
        )

    names = {one.entry.key: _name(one.model) for one in group.models}
    named = "; ".join(f"{number}: {names[key]}" for key, number in numbers.items())
    caption = (
        f"{PRIMARY} against what an utterance takes; the line is the Pareto front, on which none "
        f"is better at the same cost or less. {named}"
    )
    return drawn(name, caption, (_WIDTH, 3.6), draw, pixels=False)


def _scatter(axes: Axes, group: Standings, unit: Unit) -> None:
    for number, weights in enumerate(("open", "closed")):
        some = [one for one in group.models if one.model.model.weights == weights]
        points = points_of(some, unit)
        axes.plot(
            [one.cost for one in points],
            [one.value for one in points],
            linestyle="none",
            color=COLOURS[number],
            marker=MARKERS[number],
            markersize=5,
            alpha=0.8,
            zorder=2,
            label=f"{weights} weights",
        )
    _cost_axis(axes, points_of(group.models, unit))
    axes.set_xlabel("draws per utterance" if unit == "draws" else "generated tokens per utterance")
    grid(axes)


def _cost_axis(axes: Axes, points: Sequence[Point]) -> None:
    """Powers of two; with a 0 where something costs nothing, as reading probabilities off does."""
    costs = [point.cost for point in points]
    free = min(costs) < 1
    low = 0 if free else math.floor(math.log2(min(costs)))
    high = max(low + 1, math.ceil(math.log2(max(*costs, 1))))
    step = math.ceil((high - low) / 6)
    ticks = [2.0**power for power in range(low, high + 1, step)]
    if free:
        axes.set_xscale("symlog", base=2, linthresh=1)
    else:
        axes.set_xscale("log", base=2)
    axes.set_xlim(-0.4 if free else 2 ** (low - 0.3), 2 ** (high + 0.3))
    axes.set_xticks([0.0, *ticks] if free else ticks)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))


def _front(axes: Axes, group: Standings, unit: Unit, numbers: Mapping[str, int]) -> None:
    front = fronts(group.models)[unit]
    axes.step(
        [point.cost for point in front],
        [point.value for point in front],
        where="post",
        color=INK,
        linewidth=1.2,
        label="Pareto front",
        zorder=1,
    )
    for point in front:
        axes.annotate(
            str(numbers[point.key]),
            (point.cost, point.value),
            xytext=(-4, -4),
            textcoords="offset points",
            ha="right",
            va="top",
        )


def _numbered(group: Standings) -> dict[str, int]:
    """The entries on any front, numbered in the order of the table."""
    on_front = {point.key for front in fronts(group.models).values() for point in front}
    keys = [one.entry.key for one in group.models if one.entry.key in on_front]
    return {key: number for number, key in enumerate(keys, start=1)}


def _marks(axes: Axes, group: Standings) -> None:
    styles: dict[Reference, str] = {FLOOR: "--", CEILING: "-"}
    for reference, style in styles.items():
        one = group.references.get(reference)
        if one is not None:
            label = "label prior" if reference == FLOOR else "human ceiling"
            axes.axhline(
                value_of(one.scores, PRIMARY), color=GREY, linestyle=style, linewidth=1, label=label
            )


# --- gains ---------------------------------------------------------------------------------------


def gain_figure(group: Standings, name: str) -> Figure | None:
    """What strategies add to their model's greedy answer; None where no gain is known.

    Args:
        group: Entries that compare.
        name: Of the figure.
    """
    rows = [(one, one.gain.better) for one in group.models if one.gain is not None]
    if not rows:
        return None
    shown = rows[:_MOST_ROWS]

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.axvline(0, color=GREY, linewidth=1)
        for place, (_, better) in enumerate(shown):
            if not np.isnan(better.low):
                axes.plot([better.low, better.high], [place, place], color=BLUE, linewidth=1.8)
            axes.plot([better.value], [place], color=BLUE, marker="o", markersize=5)
        axes.set_yticks(range(len(shown)), [_name(one.model) for one, _ in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlabel(f"gain in {PRIMARY} over {BASELINE} (more is better)")
        grid(axes, "x")

    some = f"; of the {len(shown)} best entries" if len(shown) < len(rows) else ""
    caption = (
        f"Gain of each strategy over the same model's greedy answer, paired, with 95 % intervals"
        f"{some}"
    )
    return drawn(name, caption, (_WIDTH, 0.9 + 0.26 * len(shown)), draw, pixels=False)


# --- the curve of an entry -----------------------------------------------------------------------


def curve_figure(submission: ModelSubmission, name: str) -> Figure:
    """Quality against draws, by the first metrics of the curve.

    Args:
        submission: That has a curve.
        name: Of the figure.
    """
    curves = dict(islice(curves_of(submission.curve).items(), _MOST_CURVES))

    def draw(canvas: Canvas) -> None:
        row = canvas.subplots(1, len(curves), squeeze=False)[0]
        for number, (axes, (metric, points)) in enumerate(zip(row, curves.items(), strict=True)):
            axes.plot(
                [point.draws for point in points],
                [point.score for point in points],
                color=COLOURS[number],
                marker=MARKERS[number],
                markersize=5,
                linewidth=1.6,
            )
            log_axis(axes)
            axes.set_xlabel("draws")
            better = "higher" if get_metric(metric).higher_is_better else "lower"
            axes.set_title(f"{metric} ({better} is better)", loc="left")
            grid(axes)

    caption = f"Quality against draws of {_name(submission)}"
    return drawn(name, caption, (_WIDTH, 2.6), draw, pixels=False)


def curves_of(points: Sequence[CurvePoint]) -> Mapping[str, list[CurvePoint]]:
    """Metric -> its points, by rising number of draws; of the metrics that there are.

    Args:
        points: As submitted.
    """
    curves: dict[str, list[CurvePoint]] = {}
    known = all_metrics()
    for point in sorted(points, key=lambda one: one.draws):
        if point.metric in known:
            curves.setdefault(point.metric, []).append(point)
    return curves
