"""`ambi doctor`: does a model hear, and does its adapter keep what it promises?"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ambi_tasks.cli.console import new_console, new_table, user_errors
from ambi_tasks.corpora import get_corpus
from ambi_tasks.doctor.record import Examination, Verdict, find, save
from ambi_tasks.errors import UserError

if TYPE_CHECKING:
    from ambi_tasks.doctor.costs import Cost

EXIT_CODES: dict[Verdict, int] = {"healthy": 0, "fails": 1, "deaf": 1, "warnings": 2}

_NOT_EXAMINED = 1
_STYLES = {"ok": "green", "warning": "yellow", "fail": "bold red"}
_VERDICT_STYLES = {
    "healthy": "green",
    "warnings": "yellow",
    "fails": "bold red",
    "deaf": "bold red",
}
_DEFAULT_BATCH = "8"
_HEAD_WIDTH = 8


def doctor(
    model: Annotated[str, typer.Option(metavar="NAME", help="As for lm_eval.")],
    model_args: Annotated[
        str, typer.Option("--model_args", metavar="ARGS", help="As for lm_eval.")
    ] = "",
    batch_size: Annotated[
        str, typer.Option("--batch_size", metavar="N", help="As for lm_eval.")
    ] = _DEFAULT_BATCH,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="As for lm_eval.")] = None,
    clips: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder of clips, in place of 8 of the demo corpus."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the record there as well.")
    ] = None,
) -> None:
    """Examine a model: whether it hears, repeats itself, can be read, and what runs would cost.

    The exit code is 0 for a healthy model, 1 if anything fails, 2 if there are warnings
    (docs/doctor.md). The record is kept, and goes into the results of later runs of this model.
    """
    with user_errors(_NOT_EXAMINED):
        examination, costs = _examine(model, model_args, batch_size, device, clips)
        kept = save(examination)
        if json:
            _write(json, examination)
    console = new_console()
    _print(console, examination, costs)
    console.print(_about_record(examination, kept))
    raise typer.Exit(EXIT_CODES[examination.verdict])


def _examine(
    model: str, model_args: str, batch_size: str, device: str | None, clips: Path | None
) -> tuple[Examination, list["Cost"]]:
    from lm_eval.utils import simple_parse_args_string  # noqa: PLC0415 - torch is slow

    from ambi_tasks.doctor.costs import measure  # noqa: PLC0415
    from ambi_tasks.doctor.examination import examine  # noqa: PLC0415
    from ambi_tasks.doctor.stimuli import clips_in, demo_clips  # noqa: PLC0415
    from model_adapters.harness import model_class  # noqa: PLC0415

    heard = clips_in(clips) if clips else demo_clips()
    labels = get_corpus("demo").label_rule.classes
    given: dict[str, Any] = simple_parse_args_string(model_args)
    sizes: dict[str, Any] = {"batch_size": _number(batch_size), "device": device}
    lm = model_class(model).create_from_arg_obj(given | {"keep_draws": False}, sizes)
    earlier = find(lm.backend.fingerprint())
    with _steps() as say:
        examination = examine(lm, heard, labels, batch_size=batch_size, earlier=earlier, watch=say)
        costs = []
        for cost in measure(lm, heard, labels):
            say(f"Strategies: {cost.strategy}")
            costs.append(cost)
    return examination, costs


def _number(batch_size: str) -> int | str:
    return int(batch_size) if batch_size.isdecimal() else batch_size


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """A line on standard error that says what is going on, where somebody watches."""
    console = new_console(stderr=True)
    with console.status("Loading the model") as status:
        yield status.update


def _write(path: Path, examination: Examination) -> None:
    try:
        path.write_text(examination.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}).") from error


# --- the page ------------------------------------------------------------------------------------


def _print(console: Console, examination: Examination, costs: Sequence["Cost"]) -> None:
    console.print(
        f"{examination.model_name} ({examination.adapter}), "
        f"{_described(examination)}{len(examination.clips)} clips, "
        f"batch size {examination.batch_size}, judged by {examination.evidence}."
    )
    table = new_table("check", "", "what was found")
    for check in examination.checks:
        table.add_row(check.name, Text(check.verdict, _STYLES[check.verdict]), check.sentence)
    console.print(table)
    console.print(_costs_table(costs))
    for cost in costs:
        if cost.why_not:
            console.print(f"{cost.strategy} cannot be run: {cost.why_not}")
    console.print(_conclusion(examination))


def _described(examination: Examination) -> str:
    known = (examination.model.get(name) for name in ("model_dtype", "model_device"))
    return "".join(f"{value}, " for value in known if value)


def _costs_table(costs: Sequence["Cost"]) -> Table:
    from ambi_tasks.doctor.costs import corpus_sizes  # noqa: PLC0415 - torch is slow

    sizes = corpus_sizes()
    heads = [f"{_folded(name)}\n{size:,}" for name, size in sizes.items()]
    table = new_table("strategy", "s", "tokens", "tokens\n/s", "GB", *heads)
    table.title = "Per utterance, and hours:minutes for all utterances of a corpus"
    table.title_justify = "left"
    table.padding = (0, 1, 0, 0)  # for a terminal of 80 columns
    for column in table.columns[1:]:
        column.justify = "right"
    for cost in costs:
        if cost.seconds is None:
            table.add_row(cost.strategy, *("-" for _ in table.columns[1:]))
            continue
        rate = cost.tokens / cost.seconds
        table.add_row(
            cost.strategy,
            f"{cost.seconds:.3f}",
            f"{cost.tokens:,.0f}",
            f"{rate:,.0f}",
            f"{cost.memory / 1e9:.1f}",
            *(_hours(size * cost.seconds) for size in sizes.values()),
        )
    return table


def _folded(name: str) -> str:
    return name.replace("_", "_\n") if len(name) > _HEAD_WIDTH else f"{name}\n"


def _hours(seconds: float) -> str:
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours:,}:{minutes:02}"


def _conclusion(examination: Examination) -> Text:
    verdict = examination.verdict
    if verdict == "healthy":
        return Text("Healthy: it hears, and nothing is amiss.", _VERDICT_STYLES[verdict])
    failed, warned = (
        ", ".join(check.name for check in examination.checks if check.verdict == one)
        for one in ("fail", "warning")
    )
    parts = [f"fails: {failed}" if failed else "", f"warnings: {warned}" if warned else ""]
    if examination.check("answers_vary").verdict == "fail":
        head = "It gives one answer to everything"
    elif verdict == "deaf":
        head = "It does not hear: whatever is played, it answers the same"
    elif failed:
        head = "Not fit for the benchmark"
    else:
        head = "Fit for the benchmark, with care"
    return Text(f"{head}; {'; '.join(part for part in parts if part)}.", _VERDICT_STYLES[verdict])


def _about_record(examination: Examination, kept: Path | None) -> str:
    if kept is None:
        return (
            f"{examination.adapter} gives this model no fingerprint, so the record is not kept, "
            f"and results of its runs will say that it was not examined."
        )
    return f"Record: {kept}"
