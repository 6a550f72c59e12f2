"""What the readers of corpora warn of, as text that can be kept."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reader_warnings() -> Iterator[list[str]]:
    """Collect the warnings of the readers, instead of showing them; other messages pass.

    A reader warns in a logger below `lm_eval.ambi_tasks.corpora` of what it leaves out. How much
    the harness shows changes nothing here.

    Yields:
        The messages, in the order in which they came.
    """
    lines: list[str] = []
    logger = logging.getLogger(f"lm_eval.{__package__}")

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING:
                lines.append(record.getMessage())
            elif logger.parent:
                logger.parent.handle(record)

    collector = Collector()
    propagate, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(min(logger.getEffectiveLevel(), logging.WARNING))
    logger.addHandler(collector)
    try:
        yield lines
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)
        logger.propagate = propagate
