"""What every metric asks of its arrays, checked in one place with one wording."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

SUM_TOLERANCE = 1e-6
"""How far a row's sum may be from 1: room for the rounding of float32, not for mistakes."""

SAME = 1e-9
"""Probabilities that differ by no more are equal: 0.3 and 0.1 + 0.2 are; different shares of votes
never come this near."""


def distributions(truth: ArrayLike, prediction: ArrayLike) -> tuple[Floats, Floats]:
    """Both arguments of a metric as float64 arrays whose rows are distributions.

    Rows are divided by their sum, so that what `SUM_TOLERANCE` lets through cannot push a value out
    of its bounds.

    Args:
        truth: (N, K), one row per utterance, one column per class.
        prediction: (N, K).

    Returns:
        Both as new arrays.

    Raises:
        ValueError: The arrays are not (N, K) with N and K of at least 1, their shapes differ, or a
            row is not a distribution; the message names the argument and the row.
    """
    p, q = _rows(truth, "truth"), _rows(prediction, "prediction")
    _same_shape(p, "truth", q, "prediction")
    return p, q


def counts(part: ArrayLike, whole: ArrayLike, *, names: tuple[str, str]) -> tuple[Floats, Floats]:
    """Both counts of a share as float64 arrays.

    Args:
        part: (N,), whole numbers of at least 0.
        whole: (N,), whole numbers of at least 1 and of at least `part`.
        names: What the messages call the two.

    Returns:
        Both as new arrays.

    Raises:
        ValueError: The arrays are not as above; the message names the argument and the row.
    """
    some, every = _counts(part, names[0]), _counts(whole, names[1])
    _same_shape(some, names[0], every, names[1])
    _refuse(every == 0, names[1], "is 0, so there is no share")
    _refuse(some > every, names[0], f"is larger than in {names[1]}")
    return some, every


def _rows(values: ArrayLike, name: str) -> Floats:
    array = _array(values, name, axes=("N", "K"))
    _refuse(~np.isfinite(array), name, "holds NaN or infinity")
    _refuse(array < 0, name, "holds a negative number")
    sums: Floats = array.sum(axis=1, keepdims=True)
    off = np.abs(sums - 1) > SUM_TOLERANCE
    _refuse(off, name, f"does not sum to 1 (within {SUM_TOLERANCE:g})")
    return array / sums


def _counts(values: ArrayLike, name: str) -> Floats:
    array = _array(values, name, axes=("N",))
    whole = np.isfinite(array) & (array >= 0) & (array == np.floor(array))
    _refuse(~whole, name, "is not a whole number of at least 0")
    return array


def _array(values: ArrayLike, name: str, *, axes: tuple[str, ...]) -> Floats:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as one array of numbers: {error}") from error
    if array.ndim != len(axes) or array.size == 0:
        wanted = f"({axes[0]},)" if len(axes) == 1 else f"({', '.join(axes)})"
        raise ValueError(
            f"{name} has the shape {array.shape}, but must be {wanted} with "
            f"{' and '.join(axes)} of at least 1."
        )
    return array


def _same_shape(first: Floats, first_name: str, second: Floats, second_name: str) -> None:
    if first.shape != second.shape:
        raise ValueError(
            f"{first_name} has the shape {first.shape} but {second_name} has {second.shape}: "
            "they must be equal."
        )


def _refuse(bad: Flags, name: str, problem: str) -> None:
    """Raise for the first row of which anything is bad."""
    if bad.any():
        raise ValueError(f"{name}, row {np.argwhere(bad)[0, 0]}, {problem}.")
