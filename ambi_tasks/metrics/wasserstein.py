"""Wasserstein distance over positions of emotions."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from ambi_tasks.metrics.registry import metric
from ambi_tasks.metrics.validation import Floats, distributions

_Point = tuple[float, float]

_POSITIONS: dict[str, _Point] = {
    "angry": (-0.51, 0.59),
    "disgusted": (-0.60, 0.35),
    "fearful": (-0.64, 0.60),
    "happy": (0.81, 0.51),
    "neutral": (0.0, 0.0),
    "sad": (-0.63, -0.27),
    "surprised": (0.40, 0.67),
}
"""Pleasure and arousal, -1 to 1: the means of Russell and Mehrabian, 1977; neutral is ours."""

_TERMS = {
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "fearful",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprised",
}
"""Labels that name an emotion of the table by its noun."""

_AT_ONCE = 4096  # rows; of seven emotions they make 30 MB


@metric(
    name="wasserstein",
    higher_is_better=False,
    bounds=(0.0, 2 * math.sqrt(2)),
    takes_labels=True,
)
def wasserstein_distance(
    truth: ArrayLike, prediction: ArrayLike, *, labels: Sequence[str]
) -> Floats:
    """Wasserstein distance: how far probability must be carried between emotions.

    W(p, q) = min_T sum_jk T_jk d_jk over all plans T that turn p into q, where d is the Euclidean
    distance of the emotions' positions in the plane of pleasure (valence) and arousal, each from -1
    to 1. At least 0, lower is better: 0 for equal distributions. Symmetric. Unlike the other
    metrics it knows that taking anger for fear is less wrong than taking it for happiness.

    Positions (pleasure, arousal): angry (-0.51, 0.59), disgusted (-0.60, 0.35), fearful (-0.64,
    0.60), happy (0.81, 0.51), sad (-0.63, -0.27), surprised (0.40, 0.67): the means in the table of
    151 terms of Russell and Mehrabian, without their third scale, dominance. Their nouns stand at
    the same place. Neutral is at (0, 0), the middle of both scales; that is this benchmark's own.
    For other labels there is no value. With these positions the largest distance is 1.64, from
    happy to sad.

    The minimum is exact. By duality W(p, q) = max_f sum_k f_k (p_k - q_k) over the vertices f of
    the polytope |f_j - f_k| <= d_jk, and of these there are at most 924 for seven emotions.

    Args:
        truth: (N, K), the annotators' distributions.
        prediction: (N, K), the model's.
        labels: Names of the K classes; case does not matter.

    Returns:
        (N,), one value per utterance.

    Raises:
        ValueError: The arrays are not distributions of one shape, there are not K labels, or one
            has no position.

    Source:
        Y. Rubner, C. Tomasi, L. J. Guibas, "The Earth Mover's Distance as a Metric for Image
        Retrieval", International Journal of Computer Vision 40(2), 2000. Positions: J. A. Russell,
        A. Mehrabian, "Evidence for a three-factor theory of emotions", Journal of Research in
        Personality 11(3), 1977.

    >>> wasserstein_distance([[1.0, 0.0]], [[0.5, 0.5]], labels=["neutral", "sad"])
    array([0.34270979])
    """
    p, q = distributions(truth, prediction)
    if len(labels) != p.shape[1]:
        raise ValueError(f"There are {len(labels)} labels for {p.shape[1]} classes.")
    places = [_position(label) for label in labels]
    distinct = tuple(sorted(set(places)))
    at = np.array([[place == one for one in distinct] for place in places], dtype=np.float64)
    carried = (p - q) @ at  # labels of one place are one
    potentials = _potentials(distinct).T
    portions = np.array_split(carried, math.ceil(len(carried) / _AT_ONCE))
    costs = np.concatenate([(portion @ potentials).max(axis=1) for portion in portions])
    # Rounding leaves about -1e-17 for nearly equal rows.
    cost: Floats = np.maximum(costs, 0.0)
    return cost


def _position(label: str) -> _Point:
    word = label.strip().casefold()
    term = _TERMS.get(word, word)
    if term not in _POSITIONS:
        raise ValueError(
            f"The label '{label}' has no position of valence and arousal; there are positions of: "
            f"{', '.join(sorted({*_POSITIONS, *_TERMS}))}."
        )
    return _POSITIONS[term]


@lru_cache(maxsize=32)
def _potentials(places: tuple[_Point, ...]) -> Floats:
    """The vertices of {f: |f_j - f_k| <= d_jk, f_0 = 0}, (V, K); each has a spanning tree of ties.

    Args:
        places: Distinct positions, few: all trees over them are tried.
    """
    points = np.array(places)
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    count = len(places)
    signs = np.array(list(product([-1.0, 1.0], repeat=count - 1))).reshape(2 ** (count - 1), -1)
    found = []
    for tree in _trees(count):
        values = np.zeros((len(signs), count))
        for sign, (child, parent) in zip(signs.T, tree, strict=True):
            values[:, child] = values[:, parent] + sign * distances[child, parent]
        steep = np.abs(values[:, :, None] - values[:, None, :]) > distances + 1e-12
        found.append(values[~steep.any(axis=(1, 2))])
    unique: Floats = np.unique(np.concatenate(found).round(14), axis=0)
    return unique


def _trees(count: int) -> Iterator[list[tuple[int, int]]]:
    """All trees over the nodes 0..count-1, each as (child, parent) from the root 0 outwards."""
    if count <= 2:  # noqa: PLR2004 - Pruefer's sequences begin with three nodes
        yield [(1, 0)] if count == 2 else []  # noqa: PLR2004
        return
    for code in product(range(count), repeat=count - 2):
        degree = [1 + code.count(node) for node in range(count)]
        beside: list[list[int]] = [[] for _ in range(count)]
        for node in code:
            leaf = degree.index(1)
            degree[leaf], degree[node] = 0, degree[node] - 1
            beside[leaf].append(node)
            beside[node].append(leaf)
        last = [node for node in range(count) if degree[node] == 1]
        beside[last[0]].append(last[1])
        beside[last[1]].append(last[0])
        yield list(_outwards(beside, 0, -1))


def _outwards(beside: list[list[int]], node: int, parent: int) -> Iterator[tuple[int, int]]:
    for other in beside[node]:
        if other != parent:
            yield other, node
            yield from _outwards(beside, other, node)
