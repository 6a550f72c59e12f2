"""Weights that several strategies share, on arrays whose last axis is the candidates.

A score of -inf is that of a candidate that could not be read, or that the model calls impossible.
Nothing depends on the order of the candidates, to the last digit.
"""

import math
from collections.abc import Callable

import numpy as np

from ambi_tasks.errors import UserError
from ambi_tasks.strategies.evidence import Evidence, Floats
from ambi_tasks.strategies.fields import StrategyFields


def equal_weights(evidence: Evidence, fields: StrategyFields) -> Floats:
    """w_b = 1 / N: the prediction is the plain mean, (1/N) sum_b p_b.

    Args:
        evidence: (..., N).
        fields: Not looked at.

    Returns:
        1 for each candidate that could be read, 0 for others, (..., N).
    """
    del fields
    return evidence.readable.astype(np.float64)


def best_weights(scores: Floats) -> Floats:
    """All weight on the best score; equal best ones share it, so no order decides.

    Args:
        scores: (..., N), none of them NaN.

    Returns:
        0 or 1, (..., N).

    >>> best_weights(np.array([1.0, 3.0, 3.0]))
    array([0., 1., 1.])
    """
    best: Floats = (scores == scores.max(axis=-1, keepdims=True)).astype(np.float64)
    return best


def softmax_weights(scores: Floats, temperature: float) -> Floats:
    """exp(s / temperature), scaled so that the largest is 1.

    A score of -inf has no weight; where all are, nothing tells them apart, and they are equal.

    Args:
        scores: (..., N), finite or -inf.
        temperature: > 0; large values near equal weights, small ones near `best_weights`.

    Returns:
        In [0, 1], (..., N).

    >>> softmax_weights(np.array([0.0, math.log(0.5), -math.inf]), 1.0)
    array([1. , 0.5, 0. ])
    """
    best = scores.max(axis=-1, keepdims=True)
    nothing = best == -math.inf
    with np.errstate(over="ignore"):  # to -inf, whose weight is 0
        below = (scores - np.where(nothing, 0.0, best)) / temperature
    return _each(math.exp, np.where(nothing, 0.0, below))


def normalised_log_likelihoods(log_likelihoods: Floats, tokens: Floats, exponent: float) -> Floats:
    """Log-likelihoods l, normalised by length: l / tokens^a.

    Args:
        log_likelihoods: l, natural log, finite or -inf, of any shape.
        tokens: Number of tokens that each l is the sum over, of the same shape; not looked at where
            a is 0.
        exponent: a in [0, 1].

    Raises:
        UserError: An l is NaN or infinite, or a number of tokens is missing (NaN).
    """
    wrong = log_likelihoods[~(log_likelihoods < math.inf)]  # nor is it NaN
    if wrong.size:
        raise UserError(f"An answer's log-likelihood cannot be {wrong[0]}.")
    if not exponent:
        return log_likelihoods
    if np.isnan(tokens).any():
        raise UserError(
            "An answer came without its number of tokens, by which length_normalisation divides; "
            "the model's adapter does not give it. Set length_normalisation to 0."
        )
    return log_likelihoods / _each(lambda count: math.pow(count, exponent), np.maximum(tokens, 1.0))


def log_likelihoods(evidence: Evidence, exponent: float) -> Floats:
    """The candidates' log-likelihoods, normalised by length.

    Args:
        evidence: (..., N).
        exponent: See `normalised_log_likelihoods`.

    Returns:
        (..., N), -inf for those that could not be read.

    Raises:
        UserError: One that could be read comes without, or it is NaN or infinite, or the number of
            tokens is missing and needed.
    """
    readable = evidence.readable
    if (readable & ~evidence.has_log_likelihood).any():
        raise UserError(
            "An answer came without its log-likelihood, by which this strategy weighs; the "
            "model's adapter does not give it. Choose another strategy (docs/strategies.md)."
        )
    return normalised_log_likelihoods(
        np.where(readable, evidence.log_likelihoods, -math.inf),
        np.where(readable, evidence.tokens, 1.0),
        exponent,
    )


def verifier_scores(evidence: Evidence) -> Floats:
    """The verifier's scores; one that could not be read counts as the mean of the others.

    Where none could be read, all are 1. The mean is between the lowest and the highest score, so
    that of equal scores is that score.

    Args:
        evidence: (..., N).

    Returns:
        (..., N), -inf for candidates that could not be read.
    """
    given = evidence.readable & ~np.isnan(evidence.scores)
    scores = np.where(given, evidence.scores, 1.0)
    partly = given.any(axis=-1) & (evidence.readable & ~given).any(axis=-1)
    # Of those utterances alone: a correctly rounded sum takes its time, and depends on no order.
    some, known = scores[partly], given[partly]
    sums = [math.fsum(row) for row in np.where(known, some, 0.0).tolist()]
    means = np.clip(
        np.array(sums) / known.sum(axis=-1),
        np.where(known, some, math.inf).min(axis=-1),
        np.where(known, some, -math.inf).max(axis=-1),
    )
    scores[partly] = np.where(known, some, means[:, None])
    return np.where(evidence.readable, scores, -math.inf)


def _each(function: Callable[[float], float], values: Floats) -> Floats:
    """A function of the C library on each number.

    numpy's own `exp` and `power` differ in the last digit from one processor to another.
    """
    found = [function(value) for value in values.ravel().tolist()]
    return np.array(found, dtype=np.float64).reshape(values.shape)
