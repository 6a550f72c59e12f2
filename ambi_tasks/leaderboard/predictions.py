"""The table of predictions: a CSV file packed with gzip, one line an utterance.

CSV and not Parquet: a stranger's file is read by zlib and by some twenty lines of Python that know
every character which may stand in it, and bounded before each step. A Parquet file is a program for
a large native reader, whose memory its header chooses; and `zcat` shows a table of text to anybody.

Columns: `id`; `draws`, how many answers there were, and `parsed`, how many of them could be read;
`asked` and `verified`, the same of a verifier's verdicts, 0 without a verifier; then `p_<class>`, a
column per class. Lines are sorted by id, so that a doubled one has its double beside it.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ambi_tasks.leaderboard.files import Content, FileError, pack, quoted, unpacked_lines
from ambi_tasks.leaderboard.submission import MAX_UTTERANCES
from ambi_tasks.metrics.validation import SUM_TOLERANCE, Floats

COUNTS = ("draws", "parsed", "asked", "verified")
MAX_DRAWS = 100_000

_ID = r"[A-Za-z0-9_][A-Za-z0-9_ .:+@/-]{0,199}"
_COUNT = r"[0-9]{1,6}"
_PROBABILITY = r"[0-9](?:\.[0-9]{1,30})?(?:e-[0-9]{1,3})?"

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What was predicted for the utterances of a corpus.

    Attributes:
        ids: (N,), sorted, each once.
        distributions: (N, K), in the order of the classes; rows sum to 1.
        counts: Each of `COUNTS` -> (N,).
    """

    ids: NDArray[np.str_]
    distributions: Floats
    counts: Mapping[str, Counts]

    @property
    def answered(self) -> NDArray[np.bool_]:
        """(N,), whether any answer could be read."""
        return self.counts["parsed"] > 0


def predictions_to_csv(predictions: Predictions, classes: Sequence[str]) -> bytes:
    """Pack a table.

    Every float is written so that it is read back to the last bit.

    Args:
        predictions: The table.
        classes: Names of the K classes.
    """
    counts = [predictions.counts[name].tolist() for name in COUNTS]
    rows = zip(predictions.ids.tolist(), *counts, predictions.distributions.tolist(), strict=True)
    lines = [",".join([*map(str, row), *map(_digits, values)]) for *row, values in rows]
    return pack([_header(classes), *lines])


def predictions_from_csv(content: Content, classes: Sequence[str]) -> Predictions:
    """Read a stranger's table.

    Args:
        content: The packed file.
        classes: Names of the K classes.

    Raises:
        FileError: Anything is not as `predictions_to_csv` writes it, too large, or no distribution.
    """
    lines = unpacked_lines(content.data)
    header = next(lines, "")
    if header != _header(classes):
        raise FileError(f"is {quoted(header)}, but must be {_header(classes)}", "line 1")
    row = re.compile(",".join([_ID, *[_COUNT] * len(COUNTS), *[_PROBABILITY] * len(classes)]))
    ids: list[str] = []
    numbers = array("d")  # a list of Python's floats would take four times the memory
    before = ""
    for number, line in enumerate(lines, start=2):
        if number - 1 > MAX_UTTERANCES:
            raise FileError(f"there are more than {MAX_UTTERANCES:,} utterances", f"line {number}")
        if not row.fullmatch(line):
            raise FileError(_misfit(line, classes), f"line {number}")
        name, *values = line.split(",")
        if name <= before:
            raise FileError(_misplaced(name, before), f"line {number}")
        before = name
        ids.append(name)
        numbers.extend(map(float, values))
    if not ids:
        raise FileError("holds no utterance")
    table = np.array(numbers).reshape(len(ids), -1)
    counts = dict(zip(COUNTS, table[:, : len(COUNTS)].astype(np.int64).T, strict=True))
    distributions = table[:, len(COUNTS) :].copy()
    for wrong, message in _impossible(counts, distributions):
        if wrong.any():
            raise FileError(message, f"line {int(wrong.argmax()) + 2}")
    return Predictions(np.array(ids, dtype=np.str_), distributions, counts)


def _header(classes: Sequence[str]) -> str:
    return ",".join(["id", *COUNTS, *(f"p_{name}" for name in classes)])


def _digits(value: float) -> str:
    return f"{value!r}" if value else "0.0"


def _misplaced(name: str, before: str) -> str:
    if name == before:
        return f"the utterance {quoted(name)} is there twice"
    return f"the utterance {quoted(name)} stands behind {quoted(before)}; sort them"


def _misfit(line: str, classes: Sequence[str]) -> str:
    """Why a line is not of the form of the header."""
    name, *values = line.split(",")
    if not re.fullmatch(_ID, name):
        return f"{quoted(name)} is no name of an utterance"
    if len(values) != len(COUNTS) + len(classes):
        return f"has {len(values) + 1} values, but the header {len(COUNTS) + len(classes) + 1}"
    for column, text in zip([*COUNTS, *classes], values, strict=True):
        if not re.fullmatch(_COUNT if column in COUNTS else _PROBABILITY, text):
            kind = "count" if column in COUNTS else "probability"
            return f"{column} is {quoted(text)}, which is no {kind}"
    return "is not of the form of the header"


def _impossible(
    counts: Mapping[str, Counts], distributions: Floats
) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """Which lines hold numbers that cannot be, (N,), and what to say of the first."""
    drawn, parsed, asked, verified = (counts[name] for name in COUNTS)
    yield (drawn < 1) | (drawn > MAX_DRAWS), f"draws is not from 1 to {MAX_DRAWS:,}"
    yield (
        (parsed > drawn) | (asked > parsed) | (verified > asked),
        "draws >= parsed >= asked >= verified does not hold",
    )
    off = np.abs(distributions.sum(axis=1) - 1) > SUM_TOLERANCE
    yield off, f"the probabilities do not sum to 1 (within {SUM_TOLERANCE:g})"
