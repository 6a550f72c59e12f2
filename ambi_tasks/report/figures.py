"""The figures of a report. Each shows what a table of `tables.py` has in numbers."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from ambi_tasks.metrics import Metric, get_metric
from ambi_tasks.report.analysis import Analysis
from ambi_tasks.report.breakdown import Breakdown
from ambi_tasks.report.drawing import GREY, Figure, drawn, grid, legend, log_axis
from ambi_tasks.report.logged_run import LoggedRun
from ambi_tasks.report.palette import COLOURS, INK, MARKERS
from ambi_tasks.report.profile import entropies, entropy_profile, reliability
from ambi_tasks.report.scores import CEILING
from ambi_tasks.report.table import NOTHING, Cell, Table
from ambi_tasks.report.tables import MATRIX_METRICS, REFERENCES, strategy_place
from ambi_tasks.statistics import Score

_WIDTH = 6.4  # inches; a page shows it at 100 per inch
_ROW = 0.26
_LINE = 0.15  # of text
_BESIDE = 44  # characters that fit beside an axis
_THIRD = 22  # characters that fit into a third of the width
_CELL = 0.5  # inches that a score in a heat map takes
_DARK = 0.45  # luminance on which white is read better than black
_FEW = 2000  # utterances that can be drawn one by one
_DENSITY = LinearSegmentedColormap.from_list(  # grey, so that it is seen on white and on black
    "density", [(0.5, 0.5, 0.5, 0.08), (0.5, 0.5, 0.5, 0.95)]
)


def _text(analysis: Analysis, run: LoggedRun) -> str:
    """What a figure calls a run: what all have in common is left out."""
    label = analysis.labels[run.run.name]
    models = {one.model for one in analysis.labels.values()}
    strategies = {one.strategy for one in analysis.labels.values()}
    if len(models) == 1:
        return label.strategy
    return label.model if len(strategies) == 1 else f"{label.strategy}, {label.model}"


def _texts(analysis: Analysis, runs: Sequence[LoggedRun], width: int) -> tuple[list[str], float]:
    """Names of the runs in lines that are no wider, and the inches that a name then needs more."""
    return _in_lines([_text(analysis, one) for one in runs], width)


def _in_lines(names: Sequence[str], width: int) -> tuple[list[str], float]:
    broken = ["\n".join(textwrap.wrap(name, width)) for name in names]
    return broken, _LINE * max(name.count("\n") for name in broken)


def _legend_height(analysis: Analysis) -> float:
    _, more = _texts(analysis, analysis.shown, _THIRD)
    return 0.2 * (len(analysis.shown) // 3) + more * -(-len(analysis.shown) // 3)


def _best(analysis: Analysis) -> str:
    left = len(analysis.group.runs) - len(analysis.shown)
    if not left:
        return ""
    return f"; the {len(analysis.shown)} best runs by {analysis.primary.name}, all are in the table"


def _direction(metric: Metric) -> str:
    return f"{metric.name} ({'higher' if metric.higher_is_better else 'lower'} is better)"


def _interval(axes: Axes, place: float, score: Score, number: int, *, label: str = "") -> None:
    """A value with its interval, lying."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    if not np.isnan(score.low):
        axes.plot([score.low, score.high], [place, place], color=colour, linewidth=1.8, alpha=0.75)
    axes.plot(
        [score.value],
        [place],
        color=colour,
        marker=marker,
        markersize=5.5,
        label=label or None,
        linestyle="none",
    )


# --- scores --------------------------------------------------------------------------------------


def score_figure(analysis: Analysis) -> Figure:
    """Every run's primary score with its interval, between floors and ceiling."""
    metric, scores = analysis.primary, analysis.scores
    names, more = _texts(analysis, analysis.ordered, _BESIDE)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for place, one in enumerate(analysis.ordered):
            _interval(axes, place, scores.runs[one.run.name][metric.name], 0)
        styles = {"uniform": ":", "label_prior": "--", CEILING: "-"}
        for reference, by_metric in scores.references.scores.items():
            if metric.name in by_metric:
                axes.axvline(
                    by_metric[metric.name].value,
                    color=COLOURS[2] if reference == CEILING else GREY,
                    linestyle=styles[reference],
                    label=REFERENCES[reference],
                )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlabel(_direction(metric))
        grid(axes, "x")
        if axes.get_legend_handles_labels()[0]:
            canvas.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)

    height = 1.1 + (_ROW + more) * len(names)
    caption = f"{metric.name} of every run with its 95 % interval, between floors and human ceiling"
    return drawn(f"{analysis.slug}-scores", caption, (_WIDTH, height), draw)


