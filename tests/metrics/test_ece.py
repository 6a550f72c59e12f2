import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binned_statistic
from sklearn.calibration import calibration_curve

from ambi_tasks.metrics import expected_calibration_error

from .pairs import corpora

BINS = st.sampled_from([1, 5, 10, 15])
# Large numbers: confidences that lie on an edge by chance are tested by hand instead.
WITHOUT_TIES = corpora(st.integers(1, 10**6), min_classes=2)


def without_ties(rows):
    top = np.sort(rows, axis=1)
    return np.all(top[:, -1] > top[:, -2])


def off_the_edges(confidence, bins):
    scaled = confidence * bins
    return np.all(np.abs(scaled - np.round(scaled)) > 1e-6)


@given(pair=WITHOUT_TIES, bins=BINS)
def test_soft_equals_scipys_binned_means(pair, bins):
    truth, prediction = pair
    confidence, chosen = prediction.max(axis=1), prediction.argmax(axis=1)
    if not (off_the_edges(confidence, bins) and without_ties(prediction)):
        return
    correct = truth[np.arange(len(truth)), chosen]
    edges = {"bins": bins, "range": (0, 1)}
    gaps, _, place = binned_statistic(confidence, confidence - correct, "mean", **edges)
    sizes = np.bincount(place - 1, minlength=bins)

    expected = np.nansum(np.abs(gaps) * sizes) / len(truth)
    value = expected_calibration_error(truth, prediction, bins=bins)
    assert value == pytest.approx(expected, rel=0, abs=1e-12)


@given(pair=WITHOUT_TIES, bins=BINS)
def test_hard_equals_sklearns_calibration_curve(pair, bins):
    truth, prediction = pair
    confidence, chosen = prediction.max(axis=1), prediction.argmax(axis=1)
    if not (off_the_edges(confidence, bins) and without_ties(prediction) and without_ties(truth)):
        return
    right = truth.argmax(axis=1) == chosen
    shares, means = calibration_curve(right, confidence, n_bins=bins, pos_label=True)
    sizes = np.histogram(confidence, bins=bins, range=(0, 1))[0]

    expected = np.abs(shares - means) @ sizes[sizes > 0] / len(truth)
    value = expected_calibration_error(truth, prediction, bins=bins, correctness="hard")
    assert value == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("tenth", range(2, 11))
def test_a_confidence_on_an_edge_is_in_the_bin_below(tenth):
    on, below = tenth / 10, tenth / 10 - 0.05

    # In one bin the errors +x and -x cancel out; on both sides of the edge they would add up.
    def row(x):
        return [x, *[(1 - x) / 20] * 20]

    truth = [row(on - 0.02), row(below + 0.02)]
    for nudge in (0, 1e-16, -1e-16):
        value = expected_calibration_error(truth, [row(on + nudge), row(below)])
        assert value == pytest.approx(0, abs=1e-12)


def test_by_hand():
    truth = [[0.6, 0.4], [1, 0], [0.2, 0.8], [0.5, 0.5]]
    prediction = [[0.95, 0.05], [0.95, 0.05], [0.7, 0.3], [0.5, 0.5]]
    # Bins (0.9, 1]: 0.95 against 0.8, twice; (0.6, 0.7]: 0.7 against 0.2; (0.4, 0.5]: 0.5, 0.5.
    soft = (2 * 0.15 + 0.5) / 4
    # Hard: 0.95 against 1, twice; 0.7 against 0; 0.5 against 1.
    hard = (2 * 0.05 + 0.7 + 0.5) / 4

    assert expected_calibration_error(truth, prediction) == pytest.approx(soft, rel=0, abs=1e-15)
    assert expected_calibration_error(truth, prediction, correctness="hard") == pytest.approx(
        hard, rel=0, abs=1e-15
    )


def test_one_bin_compares_the_means():
    truth, prediction = [[1, 0], [0.4, 0.6]], [[0.9, 0.1], [0.6, 0.4]]

    assert expected_calibration_error(truth, prediction, bins=1) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 0}, r"^bins is 0, but must be between 1 and 1000\.$"),
        ({"bins": 10**9}, r"^bins is 1000000000, but must be between 1 and 1000\.$"),
        ({"correctness": "firm"}, r"^correctness is 'firm', but must be 'soft' or 'hard'\.$"),
    ],
)
def test_options_of_no_use(options, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error([[1, 0]], [[0, 1]], **options)
