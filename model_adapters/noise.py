"""Counter-based randomness: a number depends on what it is for, not on what came before."""

import hashlib

import numpy as np


def uniform(key: str, draw: int, step: int) -> float:
    """The uniform random number of one decoding step.

    It depends on its arguments alone: not on the batch, its order, the number of processes, or
    whether the draw is made now or later. Philox (Salmon et al., "Parallel random numbers: as easy
    as 1, 2, 3", SC 2011) is keyed by a hash of `key`, its counter is (draw, step).

    Args:
        key: Identity of the pool of draws; it covers the user's seed.
        draw: Index of the draw, from 0.
        step: Index of the token, from 0.

    Returns:
        A number in [0, 1).
    """
    digest = hashlib.sha256(key.encode()).digest()
    philox = np.random.Philox(
        key=np.frombuffer(digest[:16], dtype=np.uint64),
        counter=np.array([0, 0, step, draw], dtype=np.uint64),
    )
    return float(np.random.Generator(philox).random())
