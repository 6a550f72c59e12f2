"""Which release of a corpus a copy is, as far as its folder tells."""

import re
import shutil
import subprocess
from pathlib import Path

_VERSION = re.compile(r"(?<![\d.])\d+\.\d+(\.\d+)?(?![\d.])")


def release_of(root: Path) -> str:
    """Name the release of a copy.

    Args:
        root: The corpus's folder.

    Returns:
        `commit <hash>` for a git clone, else the version number in the folder's name, else nothing:
        releases that carry no mark (IEMOCAP has one release alone) are told by their manifest hash.
    """
    if (root / ".git").exists() and (git := shutil.which("git")):
        command = [git, "-C", str(root), "rev-parse", "--short=12", "HEAD"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if asked.returncode == 0:
            return f"commit {asked.stdout.strip()}"
    found = _VERSION.search(root.resolve().name)
    return found[0] if found else ""
