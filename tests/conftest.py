"""What all tests share."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's cache out of the tests, and the tests out of it."""
    os.environ["AMBI_CACHE"] = str(tmp_path_factory.mktemp("cache"))
