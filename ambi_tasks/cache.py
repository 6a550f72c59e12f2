"""Where what is kept between runs lies on the user's disk."""

import os
from pathlib import Path


def cache_root() -> Path:
    """The folder that `AMBI_CACHE` names, or one in the user's cache; it need not exist."""
    return Path(os.environ.get("AMBI_CACHE") or "~/.cache/ambi_tasks").expanduser()
