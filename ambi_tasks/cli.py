"""The command `ambi`."""

import typer

from ambi_tasks import plugin

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.callback()
def main_options() -> None:
    """Tools around the benchmark of ambiguous speech emotion."""


@app.command("tasks-path")
def tasks_path() -> None:
    """Print the folder of the task files, for `lm_eval --include_path`."""
    typer.echo(plugin.tasks_path())


def main() -> None:
    """Run the command."""
    app()
