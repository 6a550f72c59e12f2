"""Work ahead of those who need it."""

import threading

import pytest

from model_adapters.huggingface.ahead import ahead


def test_results_come_in_order_from_one_other_thread() -> None:
    threads = set()

    def double(number: int) -> int:
        threads.add(threading.get_ident())
        return 2 * number

    assert list(ahead(double, range(20))) == list(range(0, 40, 2))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_no_more_is_done_than_may_wait() -> None:
    begun: list[int] = []
    results = ahead(begun.append, range(100), depth=3)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 4
    assert begun == list(range(len(begun)))


def test_an_error_is_raised_in_its_place() -> None:
    results = ahead(lambda number: 1 // number, [1, 0, 2])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