def part_figure(analysis: Analysis, breakdown: Breakdown) -> Figure:
    """The primary score of the shown runs in each part, with intervals."""
    metric = analysis.part_metrics[0]
    shown = analysis.shown
    texts, _ = _texts(analysis, shown, _THIRD)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        step = 0.8 / max(1, len(shown))
        for number, one in enumerate(shown):
            for row, part in enumerate(breakdown.parts):
                score = breakdown.scores[one.run.name][part.name][metric.name]
                place = row - 0.4 + step * (number + 0.5)
                _interval(axes, place, score, number, label="" if row else texts[number])
        names = [f"{part.name} ({part.size:,})" for part in breakdown.parts]
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.45, -0.55)
        for row in range(1, len(names)):
            axes.axhline(row - 0.5, color=GREY, alpha=0.4, linewidth=0.7)
        axes.set_xlabel(_direction(metric))
        axes.set_ylabel(f"{breakdown.by} (utterances)")
        grid(axes, "x")
        legend(canvas, len(shown))

    rows = max(1.2, len(breakdown.parts) * max(0.4, 0.13 * len(shown)))
    height = 1.3 + rows + _legend_height(analysis)
    caption = f"{metric.name} by {breakdown.by}, with 95 % intervals{_best(analysis)}"
    return drawn(f"{analysis.slug}-by-{breakdown.slug}", caption, (_WIDTH, height), draw)


# --- ambiguity and calibration -------------------------------------------------------------------


def _multiples(
    canvas: Canvas, analysis: Analysis, draw: Callable[[Axes, LoggedRun, int], None]
) -> None:
    """One small picture for each of the shown runs."""
    shown = analysis.shown
    texts, _ = _texts(analysis, shown, _THIRD)
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    pictures = canvas.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for number, axes in enumerate(pictures.flat):
        if number >= len(shown):
            axes.set_axis_off()
            continue
        axes.set_title(texts[number], loc="left")
        grid(axes)
        axes.tick_params(labelbottom=number + columns >= len(shown))  # nothing is below
        draw(axes, shown[number], number)


def _multiples_size(analysis: Analysis) -> tuple[float, float]:
    rows = -(-len(analysis.shown) // 3)
    _, more = _texts(analysis, analysis.shown, _THIRD)
    return _WIDTH, 0.5 + (2.1 + more) * rows


def entropy_figure(analysis: Analysis) -> Figure:
    """Entropy of predictions against that of votes."""
    top = float(np.log2(len(analysis.group.runs[0].run.rule.classes)))

    def one_run(axes: Axes, run: LoggedRun, number: int) -> None:
        votes, predicted = entropies(run)
        colour = COLOURS[number]
        axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle="--")
        if len(votes) <= _FEW:
            axes.scatter(votes, predicted, s=7, color=colour, alpha=0.35, linewidths=0)
        else:
            axes.hexbin(
                votes,
                predicted,
                gridsize=22,
                extent=(0, top, 0, top),
                bins="log",
                mincnt=1,
                cmap=_DENSITY,
                linewidths=0,
            )
        bins = entropy_profile(run)
        axes.errorbar(
            [one.votes for one in bins],
            [one.prediction for one in bins],
            yerr=[
                [max(0.0, one.prediction - one.lower) for one in bins],
                [max(0.0, one.upper - one.prediction) for one in bins],
            ],
            color=colour,
            marker=MARKERS[number],
            markersize=4.5,
            linewidth=1.4,
            capsize=2,
        )

    def draw(canvas: Canvas) -> None:
        _multiples(canvas, analysis, one_run)
        canvas.supxlabel("entropy of votes in bits", fontsize=9)
        canvas.supylabel("entropy of prediction in bits", fontsize=9)

    caption = (
        "Does the model know which clips are ambiguous? Entropy of predictions against entropy "
        "of votes, with means and quartiles by bin; on the dashed line they are equal"
        f"{_best(analysis)}"
    )
    return drawn(f"{analysis.slug}-entropy", caption, _multiples_size(analysis), draw)


