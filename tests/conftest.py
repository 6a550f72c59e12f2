"""What all tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.corpora.builders import CREMA_D_TABLE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a core, and so have its children
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no fault of the code.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

_REAL_CREMA_D = "AMBI_TEST_CREMA_D"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


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


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Headless Chromium.

    Of a module, not of the session: while it is there, nothing else may run an event loop.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if path is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()
