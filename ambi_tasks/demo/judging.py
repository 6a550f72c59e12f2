"""What the model learns to say as a verifier, and the candidate answers that it judges.

With d the square root of the Jensen-Shannon divergence (base 2) between a candidate's distribution
and that of the votes, from 0 for equal to 1 for disjoint ones:

    rating = 10 (1 - d), rounded        P(yes) = 1 / (1 + exp((d - 0.4) / 0.1))
"""

import math
from collections.abc import Callable

import numpy as np

from ambi_tasks.demo.dialogues import Example, expected_distribution, redrawn, round_to_grid
from ambi_tasks.demo.speech import Floats
from ambi_tasks.metrics.js import jensen_shannon

LOW, HIGH = 0, 10
"""The rating scale."""

_EVEN_DISTANCE = 0.4  # where yes and no are equally likely
_DISTANCE_SCALE = 0.1


def distance(candidate: Floats, truth: Floats) -> float:
    """The square root of the Jensen-Shannon divergence, base 2, of two distributions, (L,)."""
    return float(jensen_shannon([truth], [candidate], root=True)[0])


def rating(distance: float) -> int:
    """From 10 for no distance to 0 for the largest, 1."""
    return LOW + math.floor((HIGH - LOW) * (1 - distance) + 0.5)


def yes_probability(distance: float) -> float:
    """How often a candidate at this distance is called good: almost always near, never far."""
    return 1 / (1 + math.exp((distance - _EVEN_DISTANCE) / _DISTANCE_SCALE))


def draw_candidate(example: Example, generator: np.random.Generator) -> Floats:
    """Draw an answer as models give them, good or bad, on the grid.

    Args:
        example: What is asked.
        generator: Source of randomness.

    Returns:
        Probabilities in the order of the labels, (L,).
    """
    weights = np.array([weight for weight, _ in _KINDS])
    _, draw = _KINDS[int(generator.choice(len(_KINDS), p=weights / weights.sum()))]
    return round_to_grid(draw(example, generator))


def _near(example: Example, generator: np.random.Generator) -> Floats:
    """Annotators drawn anew, few or many."""
    raters = int(generator.integers(5, 2 * example.bootstrap_raters))
    return redrawn(example.expected, raters, generator)


def _noisy(example: Example, generator: np.random.Generator) -> Floats:
    concentration = math.exp(generator.uniform(math.log(2), math.log(30)))
    drawn: Floats = generator.dirichlet(concentration * example.expected + 0.02)
    return drawn


def _of_other_clip(example: Example, generator: np.random.Generator) -> Floats:
    other = expected_distribution(example.labels, example.other.votes)
    return redrawn(other, example.bootstrap_raters, generator)


def _between(example: Example, generator: np.random.Generator) -> Floats:
    """Part of the mass lies where it does on another clip, or on one label."""
    wrong = _of_other_clip(example, generator)
    if generator.random() < 0.5:  # noqa: PLR2004
        wrong = _one_label(example, generator)
    share = generator.random()
    return share * example.expected + (1 - share) * wrong


def _swapped(example: Example, generator: np.random.Generator) -> Floats:
    """The mass of the likeliest label and of any other change places."""
    swapped = example.expected.copy()
    pair = [int(swapped.argmax()), int(generator.integers(len(swapped)))]
    swapped[pair] = swapped[pair[::-1]]
    return redrawn(swapped, example.bootstrap_raters, generator)


def _best_label(example: Example, generator: np.random.Generator) -> Floats:
    del generator
    best: Floats = np.eye(len(example.labels))[int(example.expected.argmax())]
    return best


def _one_label(example: Example, generator: np.random.Generator) -> Floats:
    label: Floats = np.eye(len(example.labels))[int(generator.integers(len(example.labels)))]
    return label


def _uniform(example: Example, generator: np.random.Generator) -> Floats:
    del generator
    return np.full(len(example.labels), 1 / len(example.labels))


_KINDS: tuple[tuple[float, Callable[[Example, np.random.Generator], Floats]], ...] = (
    (0.24, _near),
    (0.14, _noisy),
    (0.16, _of_other_clip),
    (0.18, _between),
    (0.10, _swapped),
    (0.06, _best_label),
    (0.06, _one_label),
    (0.06, _uniform),
)
