"""Asking git about the clone that holds a corpus."""

import os
import shutil
import subprocess
from pathlib import Path

_TIMEOUT_S = 120


def git_output(folder: Path, *arguments: str, stdin: str = "") -> bytes | None:
    """Ask git about the clone that holds a folder.

    Args:
        folder: In the clone.
        arguments: A fixed command of git and its options.
        stdin: What the command reads.

    Returns:
        What it printed; None where there is no clone, no git, or no answer.
    """
    program = shutil.which("git")
    if program is None:
        return None
    # Of the variables, GIT_DIR and its like would lead to another clone than the folder's.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    environment |= {"GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands
            [program, "-C", str(folder), *arguments],
            input=stdin.encode(),
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_S,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
