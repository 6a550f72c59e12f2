"""What a prediction reaches that hears nothing; a model must do better to have heard anything."""

import numpy as np
from numpy.typing import NDArray

from ambi_tasks.metrics.validation import Floats
from ambi_tasks.statistics.bootstrap import Clusters


def uniform(distributions: Floats) -> Floats:
    """The prediction that every class is equally likely: q_k = 1 / K.

    It also stands in for an answer that could not be read.

    Args:
        distributions: (N, K), the soft labels; only their shape matters.

    Returns:
        (N, K).

    >>> uniform(np.array([[1.0, 0.0]]))
    array([[0.5, 0.5]])
    """
    return np.full_like(distributions, 1 / distributions.shape[1])


def label_prior(distributions: Floats, speakers: NDArray[np.str_]) -> Floats:
    """The prediction of what people tend to vote: the mean soft label of the other speakers.

    q of an utterance of speaker s is the mean of p over all utterances of speakers other than s.
    Computed on the same corpus, but never on the utterance it predicts nor on its speaker's, so it
    is not optimistic; having seen a little less than the corpus, it is if anything a shade
    pessimistic. Of all constant predictions the mean soft label has the best Brier score; for the
    other metrics it is merely a good one.

    Args:
        distributions: (N, K), the soft labels.
        speakers: (N,), names.

    Returns:
        (N, K), the same row for all utterances of a speaker.

    Raises:
        ValueError: There are not two speakers.

    >>> label_prior(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]), np.array(["a", "b", "b"]))
    array([[0.25, 0.75],
           [1.  , 0.  ],
           [1.  , 0.  ]])
    """
    clusters = Clusters.of(speakers)
    if len(clusters.names) < 2:  # noqa: PLR2004
        raise ValueError("The label prior needs two speakers or more, to predict each by others.")
    sums, sizes = clusters.sums(distributions), clusters.sizes
    others: Floats = (sums.sum(axis=0) - sums) / (sizes.sum() - sizes)[:, None]
    return others[clusters.position]