def reliability_figure(analysis: Analysis) -> Figure:
    """Confidence against the share of annotators who agree."""

    def one_run(axes: Axes, run: LoggedRun, number: int) -> None:
        bins = [one for one in reliability(run) if one.utterances]
        largest = max(one.utterances for one in bins)
        axes.bar(
            [(one.low + one.high) / 2 for one in bins],
            [0.25 * one.utterances / largest for one in bins],
            width=[0.9 * (one.high - one.low) for one in bins],
            color=GREY,
            alpha=0.35,
        )
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        axes.plot(
            [one.confidence for one in bins],
            [one.correctness for one in bins],
            color=COLOURS[number],
            marker=MARKERS[number],
            markersize=4.5,
            linewidth=1.4,
        )
        ece = analysis.scores.runs[run.run.name]["ece"].value
        axes.text(0.03, 0.95, f"ece {ece:.3f}", transform=axes.transAxes, va="top")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)

    def draw(canvas: Canvas) -> None:
        _multiples(canvas, analysis, one_run)
        canvas.supxlabel("confidence: largest probability", fontsize=9)
        canvas.supylabel("share of annotators who agree", fontsize=9)

    caption = (
        "Reliability: below the dashed line a model is surer than the annotators confirm; grey "
        f"bars show how many utterances a bin has{_best(analysis)}"
    )
    return drawn(f"{analysis.slug}-reliability", caption, _multiples_size(analysis), draw)


# --- compute and failures ------------------------------------------------------------------------


def compute_figure(analysis: Analysis) -> Figure:
    """Quality against draws, tokens and seconds, as far as they are known."""
    metric = analysis.per_utterance
    costs = analysis.costs
    shown = analysis.shown
    texts, _ = _texts(analysis, shown, _THIRD)
    panels = ["candidates per utterance", "generated tokens per utterance"]
    if any(costs[one.run.name].seconds for one in shown):
        panels.append("seconds per utterance")

    def draw(canvas: Canvas) -> None:
        row = canvas.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for number, one in enumerate(shown):
            name = one.run.name
            taken, score = costs[name], analysis.scores.runs[name][metric.name].value
            points = analysis.curves.get(name, ())
            along: list[list[float]] = [
                [p.draws for p in points],
                [p.tokens for p in points if p.tokens],
                [seconds for p in points if (seconds := taken.seconds_of(p.draws))],
            ]
            ends = [taken.candidates, taken.tokens, taken.seconds]
            for axes, line, end in zip(row, along, ends, strict=False):
                colour = COLOURS[number]
                if line and len(line) == len(points):
                    axes.plot(line, [p.subset for p in points], color=colour, linewidth=1.4)
                if end:  # not unknown, and not 0, which has no place on such an axis
                    axes.plot(
                        [end],
                        [score],
                        color=colour,
                        marker=MARKERS[number],
                        markersize=6,
                        linestyle="none",
                    )
            row[0].plot(
                [],
                [],
                color=COLOURS[number],
                marker=MARKERS[number],
                linewidth=1.4,
                label=texts[number],
            )
        for axes, name in zip(row, panels, strict=True):
            log_axis(axes)
            axes.set_xlabel(name)
            grid(axes)
        row[0].set_ylabel(_direction(metric))
        legend(canvas, len(shown))

    bound = ", whose seconds are a lower bound" if panels[2:] else ""
    caption = (
        f"{metric.name} against compute: marks are the runs, lines the mean over choices of their "
        f"sampled draws{bound}{_best(analysis)}"
    )
    height = 3.0 + _legend_height(analysis)
    return drawn(f"{analysis.slug}-compute", caption, (_WIDTH, height), draw)


_MOST_KINDS = 7


def failure_figure(analysis: Analysis) -> Figure | None:
    """The share of candidates that could not be read, by kind; None where all could."""
    totals: dict[str, int] = {}
    for one in analysis.group.runs:
        for kind, count in one.failures.items():
            totals[kind] = totals.get(kind, 0) + count
    if not totals:
        return None
    kinds = sorted(totals, key=lambda kind: -totals[kind])
    groups = [[kind] for kind in kinds[: _MOST_KINDS - 1]]
    if rest := kinds[_MOST_KINDS - 1 :]:
        groups.append(rest)

    names, more = _texts(analysis, analysis.ordered, _BESIDE)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        rows = analysis.ordered
        left = np.zeros(len(rows))
        all_candidates = np.array([one.utterances.candidates.sum() for one in rows])
        for number, some in enumerate(groups):
            counts = [sum(one.failures.get(kind, 0) for kind in some) for one in rows]
            share = np.array(counts) / all_candidates
            label = some[0] if len(some) == 1 else "other kinds"
            axes.barh(
                range(len(rows)),
                share,
                left=left,
                color=COLOURS[number],
                label=label,
                height=0.7,
                edgecolor="white",
                linewidth=0.5,
            )
            left += share
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
        axes.set_xlabel("share of candidates that could not be read")
        grid(axes, "x")
        canvas.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)

    caption = "Candidates that could not be read, by kind"
    height = 1.3 + (_ROW + more) * len(names)
    return drawn(f"{analysis.slug}-failures", caption, (_WIDTH, height), draw)


