"""`ambi board`: what the leaderboard is made of, besides the submissions of others."""

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from ambi_tasks.cli.console import new_console, progress_bar, run_metadata, user_errors
from ambi_tasks.cli.corpora import MetadataJson, Root
from ambi_tasks.errors import UserError

if TYPE_CHECKING:
    from ambi_tasks.leaderboard.board import Board

app = typer.Typer(no_args_is_help=True, add_completion=False)

BoardFolder = Annotated[
    Path,
    typer.Option("--board", metavar="DIR", help="The folder that holds submissions/."),
]
DEFAULT_BOARD = Path("leaderboard")


@app.callback()
def board() -> None:
    """Make the leaderboard's pages, references and schema, and export its entries."""


@app.command()
def build(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Where to; a site there is replaced."),
    ] = Path("site"),
    metadata: Annotated[
        str | None,
        typer.Option(
            "--metadata",
            metavar="JSON",
            help="Where corpora lie, as for lm_eval; or CREMA_D_ROOT and its like.",
        ),
    ] = None,
    board: BoardFolder = DEFAULT_BOARD,
) -> None:
    """Make the static site of a board (docs/leaderboard.md), its exports included.

    It opens from a folder or any file server, and asks nothing of any network. Scores are
    recomputed where a corpus's votes are at hand, and self-reported elsewhere.
    """
    from ambi_tasks.leaderboard.site.build import build_site  # noqa: PLC0415 - numpy is slow

    with user_errors(), progress_bar() as bar:
        found = _read(board, metadata, bar)
        task = bar.add_task("Scores", total=len(found.entries))
        built = build_site(found, board, output, step=lambda: bar.advance(task))
    for finding in found.refused:
        new_console(stderr=True).print(f"refused: {finding}")
    new_console().print(
        f"Written: {built.index} and {built.pages - 1} more pages. The board has {built.entries} "
        f"entries; {len(found.refused) or 'no'} faults keep others from it."
    )


@app.command()
def references(
    name: Annotated[str, typer.Argument(metavar="CORPUS", help="A corpus of the board.")],
    by: Annotated[str, typer.Option("--by", help="Who stands for them; public.")],
    contact: Annotated[str, typer.Option(help="Where questions reach them; public.")],
    root: Root = None,
    metadata: MetadataJson = None,
    board: BoardFolder = DEFAULT_BOARD,
) -> None:
    """Write the references of a corpus: both floors and the human ceiling, from its votes."""
    from ambi_tasks.leaderboard import references as made  # noqa: PLC0415 - numpy is slow
    from ambi_tasks.leaderboard.making import make_submitter  # noqa: PLC0415
    from ambi_tasks.leaderboard.writing import write_submission  # noqa: PLC0415

    with user_errors():
        run = run_metadata(name, root, metadata)
        submitter = make_submitter(name=by, contact=contact)
        written = [
            write_submission(board, submission, tables)
            for submission, tables in made.reference_submissions(name, submitter, run)
        ]
    for folder in written:
        new_console().print(f"Written: {folder}")


@app.command()
def schema(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As tables for people, field by field.")
    ] = False,
) -> None:
    """Print the JSON Schema of a submission."""
    from ambi_tasks.leaderboard.documentation import fields_markdown  # noqa: PLC0415
    from ambi_tasks.leaderboard.submission import json_schema  # noqa: PLC0415

    typer.echo(fields_markdown().rstrip() if markdown else json.dumps(json_schema(), indent=2))


@app.command()
def manifest(
    name: Annotated[str, typer.Argument(metavar="CORPUS", help="A corpus of the board.")],
    root: Root = None,
    metadata: MetadataJson = None,
) -> None:
    """Print what is checked of a corpus's utterances where nobody has its votes."""
    from ambi_tasks.leaderboard.manifests import manifest_of  # noqa: PLC0415

    with user_errors():
        found = manifest_of(name, run_metadata(name, root, metadata))
    typer.echo(json.dumps(found, indent=2))


@app.command()
def export(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the files go.")
    ],
    dataset: Annotated[
        str | None,
        typer.Option(metavar="NAME/NAME", help="The benchmark's data set on the Hugging Face hub."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Where the board is on the web; eval_results/ link to it.")
    ] = None,
    metadata: MetadataJson = None,
    board: BoardFolder = DEFAULT_BOARD,
) -> None:
    """Write the entries in other formats.

    every_eval_ever/ (a JSON of that schema for each entry), eval_results/ (YAML for model
    repositories on the Hugging Face hub, where --dataset and --url are given), table.md (for a
    README), badge.json (for shields.io).
    """
    from ambi_tasks.leaderboard.exports.files import export_files  # noqa: PLC0415 - numpy is slow

    with user_errors():
        with progress_bar() as bar:
            found = _read(board, metadata, bar)
        now = datetime.datetime.now(datetime.timezone.utc)
        files = export_files(found.entries, now, dataset=dataset, url=url)
        for name, text in files.items():
            _write(output / name, text)
    for finding in found.refused:
        new_console(stderr=True).print(f"left out: {finding}")
    new_console().print(f"Written: {len(files)} files to {output}")


def _read(board: Path, metadata: str | None, bar: Progress) -> "Board":
    from ambi_tasks.leaderboard.board import read_board  # noqa: PLC0415 - numpy is slow

    task = bar.add_task("Entries", total=None)
    roots = run_metadata("", None, metadata)
    return read_board(board, roots, step=lambda total: bar.update(task, advance=1, total=total))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}).") from error
