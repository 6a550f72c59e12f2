"""What all tests share."""

import os
from pathlib import Path

import pytest

from tests.corpora.builders import CREMA_D_TABLE

_REAL_CREMA_D = "AMBI_TEST_CREMA_D"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's cache out of the tests, and the tests out of it."""
    os.environ["AMBI_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_root() -> Path:
    """A clone of the real CREMA-D, with or without its audio."""
    root = Path(os.environ.get(_REAL_CREMA_D) or "not-named")
    if not (root / CREMA_D_TABLE).is_file():
        pytest.skip(f"{_REAL_CREMA_D} names no clone of the real CREMA-D")
    return root
