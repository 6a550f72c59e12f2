"""The command `ambi`."""

import typer

from ambi_tasks import plugin
from ambi_tasks.cli.board import app as board_app
from ambi_tasks.cli.compare import compare
from ambi_tasks.cli.corpora import app as corpora_app
from ambi_tasks.cli.doctor import doctor
from ambi_tasks.cli.draws import app as draws_app
from ambi_tasks.cli.prompts import app as prompts_app
from ambi_tasks.cli.report import report
from ambi_tasks.cli.results import curve, rescore
from ambi_tasks.cli.submissions import submit, validate

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
app.add_typer(corpora_app, name="corpora")
app.add_typer(prompts_app, name="prompts")
app.add_typer(draws_app, name="draws")
app.add_typer(board_app, name="board")
app.command()(doctor)
app.command()(rescore)
app.command()(curve)
app.command()(compare)
app.command()(report)
app.command()(submit)
app.command()(validate)


@app.callback()
def main_options() -> None:
    """Tools around the benchmark of ambiguous speech emotion."""


@app.command("tasks-path")
def tasks_path() -> None:
    """Print the folder of the task files, for `lm_eval --include_path`."""
    typer.echo(plugin.tasks_path())


@app.command("metrics-path")
def metrics_path() -> None:
    """Print the folder of the metrics' modules, for `evaluate.load("<folder>/js")`."""
    from ambi_tasks.metrics.documentation import MODULES  # noqa: PLC0415 - numpy is slow

    typer.echo(MODULES)


def main() -> None:
    """Run the command."""
    app()
