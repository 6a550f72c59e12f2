"""From the entries of an answer to shares of one."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ambi_tasks.answers.objects import NUMBER, Entries, Scalar, Value
from ambi_tasks.answers.outcome import FailedError, Failure, Repair
from ambi_tasks.answers.vocabulary import Vocabulary

SUM_TOLERANCE = 0.02
"""Sums this close to 1 count as 1: the values are rounded, mostly to two digits."""

MIN_SUM, MAX_SUM = 0.5, 1.5
"""Sums between these are renormalised: a slip of the arithmetic. Beyond them the numbers are
something else (ratings, counts, a part of the answer), and scaling would invent a distribution."""

RATING_TOP = 10
"""Numbers without a percent sign that are all at most this, and do not sum to 100, may be ratings
from 0 to 10, so they are not taken as percentages even where their sum lies within the bounds."""

_EPSILON = 1e-9  # so that a sum printed as 1.02 is within the tolerance whatever its last bit
_WHOLE_NUMBER = re.compile(NUMBER)


class Number(NamedTuple):
    """A number, and whether a percent sign follows it."""

    value: float
    percent: bool


def distribution_of(
    entries: Entries, vocabulary: Vocabulary, notes: set[Repair]
) -> tuple[float, ...]:
    """Shares of the labels, in their order, with the sum 1.

    Args:
        entries: Of the answer.
        vocabulary: The labels.
        notes: Liberties taken are added.

    Raises:
        FailedError: The numbers are no distribution, nor a slip away from one.
    """
    given = _by_label(entries, vocabulary, notes)
    _ignore_unknown(entries, vocabulary, notes)
    scale = _scale(given.values(), notes)
    shares = [given[at].value / scale if at in given else 0.0 for at in range(vocabulary.size)]
    total = _total(shares)
    close = abs(total - 1) <= SUM_TOLERANCE + _EPSILON
    if len(given) < vocabulary.size:
        if not close:
            raise FailedError(Failure.MISSING_LABEL)
        notes.add(Repair.UNLISTED_ZERO)
    if total == 0:
        raise FailedError(Failure.ZERO_SUM)
    if not MIN_SUM - _EPSILON <= total <= MAX_SUM + _EPSILON:
        raise FailedError(Failure.BAD_SUM)
    if max(shares) > 1 + SUM_TOLERANCE + _EPSILON:
        raise FailedError(Failure.OUT_OF_RANGE)
    if not close:
        notes.add(Repair.RENORMALISED)
    return tuple(share / total for share in shares)


def _by_label(entries: Entries, vocabulary: Vocabulary, notes: set[Repair]) -> dict[int, Number]:
    """The number of each label; checks go by kind, so the order of the keys does not matter."""
    given: dict[int, list[Number]] = {}
    for key, value in entries:
        index = vocabulary.find(key)
        if index is None:
            continue
        number = number_of(value)
        if number is None or not math.isfinite(number.value):
            raise FailedError(Failure.NOT_A_NUMBER)
        given.setdefault(index, []).append(number)
        if isinstance(value, Scalar) and value.kind == "string":
            notes.add(Repair.QUOTED_NUMBER)
        if vocabulary.is_form(key):
            notes.add(Repair.WORD_FORM)
    if any(number.value < 0 for numbers in given.values() for number in numbers):
        raise FailedError(Failure.NEGATIVE)
    if any(len(set(numbers)) > 1 for numbers in given.values()):
        raise FailedError(Failure.DUPLICATE_LABEL)
    if any(len(numbers) > 1 for numbers in given.values()):
        notes.add(Repair.REPEATED_LABEL)
    return {index: numbers[0] for index, numbers in given.items()}


def _ignore_unknown(entries: Entries, vocabulary: Vocabulary, notes: set[Repair]) -> None:
    for key, value in entries:
        if vocabulary.find(key) is None:
            number = number_of(value)
            if number and number.value != 0:
                raise FailedError(Failure.UNKNOWN_LABEL)
            notes.add(Repair.UNKNOWN_ZERO if number else Repair.EXTRA_TEXT)


def number_of(value: Value) -> Number | None:
    """The number that a value is, written as a number or as a string; None where it is none."""
    if not isinstance(value, Scalar):
        return None
    text = value.text.strip()
    if not _WHOLE_NUMBER.fullmatch(text):
        return None
    digits = text.rstrip("%\uff05 \t")
    return Number(float(digits) + 0.0, digits != text)  # + 0.0: no negative zero


def _scale(numbers: Iterable[Number], notes: set[Repair]) -> float:
    """What the numbers are parts of: 1 or 100."""
    positive = [number for number in numbers if number.value > 0]
    if len({number.percent for number in positive}) > 1:
        raise FailedError(Failure.MIXED_UNITS)
    signed = any(number.percent for number in positive)
    if not signed and not _looks_percent([number.value for number in positive]):
        return 1.0
    notes.add(Repair.PERCENT)
    return 100.0


def _looks_percent(values: Sequence[float]) -> bool:
    total = _total(values) / 100
    if max(values, default=0) > RATING_TOP:
        return MIN_SUM - _EPSILON <= total <= MAX_SUM + _EPSILON
    return abs(total - 1) <= SUM_TOLERANCE + _EPSILON


def _total(values: Iterable[float]) -> float:
    """The sum, smallest first: the same for every order of the keys; an overflow is infinity."""
    return sum(sorted(values))
