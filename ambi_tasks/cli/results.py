"""`ambi rescore` and `ambi curve`: what can be said of a run from its results and log alone."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.table import Table
from rich.text import Text

from ambi_tasks.cli.console import (
    DIFFERENCE_FOUND,
    new_console,
    new_table,
    progress_bar,
    user_errors,
)
from ambi_tasks.errors import UserError
from ambi_tasks.metrics import Metric
from ambi_tasks.report import curve as numbers
from ambi_tasks.report.curve import Point
from ambi_tasks.report.naming import short_names
from ambi_tasks.report.rescore import Comparison, Rescored, Value
from ambi_tasks.report.rescore import rescore as score_again
from ambi_tasks.report.sample_log import LoggedUtterance, TaskLog, find_logs

_DIFFERENCES_SHOWN = 5
_CSV_COLUMNS = (
    "task",
    "model",
    "run",
    "metric",
    "draws",
    "tokens",
    "prefix_score",
    "subset_score",
    "subsets",
    "subsets_are",
    "utterances",
)

Curves: TypeAlias = Sequence[tuple[TaskLog, Sequence[Point]]]

Results = Annotated[
    Path,
    typer.Argument(
        metavar="RESULTS",
        help="The folder that `lm_eval --log_samples --output_path` wrote, or one file of it.",
    ),
]


# --- rescore -------------------------------------------------------------------------------------


def rescore(results: Results) -> None:
    """Score a run again from its log alone, and compare with what it reported.

    The exit code is 1 where anything differs.
    """
    with user_errors():
        logs = find_logs(results)
        with watched() as watch:
            scored = [score_again(log, watch(log)) for log in logs.tasks]
    console = new_console()
    console.print(*logs.skipped, sep="\n", end="\n" * bool(logs.skipped))
    for one in scored:
        console.print(_scores_table(one))
    console.print(_rescore_verdict(scored))
    if not all(one.agrees for one in scored):
        raise typer.Exit(DIFFERENCE_FOUND)


def _scores_table(scored: Rescored) -> Table:
    table = new_table("metric", "logged", "recomputed", "agrees")
    table.title = f"{scored.log.task}, {scored.log.model}, {scored.log.time}"
    table.title_justify = "left"
    for one in scored.scores:
        if one.agrees is True and one.metric.endswith("_stderr"):
            continue
        table.add_row(one.metric, _shown(one.logged), _shown(one.recomputed), _agreement(one))
    return table


def _shown(value: Value | None) -> str:
    """Every digit: what differs may differ in the last alone."""
    return "-" if value is None else str(value)


def _agreement(one: Comparison) -> Text:
    if one.agrees is None:
        return Text("not reported", style="yellow")
    return Text("yes", style="green") if one.agrees else Text("no", style="bold red")


def _rescore_verdict(scored: Sequence[Rescored]) -> Text:
    wrong = [
        f"{one.log.path.name}: {name.metric} is {_shown(name.logged)} in the results, "
        f"{_shown(name.recomputed)} recomputed."
        for one in scored
        for name in one.scores
        if name.agrees is False
    ]
    lines = [line for one in scored for line in one.differences]
    if not wrong and not lines:
        compared = sum(name.agrees is True for one in scored for name in one.scores)
        utterances = sum(one.utterances for one in scored)
        if not compared:
            return Text(
                f"{utterances:,} utterances were scored. The results report no score to compare "
                f"with, as after --predict_only.",
                style="yellow",
            )
        return Text(
            f"All agrees to the last digit: {compared} scores and standard errors of "
            f"{len(scored)} task{'s' * (len(scored) != 1)}, and those of each of {utterances:,} "
            f"utterances.",
            style="green",
        )
    left = len(lines) - _DIFFERENCES_SHOWN
    more = [f"and {left:,} more utterances."] if left > 0 else []
    total = (
        f"The results do not follow from the log: {len(wrong)} scores and {len(lines)} utterances "
        f"differ."
    )
    return Text("\n".join([*wrong, *lines[:_DIFFERENCES_SHOWN], *more, total]), style="bold red")


# --- curve ---------------------------------------------------------------------------------------


def curve(
    results: Results,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where curve.csv and .png go.")
    ] = Path("curve"),
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="May be given often.  [default: js]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the choices of draws at random.")] = 1234,
) -> None:
    """Quality against draws and generated tokens, from a run of many draws, generating nothing.

    Each n = 1, 2, 4, ..., N of a run's N sampled draws is scored twice: its first n draws, and the
    mean over choices of n draws (docs/results.md).
    """
    with user_errors():
        metrics = numbers.curve_metrics(metric or ["js"])
        logs = find_logs(results)
        curves: list[tuple[TaskLog, Sequence[Point]]] = []
        chosen: list[tuple[TaskLog, list[Metric]]] = []
        without: list[str] = []
        with watched() as watch:
            for log in logs.tasks:
                first = next(log.utterances())
                if reason := numbers.why_no_curve(first.settings):
                    without.append(f"{log.task} has no curve: {reason}.")
                    continue
                chosen.append((log, _with_options(log, metrics)))
                _check_options(chosen)
                points = numbers.curve(numbers.read_pool(watch(log)), chosen[-1][1], seed)
                curves.append((log, points))
        if not curves:
            raise UserError(f"{results}: nothing has a curve. {' '.join(dict.fromkeys(without))}")
        written = _write_curves(curves, output)
    console = new_console()
    console.print(_curve_table(curves))
    for sentence in [*logs.skipped, *without, *_about_tokens(curves), *written]:
        console.print(sentence)


def _with_options(log: TaskLog, metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics as the run was scored with them."""
    known = log.metrics()
    return [known[metric.name] for metric in metrics]


