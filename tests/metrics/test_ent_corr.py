import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy, spearmanr

from ambi_tasks.metrics import entropy_correlation, get_metric

from .pairs import corpora, normal

METRIC = get_metric("ent_corr")


def entropies(rows):
    return entropy(rows, base=2, axis=1).round(9)


@given(pair=corpora(min_classes=2))
def test_equals_scipy(pair):
    truth, prediction = map(entropies, pair)
    constant = np.ptp(truth) == 0 or np.ptp(prediction) == 0
    expected = 0 if constant else spearmanr(truth, prediction).statistic

    assert entropy_correlation(*pair) == pytest.approx(expected, rel=0, abs=1e-12)


@given(pair=corpora())
def test_symmetric(pair):
    there = entropy_correlation(*pair)

    assert entropy_correlation(*reversed(pair)) == pytest.approx(there, rel=0, abs=1e-15)


@pytest.mark.parametrize(
    ("truth", "prediction"),
    [
        ([[1, 0]], [[0.5, 0.5]]),
        ([[1, 0], [0, 1]], [[1, 0], [0.5, 0.5]]),
        ([[1, 0], [0.5, 0.5]], [[0.2, 0.8], [0.8, 0.2]]),  # equal but for rounding
        ([[0.5, 0.5]] * 3, [[0.5, 0.5]] * 3),
    ],
)
def test_a_constant_entropy_has_no_correlation(truth, prediction):
    assert entropy_correlation(truth, prediction) == 0
    np.testing.assert_array_equal(METRIC.sufficient(truth, prediction), [[0, 1]] * len(truth))


def test_by_hand():
    truth = [[1, 0], [0.9, 0.1], [0.7, 0.3], [0.5, 0.5]]
    prediction = [[0.1, 0.9], [1, 0], [0.4, 0.6], [0.3, 0.7]]

    # Ranks 1 2 3 4 against 2 1 4 3: 1 - 6 * 4 / (4 * 15).
    assert entropy_correlation(truth, prediction) == pytest.approx(0.6, rel=0, abs=1e-15)


def grades(values):
    """Mid-grades under weights, from the definition: P(X < x) + P(X = x) / 2."""
    below = (values[None, :] < values[:, None]) + 0.5 * (values[None, :] == values[:, None])
    return lambda weights: below @ weights


def weighted_rho(x, y, weights):
    u, v = (grades(one)(weights) - 0.5 for one in (x, y))
    return weights @ (u * v) / np.sqrt((weights @ (u * u)) * (weights @ (v * v)))


@given(pair=corpora(st.integers(0, 3), min_classes=2), data=st.data())
def test_influences_are_the_derivative_of_rho_by_the_weight_of_an_utterance(pair, data):
    x, y = map(entropies, pair)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    count = len(x)
    number = data.draw(st.integers(0, count - 1))
    step = 1e-6
    plus, minus = (
        weighted_rho(x, y, (1 - e) * np.full(count, 1 / count) + e * np.eye(count)[number])
        for e in (step, -step)
    )
    influence = METRIC.sufficient(*pair)[number, 0] - entropy_correlation(*pair)

    assert influence == pytest.approx((plus - minus) / (2 * step), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("annotators", [4, 10])
@pytest.mark.parametrize("likeness", [0.0, 0.5])
def test_the_standard_error_is_that_of_the_plain_bootstrap(annotators, likeness):
    rng = np.random.default_rng(11)
    count = 800
    opinion = rng.dirichlet(np.full(4, 0.6), size=count)
    truth = np.array([rng.multinomial(annotators, p) for p in opinion]) / annotators
    guess = normal(likeness * opinion + (1 - likeness) * rng.dirichlet(np.full(4, 0.6), size=count))
    x, y = entropies(truth), entropies(guess)
    drawn = rng.integers(count, size=(2000, count))
    plain = np.std([spearmanr(x[one], y[one]).statistic for one in drawn], ddof=1)

    sums = METRIC.sufficient(truth, guess)[drawn].sum(axis=1)
    assert METRIC.value(sums).std(ddof=1) / plain == pytest.approx(1, abs=0.03)
