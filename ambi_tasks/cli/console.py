"""What the subcommands share: how they print, and how they say that the user is mistaken."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ambi_tasks.errors import UserError

DIFFERENCE_FOUND, USAGE_ERROR = 1, 2
"""Exit codes: what was looked at is not as it should be; nothing could be looked at."""


@contextmanager
def user_errors(exit_code: int = USAGE_ERROR) -> Iterator[None]:
    """Say a user's mistake in its sentence, without a traceback."""
    try:
        yield
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(exit_code) from error


def new_console(*, stderr: bool = False) -> Console:
    """A console that prints names and paths as they are: `[a]` is no markup, `:a:` no emoji."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def new_table(*columns: str, lines: bool = False) -> Table:
    """A table that folds long cells: a path that is cut cannot be copied."""
    table = Table(box=box.SIMPLE_HEAD, show_lines=lines, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def progress_bar() -> Progress:
    """A bar on standard error, where somebody watches."""
    console = new_console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def run_metadata(name: str, root: str | None, text: str | None) -> dict[str, Any]:
    """What a run's `--metadata` would be.

    Args:
        name: A corpus.
        root: Where its copy lies, None where that is not said.
        text: JSON.

    Raises:
        UserError: The text is no JSON object.
    """
    try:
        metadata = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise UserError(f"--metadata is not JSON ({error}).") from error
    if not isinstance(metadata, dict):
        raise UserError('--metadata is a JSON object like \'{"label_rule": "default"}\'.')
    return metadata | ({f"{name}_root": root} if root else {})
