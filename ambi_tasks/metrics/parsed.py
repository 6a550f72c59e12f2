"""Share of draws that gave a usable distribution."""

from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import Floats, counts


@metric(name="parsed", higher_is_better=True, bounds=(0.0, 1.0), needs="draws")
def parsed_share(parsed: ArrayLike, drawn: ArrayLike) -> Floats:
    """Share of an utterance's draws that gave a usable distribution.

    parsed / drawn. In [0, 1], higher is better. It tells a prediction from the fallback that stands
    in for answers that could not be read.

    Args:
        parsed: (N,), how many of each utterance's draws gave a distribution.
        drawn: (N,), how many there were, at least 1.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not whole numbers of one shape with 0 <= parsed <= drawn and
            drawn >= 1.

    Source:
        This benchmark's own.

    >>> parsed_share([4, 1, 0], [4, 4, 4])
    array([1.  , 0.25, 0.  ])
    """
    some, every = counts(parsed, drawn, names=("parsed", "drawn"))
    return some / every
