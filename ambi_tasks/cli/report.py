"""`ambi report`: a page, figures and tables about runs."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ambi_tasks.cli.console import DIFFERENCE_FOUND, new_console, progress_bar, user_errors
from ambi_tasks.report.extremes import Audio
from ambi_tasks.report.sample_log import find_logs


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS...",
            help="Folders that `lm_eval --log_samples --output_path` wrote, or files of them.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the report goes.")
    ] = Path("report"),
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="What runs are ordered and drawn by.")
    ] = "js",
    audio: Annotated[
        Audio,
        typer.Option(
            help="Players of the shown utterances: link to your files, embed the sound in the page "
            "(check the corpus's licence), or none."
        ),
    ] = "link",
    seed: Annotated[int, typer.Option(min=0, help="Of resamples, splits and choices.")] = 1234,
    resamples: Annotated[int, typer.Option(min=100, help="Of the speakers.")] = 10_000,
) -> None:
    """Write a page, figures and tables about runs (docs/report.md).

    Runs that do not compare stand apart; what cannot be read is left out and named, and then the
    exit code is 1.
    """
    with user_errors():
        # matplotlib is slow to import
        from ambi_tasks.report.analysis import Settings  # noqa: PLC0415
        from ambi_tasks.report.build import build_report, merge_logs  # noqa: PLC0415

        logs = merge_logs([find_logs(path, set_apart=True) for path in results])
        with progress_bar() as bar:
            task = bar.add_task("Logs", total=None)

            def step(what: str, done: int, total: int) -> None:
                bar.update(task, description=what, completed=done, total=total)

            built = build_report(
                logs,
                output,
                Settings(metric, seed, resamples, audio),
                workers=os.cpu_count() or 1,
                step=step,
            )
    console = new_console()
    for sentence in (*logs.skipped, *built.apart):
        console.print(sentence)
    for sentence in built.left_out:
        console.print(Text(f"Left out: {sentence}", style="bold red"))
    console.print(
        f"Written: {built.page}, about {built.runs} run{'s' * (built.runs != 1)}; "
        f"{built.figures} figures (PNG, SVG) and {built.tables} tables (CSV, LaTeX) beside it."
    )
    if built.left_out:
        raise typer.Exit(DIFFERENCE_FOUND)
