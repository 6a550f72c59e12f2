"""Asynchronous work, seen as a plain iterator."""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from model_adapters.chat_api.faults import StopError

_Found = TypeVar("_Found")
Emit = Callable[[_Found], None]
Job = Callable[[], Coroutine[Any, Any, None]]


class _End:
    """The work is done, or has failed."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def stream(work: Callable[[Emit[_Found]], Coroutine[Any, Any, None]]) -> Iterator[_Found]:
    """Run work in an event loop of its own thread, and yield what it emits as soon as it does.

    A thread, so that it also works where an event loop runs already (a notebook). If the consumer
    stops, or is interrupted, the work is cancelled, and the thread has ended before this returns.

    Args:
        work: Makes the coroutine, given the function by which it hands over what it finds.

    Yields:
        What was handed over, in that order.

    Raises:
        BaseException: What the work raised, after all that was handed over before.
    """
    found: queue.SimpleQueue[_Found | _End] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(found.put))
    thread = threading.Thread(
        # A daemon, lest a crashed program goes on sending requests while its traceback is shown.
        target=_run,
        args=(loop, task, found.put),
        name="alm_api",
        daemon=True,
    )
    thread.start()
    try:
        while not isinstance(one := found.get(), _End):
            yield one
    finally:
        with suppress(RuntimeError):  # the loop is closed: the work has ended by itself
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
    if one.error is not None:
        raise one.error


def _run(
    loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]", put: Callable[[_End], None]
) -> None:
    error: BaseException | None = None
    try:
        loop.run_until_complete(task)
    except BaseException as raised:  # raised again by the consumer
        error = raised
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        put(_End(error))


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all.

    Where one raises `StopError`, the others are finished before that is raised; any other exception
    cancels them.
    """
    stops: list[StopError] = []

    async def guarded(one: Coroutine[Any, Any, None]) -> None:
        try:
            await one
        except StopError as stop:
            stops.append(stop)

    tasks = [asyncio.ensure_future(guarded(one)) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if stops:
        raise stops[0]


async def bounded(jobs: Iterable[Job], workers: int) -> None:
    """Do jobs in their order, so many at once; see `together` for what one of them raises.

    Args:
        jobs: What is to be done; each is called when its turn comes.
        workers: How many are under way at most.
    """
    waiting = iter(jobs)
    stopped = False

    async def work() -> None:
        nonlocal stopped
        for job in waiting:
            try:
                await job()
            except StopError:
                stopped = True
                raise
            if stopped:
                return

    await together(work() for _ in range(workers))
