"""Reading many logs, by several processes where that is worth their start."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from ambi_tasks.errors import UserError
from ambi_tasks.report.collector import without_collector
from ambi_tasks.report.logged_run import LoggedRun, read_run
from ambi_tasks.report.naming import strategy_names
from ambi_tasks.report.sample_log import TaskLog

_WORTH_PROCESSES = 200_000_000  # bytes of logs: seconds of reading


def read_runs(
    logs: Sequence[TaskLog], *, workers: int = 1, step: Callable[[int], None] = lambda _: None
) -> tuple[list[LoggedRun], list[str]]:
    """Read logs; what cannot be read is set apart.

    Args:
        logs: Of different paths.
        workers: Processes, used where the logs are large; with more than one, the program that
            calls this must be one that `multiprocessing` can import.
        step: Is told how many have been read.

    Returns:
        The runs, named by strategy, and by model and time as far as that tells them apart; and a
        sentence for each log that cannot be read.
    """
    runs: list[LoggedRun] = []
    broken: list[str] = []
    named = list(zip(logs, strategy_names(logs), strict=True))
    step(0)
    for number, found in enumerate(_each_read(named, workers), start=1):
        step(number)
        if isinstance(found, str):
            broken.append(found)
        else:
            runs.append(found)
    return runs, broken


def _each_read(named: Sequence[tuple[TaskLog, str]], workers: int) -> Iterator[LoggedRun | str]:
    """Each run in its turn."""
    size = sum(log.path.stat().st_size for log, _ in named)
    if workers < 2 or size < _WORTH_PROCESSES:  # noqa: PLR2004
        yield from map(_run_or_fault, named)
        return
    context = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
    with ProcessPoolExecutor(min(workers, len(named)), mp_context=context) as pool:
        yield from pool.map(_run_or_fault, named)


def _run_or_fault(named: tuple[TaskLog, str]) -> LoggedRun | str:
    log, name = named
    try:
        with without_collector():
            return read_run(log, name=name)
    except UserError as error:
        return str(error)
