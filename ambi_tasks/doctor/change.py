"""Does a model answer otherwise when something is changed? An exact test on paired answers."""

from dataclasses import dataclass

import numpy as np

from ambi_tasks.metrics.validation import Floats

LEVEL = 0.01
"""A change counts where its p-value is at most this."""

SMALLEST_SHARE = 0.01
"""A change counts where it moves at least this share of the probability."""

_FLIPS = 9_999
_SEED = 20_251


@dataclass(frozen=True, slots=True)
class Change:
    """How far answers differ between what was asked and what was asked otherwise.

    Attributes:
        share: Mean over the clips of the total variation distance between both mean answers: the
            share of the probability that moves, in [0, 1].
        by_chance: What this is on average where both are exchanged at random.
        p: How often exchange at random gives at least `share`; in (0, 1].
    """

    share: float
    by_chance: float
    p: float

    @property
    def counts(self) -> bool:
        """Whether it is more than chance, and more than next to nothing."""
        return self.p <= LEVEL and self.share >= SMALLEST_SHARE


def change(before: Floats, after: Floats) -> Change:
    """Compare answers by a sign-flip test.

    Where the change has no effect, the answer before and the one after can be exchanged within any
    pair, so the pairs' signs are flipped at random, and the observed distance is placed among
    those that this gives (Phipson and Smyth, "Permutation p-values should never be zero", 2010).
    Nothing is assumed about the answers: they may be noisy, or noiseless; a distance of 0 is never
    evidence. The seed is fixed, so that the same answers have the same p-value.

    Args:
        before: Distributions, (C, R, K): clips, askings of each, labels.
        after: The same after the change; pair r of clip c was asked under the same circumstances.

    Raises:
        ValueError: The shapes differ, or are not of three axes.
    """
    if before.shape != after.shape or before.ndim != 3:  # noqa: PLR2004 - three axes
        raise ValueError(f"Answers of the shapes {before.shape} and {after.shape} are not paired.")
    difference = (after - before).astype(np.float64)
    observed = _distance(difference.mean(axis=1)[None])[0]
    rng = np.random.default_rng(_SEED)
    flipped = np.empty(_FLIPS)
    for start in range(0, _FLIPS, 1_000):
        size = (min(1_000, _FLIPS - start), *difference.shape[:2])
        signs = rng.choice((-1.0, 1.0), size=size)
        means = np.einsum("bcr,crk->bck", signs, difference) / difference.shape[1]
        flipped[start : start + size[0]] = _distance(means)
    as_far = int((flipped >= observed - 1e-12).sum())
    return Change(float(observed), float(flipped.mean()), (as_far + 1) / (_FLIPS + 1))


def _distance(differences: Floats) -> Floats:
    """Total variation of differences of distributions, (B, C, K), as the mean over C, (B,)."""
    distance: Floats = 0.5 * np.abs(differences).sum(axis=-1).mean(axis=-1)
    return distance
