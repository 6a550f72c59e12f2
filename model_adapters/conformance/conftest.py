"""Keeps the suite out of a run that only comes by: it has to be asked for, and told an adapter."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder out unless it is named on the command line."""
    del collection_path
    named = any(Path(__file__).parent.name in argument for argument in config.args)
    return None if named else True
