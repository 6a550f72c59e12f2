"""What the tests of the command line share."""

import pytest

from ambi_tasks.corpora.corpus import all_corpora


@pytest.fixture(autouse=True)
def no_corpora(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own copies are not the tests'."""
    for name in all_corpora():
        monkeypatch.delenv(f"{name.upper()}_ROOT", raising=False)
