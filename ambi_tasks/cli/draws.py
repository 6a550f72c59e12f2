"""`ambi draws`: what the store of finished draws holds, and what is to be done with it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from ambi_tasks.cli.console import new_console, new_table, user_errors
from ambi_tasks.errors import UserError, nearest
from model_adapters.draw_store import store_path
from model_adapters.store_upkeep import Holdings, answers, holdings, merge, open_store, prune

_FINGERPRINT_SHOWN = 12
_ROWS_AT_ONCE = 10_000

app = typer.Typer(add_completion=False)

Store = Annotated[
    Path | None,
    typer.Option("--store", metavar="FILE", help="The store, instead of the one in AMBI_CACHE."),
]
Model = Annotated[
    str | None, typer.Option(metavar="NAME", help="This model alone, as `ambi draws` names it.")
]


@app.callback(invoke_without_command=True)
def draws(context: typer.Context) -> None:
    """See which draws are kept, take them elsewhere, add another machine's, delete them."""
    if context.invoked_subcommand is None:
        list_draws()


@app.command("list")
def list_draws(store: Store = None) -> None:
    """List what is kept of each model, and the size of the file."""
    with user_errors():
        path = store or store_path()
        with open_store(path) as connection:
            found = holdings(connection)
    table = new_table("model", "fingerprint", "questions", "draws", "scores", "tokens", "asked")
    for column in table.columns[2:6]:
        column.justify = "right"
    for one in found:
        counts = (one.questions, one.draws, one.scores, one.tokens)
        shown = one.fingerprint[:_FINGERPRINT_SHOWN]
        asked = one.first if one.first == one.last else f"{one.first}\n{one.last}"
        table.add_row(one.model, shown, *(f"{count:,}" for count in counts), asked)
    new_console().print(table, f"{path}: {path.stat().st_size / 1e6:,.1f} MB.", sep="")


@app.command()
def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A Parquet file to write.")],
    model: Model = None,
    store: Store = None,
) -> None:
    """Write every draw and scored answer, with what was asked, as a table in Parquet."""
    with user_errors():
        path = store or store_path()
        with open_store(path) as connection:
            _chosen(connection, model)
            written = _write_parquet(connection, model, target)
    typer.echo(f"{written:,} rows written to {target}.")


@app.command("merge")
def merge_store(
    other: Annotated[Path, typer.Argument(metavar="FILE", help="Another machine's store.")],
    store: Store = None,
) -> None:
    """Add what another machine's store holds; where both hold a draw, the one here stays."""
    with user_errors():
        path = store or store_path()
        with open_store(path) as connection:
            merged = merge(connection, other)
    typer.echo(
        f"{merged.added:,} added, {merged.known:,} were here already; {merged.differing:,} are "
        f"here with another content, and were left as they are."
    )


@app.command("prune")
def prune_store(
    model: Model = None,
    outdated: Annotated[
        bool, typer.Option(help="Of each model, all but what was asked of last.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete; else only say what would go.")
    ] = False,
    store: Store = None,
) -> None:
    """Delete what is kept of a model, or of models as they were before they changed."""
    with user_errors():
        path = store or store_path()
        if model is None and not outdated:
            raise UserError("Say what may go: --model NAME, --outdated, or both.")
        with open_store(path) as connection:
            going = _chosen(connection, model)
            if outdated:
                last = {one.model: one.fingerprint for one in going}
                going = [one for one in going if one.fingerprint != last[one.model]]
            count = sum(one.draws + one.scores for one in going)
            if yes:
                prune(connection, [one.fingerprint for one in going])
    done = "deleted" if yes else "would be deleted; repeat with --yes"
    typer.echo(f"{count:,} draws and scores of {len(going)} fingerprint(s) {done}.")


def _chosen(connection: sqlite3.Connection, model: str | None) -> list[Holdings]:
    """What is held of a model, or of all, the latest last.

    Raises:
        UserError: Nothing is held of that model.
    """
    found = holdings(connection)
    names = {one.model for one in found}
    if model is not None and model not in names:
        raise UserError(f"Nothing is kept of a model '{model}'; {nearest(model, names)}")
    return [one for one in found if model in (None, one.model)]


def _write_parquet(connection: sqlite3.Connection, model: str | None, target: Path) -> int:
    import pyarrow as pa  # noqa: PLC0415 - other subcommands do without
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("kind", "model", "fingerprint", "question")),
            ("started", pa.string()),
            ("draw_index", pa.int64()),
            ("text", pa.string()),
            ("log_likelihood", pa.float64()),
            ("tokens", pa.int64()),
            ("finish_reason", pa.string()),
            ("sampling_log_likelihood", pa.float64()),
            ("greedy", pa.bool_()),
        ]
    )
    written = 0
    rows = answers(connection, model)
    with _writable(target), pq.ParquetWriter(target, schema) as writer:
        while some := list(islice(rows, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
            written += len(some)
    return written


@contextmanager
def _writable(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{target} cannot be written ({error}).") from error
