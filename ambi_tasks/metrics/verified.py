"""Share of a verifier's verdicts that gave a score."""

from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import Floats, counts


@metric(name="verified", higher_is_better=True, bounds=(0.0, 1.0), needs="verdicts")
def verified_share(scored: ArrayLike, asked: ArrayLike) -> Floats:
    """Share of the verifier's verdicts on an utterance's candidates that gave a score.

    scored / asked. In [0, 1], higher is better. A verdict that gives none counts as the mean score
    of the others; this is how often that happened.

    Args:
        scored: (N,), how many of each utterance's verdicts gave a score.
        asked: (N,), how many candidates the verifier was asked about, at least 1.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not whole numbers of one shape with 0 <= scored <= asked and
            asked >= 1.

    Source:
        This benchmark's own.

    >>> verified_share([3, 0], [3, 2])
    array([1., 0.])
    """
    some, every = counts(scored, asked, names=("scored", "asked"))
    return some / every
