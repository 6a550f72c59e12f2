"""The collector is off meanwhile, and afterwards as it was."""

import gc

import pytest

from ambi_tasks.report.collector import without_collector


def test_off_and_on_again():
    assert gc.isenabled()
    with without_collector():
        assert not gc.isenabled()
        with without_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_on_again_after_a_fault():
    with pytest.raises(KeyError), without_collector():
        raise KeyError
    assert gc.isenabled()
