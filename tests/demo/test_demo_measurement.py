"""How the demo model is measured, on cases computed by hand."""

import math

import numpy as np
import pytest

from ambi_tasks.demo.measurement import divergences_of, score
from ambi_tasks.demo.verifier_measurement import rank_correlation, weighted_means

TRUTH = np.array([[1.0, 0.0], [0.5, 0.5]])
HALF = 0.3112781  # JS of (1, 0) and (1/2, 1/2): (log2(4/3) + (log2(2/3) + log2(2)) / 2) / 2


def test_several_predictions_are_averaged_per_clip():
    right, wrong = [[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [1.0, 0.0]]
    several = np.stack([right, wrong], axis=1)
    assert divergences_of(TRUTH, several) == pytest.approx(np.array([[0, 1], [0, HALF]]), abs=1e-6)
    assert score("both", TRUTH, several).divergence == pytest.approx((0.5 + HALF / 2) / 2, abs=1e-6)
    assert score("right", TRUTH, np.array(right)).divergence == 0


def test_rank_correlation():
    rising = np.array([1.0, 2.0, 10.0, 11.0])
    assert rank_correlation(rising, rising**3) == pytest.approx(1)
    assert rank_correlation(rising, -rising) == pytest.approx(-1)
    # Ranks 1, 2, 3, 4 and 1.5, 1.5, 3, 4: covariance 4.5, squared deviations 5 and 4.5.
    tied = np.array([0.0, 0.0, 1.0, 2.0])
    assert rank_correlation(rising, tied) == pytest.approx(4.5 / math.sqrt(5 * 4.5))
    assert math.isnan(rank_correlation(rising, np.ones(4)))


def test_weighted_means():
    candidates = np.array([[[[1.0, 0.0], [0.0, 1.0]], [[0.2, 0.8], [0.6, 0.4]]]])
    means = weighted_means(candidates, np.array([[[3.0, 1.0], [0.0, 0.0]]]))
    assert means == pytest.approx(np.array([[[0.75, 0.25], [0.4, 0.6]]]))
