"""`ambi compare`: are runs different, by which metric, and how sure is that?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from rich.table import Table
from rich.text import Text

from ambi_tasks.cli.console import new_console, new_table, progress_bar, user_errors
from ambi_tasks.errors import UserError
from ambi_tasks.metrics import Metric, get_metric
from ambi_tasks.report.comparable import check_comparable
from ambi_tasks.report.logged_run import LoggedRun, read_run
from ambi_tasks.report.naming import short_names
from ambi_tasks.report.sample_log import TaskLog, find_logs
from ambi_tasks.report.table import p_text
from ambi_tasks.statistics import Comparison, compare_runs
from ambi_tasks.statistics.bootstrap import RESAMPLES
from ambi_tasks.statistics.paired import ALPHA, Difference

_PAIR = 2

Signs: TypeAlias = Mapping[str, str]


def compare(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="A B...",
            help="Sample logs, results files or folders of `lm_eval --log_samples --output_path`; "
            "two runs or more in all.",
        ),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="May be given often.  [default: all for two runs, js for more]"
        ),
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Compare on the utterances that all runs have.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 1234,
    resamples: Annotated[int, typer.Option(min=100, help="Of the speakers.")] = RESAMPLES,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Compare runs on the same utterances, pair by pair (docs/statistics.md).

    Differences are the first run minus the second. With more than two runs, p-values are corrected
    over all pairs, for each metric on its own.
    """
    with user_errors():
        names = None if metric is None else [get_metric(name).name for name in metric]
        logs, skipped = _logs(results)
        runs = _read(logs)
        check_comparable(runs, metrics=names, common=common)
        metrics = _chosen(runs, names)
        found = compare_runs(
            [one.run for one in runs],
            seed=seed,
            metrics=metrics,
            common=common,
            resamples=resamples,
        )
    if as_json:
        typer.echo(json.dumps(_content(found), indent=2))
        return
    console = new_console()
    console.print(*skipped, sep="\n", end="\n" * bool(skipped))
    signs = _signs([one.run.name for one in runs])
    if len(runs) == _PAIR:
        console.print(*(f"{sign} = {name}" for name, sign in signs.items()), sep="\n")
        console.print(_pair_table(found, metrics, signs))
    else:
        for chosen in metrics.values():
            console.print(_rank_table(found, chosen, signs))
            console.print(_pairs_table(found, chosen, signs))
    console.print(_summary(runs, found))


def _logs(paths: Sequence[Path]) -> tuple[list[TaskLog], list[str]]:
    """The logs of all paths, each file once."""
    found: dict[Path, TaskLog] = {}
    skipped: dict[str, None] = {}
    for path in paths:
        logs = find_logs(path)
        found |= {log.path.resolve(): log for log in logs.tasks}
        skipped |= dict.fromkeys(logs.skipped)
    if len(found) < _PAIR:
        (log,) = found.values()
        raise UserError(f"There is one run, {log.path}, so there is nothing to compare it with.")
    return list(found.values()), list(skipped)


def _read(logs: Sequence[TaskLog]) -> list[LoggedRun]:
    with progress_bar() as bar:
        watched = bar.track(
            zip(logs, short_names(logs), strict=True), len(logs), description="Logs"
        )
        return [read_run(log, name=name) for log, name in watched]


def _chosen(runs: Sequence[LoggedRun], names: Sequence[str] | None) -> dict[str, Metric]:
    """The metrics asked for that all runs have, with their options."""
    first = runs[0]
    known = {
        metric.name: metric
        for metric in first.run.metrics(first.metrics)
        if all(metric.needs in one.run.inputs for one in runs)
    }
    asked = names or (list(known) if len(runs) == _PAIR else ["js"])
    for name in asked:
        if name not in known:
            raise UserError(
                f"'{name}' cannot be computed for all of these runs; there are {', '.join(known)}."
            )
    return {name: known[name] for name in asked}