# --- all corpora ---------------------------------------------------------------------------------


def matrix_figures(table: Table) -> list[Figure]:
    """A heat map of strategy x (corpus, model) for each metric of `tables.matrix_table`."""
    return [
        figure
        for place, name in enumerate(MATRIX_METRICS, start=len(table.columns) - len(MATRIX_METRICS))
        if (figure := _heat_map(table, name, place)) is not None
    ]


@dataclass(slots=True)
class _HeatRow:
    """A model on a corpus: strategy -> score."""

    corpus: str
    model: str
    reported: bool
    scores: dict[str, float] = field(default_factory=dict)


def _heat_rows(table: Table, place: int) -> list[_HeatRow]:
    """The rows that have a score, those of a corpus together."""
    rows: dict[tuple[str, str, bool], _HeatRow] = {}
    for one in table.rows:
        corpus, model, strategy, whose, *_ = map(str, one.cells)
        value = _number(one.cells[place])
        if value is not None:
            key = (corpus, model, whose == "reported")
            rows.setdefault(key, _HeatRow(*key)).scores[strategy] = value
    corpora = list(dict.fromkeys(row.corpus for row in rows.values()))
    return sorted(rows.values(), key=lambda row: corpora.index(row.corpus))


def _heat_map(table: Table, metric: str, place: int) -> Figure | None:
    rows = _heat_rows(table, place)
    if not rows:
        return None
    columns = sorted(
        {strategy for row in rows for strategy in row.scores},
        key=lambda name: (*strategy_place(name.partition(" ")[0]), name),
    )
    higher = get_metric(metric).higher_is_better
    names, more = _in_lines(
        [f"{row.corpus}: {row.model}{', reported' * row.reported}" for row in rows], _BESIDE
    )
    beside = 0.075 * max(len(line) for name in names for line in name.split("\n"))
    longest = max(map(len, columns))
    upright = longest > 8 or len(columns) > len(COLOURS)  # noqa: PLR2004 - as wide as a score

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        shades = [_shades(row, rows, higher_is_better=higher) for row in rows]
        axes.imshow(
            [[shade.get(name, np.nan) for name in columns] for shade in shades],
            cmap="cividis",
            vmin=0,
            vmax=1,
            aspect="auto",
        )
        for y, (row, shade) in enumerate(zip(rows, shades, strict=True)):
            for x, name in enumerate(columns):
                _heat_text(axes, (x, y), row.scores.get(name), shade.get(name))
        axes.set_xticks(range(len(columns)), columns, rotation=90 if upright else 0)
        axes.set_yticks(range(len(rows)), names)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_title(_direction(get_metric(metric)), loc="left")

    caption = f"{metric} by strategy, corpus and model; lighter is better, among runs on a corpus"
    if any(row.reported for row in rows):
        caption += "; numbers reported by others are not ours, and have no colour"
    width = max(_WIDTH + 0.4, 0.2 + beside + _CELL * len(columns))
    height = 1.0 + (0.32 + more) * len(rows) + (0.075 * longest if upright else 0)
    return drawn(f"matrix-{metric}", caption, (width, height), draw)


def _shades(row: _HeatRow, rows: Sequence[_HeatRow], *, higher_is_better: bool) -> dict[str, float]:
    """Strategy -> 0 for the worst measured score on the corpus, up to 1 for the best.

    Scores on other corpora, and those of others, do not compare with them.
    """
    if row.reported:
        return {}
    beside = [
        value
        for other in rows
        if other.corpus == row.corpus and not other.reported
        for value in other.scores.values()
    ]
    low, high = min(beside), max(beside)
    if low == high:
        return dict.fromkeys(row.scores, 0.5)
    return {
        name: (value - low if higher_is_better else high - value) / (high - low)
        for name, value in row.scores.items()
    }


def _heat_text(
    axes: Axes, place: tuple[int, int], value: float | None, shade: float | None
) -> None:
    """A score, in what is seen on its colour."""
    text = NOTHING if value is None else f"{value:.3f}"
    colour = INK
    if value is None:
        colour = GREY
    elif shade is not None:
        dark = np.dot(mpl.colormaps["cividis"](shade)[:3], (0.2126, 0.7152, 0.0722)) < _DARK
        colour = "white" if dark else "black"
    style = "normal" if shade is not None else "italic"
    axes.text(*place, text, ha="center", va="center", fontsize=8, color=colour, style=style)


def _number(cell: Cell) -> float | None:
    value = cell.value if isinstance(cell, Score) else cell
    return float(value) if isinstance(value, float) and not np.isnan(value) else None
