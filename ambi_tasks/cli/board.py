"""`ambi board`: what the leaderboard is made of, besides the submissions of others."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ambi_tasks.cli.console import new_console, run_metadata, user_errors
from ambi_tasks.cli.corpora import MetadataJson, Root

app = typer.Typer(no_args_is_help=True, add_completion=False)

BoardFolder = Annotated[
    Path,
    typer.Option("--board", metavar="DIR", help="The folder that holds submissions/."),
]
DEFAULT_BOARD = Path("leaderboard")


@app.callback()
def board() -> None:
    """Make the leaderboard's references and schema."""


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
def schema() -> None:
    """Print the JSON Schema of a submission."""
    from ambi_tasks.leaderboard.submission import json_schema  # noqa: PLC0415

    typer.echo(json.dumps(json_schema(), indent=2))


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