# --- what is printed -----------------------------------------------------------------------------


def _signs(names: Sequence[str]) -> dict[str, str]:
    """Run -> what stands for it in a table: names are long, and terminals narrow."""
    letters = len(names) == _PAIR
    return {name: "AB"[place] if letters else str(place + 1) for place, name in enumerate(names)}


def _pair_table(found: Comparison, metrics: Mapping[str, Metric], signs: Signs) -> Table:
    """Two runs: a row for each metric."""
    ((first, second),) = found.differences
    table = new_table("metric", *signs.values(), "A - B", *_ends(found), "p", "better")
    for column in table.columns[1:7]:
        column.justify = "right"
    for name, metric in metrics.items():
        difference = found.differences[first, second][name]
        table.add_row(
            f"{name} {_arrow(metric)}",
            f"{found.scores[first][name].value:.4f}",
            f"{found.scores[second][name].value:.4f}",
            *_cells(difference),
            p_text(difference.adjusted),
            _better(difference, (first, second), metric, signs),
        )
    return table


def _rank_table(found: Comparison, metric: Metric, signs: Signs) -> Table:
    name = f"{metric.name} {_arrow(metric)}"
    table = new_table("group", "rank", name, *_ends(found), "run")
    for column in table.columns[2:5]:
        column.justify = "right"
    for rank in found.ranks[metric.name]:
        score = found.scores[rank.name][metric.name]
        table.add_row(
            str(rank.group),
            str(rank.best) if rank.best == rank.worst else f"{rank.best} to {rank.worst}",
            f"{score.value:.4f}",
            f"{score.low:.4f}",
            f"{score.high:.4f}",
            f"{signs[rank.name]} = {rank.name}",
        )
    return table


def _pairs_table(found: Comparison, metric: Metric, signs: Signs) -> Table:
    """Many runs: a row for each pair."""
    difference = f"difference in {metric.name}"
    table = new_table("runs", difference, *_ends(found), "p", "p by Holm", "better")
    for column in table.columns[1:6]:
        column.justify = "right"
    for pair, by_metric in found.differences.items():
        one = by_metric[metric.name]
        table.add_row(
            " - ".join(signs[name] for name in pair),
            *_cells(one),
            p_text(one.p),
            p_text(one.adjusted),
            _better(one, pair, metric, signs),
        )
    return table


def _arrow(metric: Metric) -> str:
    return "↑" if metric.higher_is_better else "↓"


def _ends(found: Comparison) -> tuple[str, str]:
    """Heads of the columns that hold an interval."""
    return f"{found.level:.0%} from", "to"


def _cells(difference: Difference) -> list[str]:
    return [f"{one:+.4f}" for one in (difference.value, difference.low, difference.high)]


def _better(difference: Difference, pair: tuple[str, str], metric: Metric, signs: Signs) -> Text:
    if not difference.adjusted <= ALPHA:  # NaN, where a run has no value, tells nothing apart
        return Text("-", style="dim")
    return Text(signs[pair[(difference.value > 0) != metric.higher_is_better]], style="green")


def _summary(runs: Sequence[LoggedRun], found: Comparison) -> str:
    corpus = runs[0].corpus
    left = {name: count for name, count in found.left_out.items() if count}
    return (
        f"{corpus.name}: {found.utterances:,} utterances of {found.speakers:,} speakers, "
        f"{found.resamples:,} resamples of the speakers, seed {found.seed}. A better one is named "
        f"where p{' by Holm' * (len(runs) > _PAIR)} is at most {ALPHA}."
        + "".join(f"\n{name}: {count:,} utterances left out." for name, count in left.items())
    )


def _content(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON has it: no tuples as keys, null where there is no number."""
    content = asdict(found)
    content["differences"] = [
        {"first": first, "second": second, "metrics": by_metric}
        for (first, second), by_metric in content["differences"].items()
    ]
    cleaned: dict[str, Any] = _without_nan(content)
    return cleaned


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN
