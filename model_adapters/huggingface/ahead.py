"""Work that is done in another thread, ahead of those who need it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def ahead(
    work: Callable[[_Item], _Result], items: Iterable[_Item], depth: int = 2
) -> Iterator[_Result]:
    """Do work in order, in a thread of its own.

    Args:
        work: From an item to its result.
        items: What to work on.
        depth: Results that wait at most, so that memory does not grow.

    Yields:
        The results, in order; an error is raised in the place of its result.
    """
    pool = ThreadPoolExecutor(1)
    begun: deque[Future[_Result]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > depth:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
