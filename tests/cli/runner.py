"""How the tests of the command line run it, and look at what it prints."""

import re

from click.testing import Result
from typer.testing import CliRunner

from ambi_tasks.cli import app


def ambi(*arguments, width=200) -> Result:
    """Run `ambi` on a terminal of a width, without colours."""
    environment = {"COLUMNS": str(width), "FORCE_COLOR": None, "TTY_COMPATIBLE": None}
    return CliRunner().invoke(app, [str(one) for one in arguments], env=environment)


def rows(output: str) -> list[str]:
    """Lines with single spaces between their words."""
    return [re.sub(r"\s+", " ", line).strip() for line in output.splitlines()]


def assert_refused(result: Result, message: str) -> None:
    """One sentence, on stderr, and the exit code of a usage error."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