def _check_options(chosen: Sequence[tuple[TaskLog, Sequence[Metric]]]) -> None:
    """Refuse a run whose curve would stand beside those of other options."""
    (first, ours), (last, theirs) = chosen[0], chosen[-1]
    for one, other in zip(ours, theirs, strict=True):
        if one.options != other.options:
            raise UserError(
                f"{first.path} and {last.path} were scored with other options of {one.name}, so "
                f"their curves do not compare: {one.options} in the one, {other.options} in the "
                f"other."
            )


def _write_curves(curves: Curves, folder: Path) -> list[str]:
    from ambi_tasks.report.curve_plot import draw_curves  # noqa: PLC0415 - matplotlib is slow

    table, picture = folder / "curve.csv", folder / "curve.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with table.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(_CSV_COLUMNS)
            rows.writerows(_csv_rows(curves))
        draw_curves(dict(_named(curves)), picture)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error}).") from error
    return [f"Written: {table}, {picture}"]


def _csv_rows(curves: Curves) -> Iterator[tuple[object, ...]]:
    for log, points in curves:
        for point in points:
            yield (
                log.task,
                log.model,
                log.time,
                point.metric,
                point.draws,
                "" if point.tokens is None else point.tokens,
                point.prefix,
                point.subset,
                point.subsets,
                "all" if point.exhaustive else "random",
                point.utterances,
            )


def _named(curves: Curves) -> list[tuple[str, Sequence[Point]]]:
    names = short_names([log for log, _ in curves])
    return [(name, points) for name, (_, points) in zip(names, curves, strict=True)]


def _about_tokens(curves: Curves) -> list[str]:
    return [
        f"{name}: its log has no numbers of tokens, so it is drawn against draws alone."
        for name, points in _named(curves)
        if points[0].tokens is None
    ]


def _curve_table(curves: Curves) -> Table:
    table = new_table("curve", "metric", "draws", "tokens", "first n", "choices of n", "choices")
    for column in table.columns[2:]:
        column.justify = "right"
    for name, points in _named(curves):
        for number, point in enumerate(points):
            table.add_row(
                name if number == 0 else "",
                point.metric,
                str(point.draws),
                "-" if point.tokens is None else f"{point.tokens:,.1f}",
                f"{point.prefix:.4f}",
                f"{point.subset:.4f}",
                f"{'all' if point.exhaustive else 'random'} {point.subsets:,}",
                end_section=number == len(points) - 1,
            )
    return table


# --- both ----------------------------------------------------------------------------------------


@contextmanager
def watched() -> Iterator[Callable[[TaskLog], Iterable[LoggedUtterance]]]:
    """What hands out the utterances of a log, and moves a bar."""
    with progress_bar() as bar:
        yield lambda log: bar.track(log.utterances(), total=log.size, description=log.task)
