"""Which release of a corpus a copy is, as far as its folder tells."""

import re
from pathlib import Path

from ambi_tasks.corpora.git import git_output

_VERSION = re.compile(r"(?<![\d.])\d+\.\d+(\.\d+)?(?![\d.])")


def release_of(root: Path) -> str:
    """Name the release of a copy.

    Args:
        root: The corpus's folder.

    Returns:
        `commit <hash>` for a git clone, else the version number in the folder's name, else nothing:
        releases that carry no mark (IEMOCAP has one release alone) are told by their manifest hash.
    """
    if (root / ".git").exists() and (head := git_output(root, "rev-parse", "--short=12", "HEAD")):
        return f"commit {head.decode().strip()}"
    found = _VERSION.search(root.resolve().name)
    return found[0] if found else ""
