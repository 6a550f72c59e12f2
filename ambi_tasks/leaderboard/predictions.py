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
from ambi_tasks.leaderboard.words import is_utterance_id
from ambi_tasks.metrics.validation import SUM_TOLERANCE, Floats

COUNTS = ("draws", "parsed", "asked", "verified")
MAX_DRAWS = 100_000

_COUNT = re.compile(r"[0-9]{1,6}", re.ASCII)
_PROBABILITY = re.compile(r"[0-9](\.[0-9]{1,30})?(e-[0-9]{1,3})?", re.ASCII)

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
    ids: list[str] = []
    numbers = array("d")  # a list of Python's floats would take four times the memory
    for number, line in enumerate(lines, start=2):
        place = f"line {number}"
        if number - 1 > MAX_UTTERANCES:
            raise FileError(f"there are more than {MAX_UTTERANCES:,} utterances", place)
        name, *values = line.split(",")
        _check_id(name, ids[-1] if ids else "", place)
        ids.append(name)
        numbers.extend(_values(values, len(classes), place))
    if not ids:
        raise FileError("holds no utterance")
    table = np.array(numbers).reshape(len(ids), -1)
    counts = table[:, : len(COUNTS)].astype(np.int64).T
    return Predictions(
        np.array(ids, dtype=np.str_),
        table[:, len(COUNTS) :].copy(),
        dict(zip(COUNTS, counts, strict=True)),
    )


def _header(classes: Sequence[str]) -> str:
    return ",".join(["id", *COUNTS, *(f"p_{name}" for name in classes)])


def _digits(value: float) -> str:
    return f"{value!r}" if value else "0.0"


def _check_id(name: str, before: str, place: str) -> None:
    if not is_utterance_id(name):
        raise FileError(f"{quoted(name)} is no name of an utterance", place)
    if name == before:
        raise FileError(f"the utterance {quoted(name)} is there twice", place)
    if name < before:
        raise FileError(
            f"the utterance {quoted(name)} stands behind {quoted(before)}; sort them", place
        )


def _values(texts: Sequence[str], classes: int, place: str) -> Iterator[float]:
    if len(texts) != len(COUNTS) + classes:
        raise FileError(
            f"has {len(texts) + 1} values, but the header {len(COUNTS) + classes + 1}", place
        )
    counts, probabilities = texts[: len(COUNTS)], texts[len(COUNTS) :]
    for name, text in zip(COUNTS, counts, strict=True):
        if not _COUNT.fullmatch(text) or int(text) > MAX_DRAWS:
            raise FileError(f"{name} is {quoted(text)}, no count up to {MAX_DRAWS:,}", place)
        yield float(text)
    drawn, parsed, asked, verified = map(int, counts)
    if not (drawn >= 1 and parsed <= drawn and verified <= asked <= parsed):
        raise FileError(
            "draws >= 1, parsed <= draws and verified <= asked <= parsed do not hold", place
        )
    total = 0.0
    for text in probabilities:
        if not _PROBABILITY.fullmatch(text) or not (value := float(text)) <= 1 + SUM_TOLERANCE:
            raise FileError(f"{quoted(text)} is no probability", place)
        total += value
        yield value
    if abs(total - 1) > SUM_TOLERANCE:
        raise FileError(f"the probabilities sum to {total:.9g}, not to 1", place)
