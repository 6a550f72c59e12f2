"""The command `ambi` itself."""

import subprocess
import sys

from ambi_tasks import plugin
from tests.cli.runner import ambi


def test_tasks_path():
    result = ambi("tasks-path")
    assert result.exit_code == 0
    assert result.stdout == f"{plugin.tasks_path()}\n"


def test_help_names_every_command():
    result = ambi("--help")
    assert result.exit_code == 0
    for command in ("corpora", "prompts", "draws", "rescore", "curve", "tasks-path"):
        assert f" {command} " in result.stdout


def test_the_start_imports_neither_torch_nor_matplotlib():
    """Also not the harness, which takes seconds."""
    heavy = ("torch", "transformers", "lm_eval", "matplotlib")
    code = f"import sys, ambi_tasks.cli; print([one for one in {heavy} if one in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
