"""The Dirichlet mixture that candidates make: its mean is the prediction, its spread a doubt.

Each candidate p_b with weight w_b stands for Dir(c p_b); the mixture is sum_b w_b Dir(c p_b).
"""

import math
from collections.abc import Sequence

Distribution = tuple[float, ...]


def mixture_mean(weights: Sequence[float], candidates: Sequence[Distribution]) -> Distribution:
    """The mean of the mixture, sum_b w_b p_b; the concentration does not enter it.

    Sums are correctly rounded, so the order of the candidates changes no digit.

    Args:
        weights: w_b >= 0, (N,), of any positive sum; they are normalised.
        candidates: p_b, (N, K), each with sum 1.

    Returns:
        The mean, (K,), with sum 1 to rounding.

    Raises:
        ValueError: There are no candidates, or the weights are not finite, not negative, and some
            of them positive.

    Source:
        "Decoding Ambiguous Emotions with Test-Time Scaling in Audio-Language Models" (2026), which
        combines candidates by a Dirichlet mixture; the mean follows from E[Dir(c p)] = p.

    >>> mixture_mean([3.0, 1.0], [(1.0, 0.0), (0.0, 1.0)])
    (0.75, 0.25)
    """
    shares = shares_of(weights, candidates)
    mean = [
        math.fsum(w * p for w, p in zip(shares, column, strict=True))
        for column in zip(*candidates, strict=True)
    ]
    total = math.fsum(mean)
    return tuple(value / total for value in mean)


def mixture_spread(
    weights: Sequence[float], candidates: Sequence[Distribution], concentration: float
) -> float:
    r"""The standard deviation of the mixture: how far it is from its own mean.

    sqrt(sum_k Var[theta_k]) for theta ~ sum_b w_b Dir(c p_b) with mean m. By the law of total
    variance this is the doubt within the candidates and the disagreement between them:

    .. math:: \sum_b w_b \frac{1 - \|p_b\|^2}{c + 1} + \sum_b w_b \|p_b - m\|^2

    In [0, sqrt(1 - 1/K)], the top for certain candidates that are shared equally among the classes;
    0 where all candidates are certain of the same class. It has no better direction.

    Args:
        weights: As for `mixture_mean`.
        candidates: As for `mixture_mean`.
        concentration: c > 0; the larger, the less is said by each candidate's own doubt.

    Raises:
        ValueError: As for `mixture_mean`, or the concentration is not positive.

    Source:
        Var[theta_k] = p_k (1 - p_k) / (c + 1) for Dir(c p).

    >>> mixture_spread([1.0, 1.0], [(1.0, 0.0), (0.0, 1.0)], 10.0) ** 2
    0.5000000000000001
    """
    if not concentration > 0:
        raise ValueError(f"The concentration must be positive, not {concentration}.")
    shares = shares_of(weights, candidates)
    mean = mixture_mean(shares, candidates)
    within = math.fsum(
        w * p * (1 - p) / (concentration + 1)
        for w, candidate in zip(shares, candidates, strict=True)
        for p in candidate
    )
    between = math.fsum(
        w * (p - m) ** 2
        for w, candidate in zip(shares, candidates, strict=True)
        for p, m in zip(candidate, mean, strict=True)
    )
    most = 1 - 1 / len(mean)  # of E|theta|^2 - |m|^2; rounding must not pass it
    return math.sqrt(min(within + between, most))


def shares_of(weights: Sequence[float], candidates: Sequence[Distribution]) -> list[float]:
    """The weights, scaled to the sum 1.

    Args:
        weights: w_b >= 0, (N,), of any positive sum.
        candidates: p_b, (N, K).

    Raises:
        ValueError: As for `mixture_mean`.
    """
    if len(weights) != len(candidates) or not candidates:
        raise ValueError(f"{len(weights)} weights were given for {len(candidates)} candidates.")
    total = math.fsum(weights)
    if not (math.isfinite(total) and total > 0 and min(weights) >= 0):
        raise ValueError(f"Weights must be finite and not negative, and not all 0: {weights}.")
    return [weight / total for weight in weights]
