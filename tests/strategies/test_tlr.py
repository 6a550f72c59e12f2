"""`tlr`: softmax over the labels' log-likelihoods."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from ambi_tasks.errors import UserError
from ambi_tasks.prediction import ReadOut
from tests.strategies.candidates import fields_of, predict, read

values = st.lists(st.floats(-200, 0), min_size=4, max_size=4)
counts = st.lists(st.integers(1, 9), min_size=4, max_size=4)


def distribution(
    log_likelihoods: list[float],
    tokens: list[int | None] | None = None,
    content_free: tuple[float, ...] = (),
    **fields: object,
) -> tuple[float, ...]:
    found = ReadOut(
        tuple(log_likelihoods), tuple(tokens or [1] * len(log_likelihoods)), tuple(content_free)
    )
    return fields_of("tlr", **fields).distribution_of(found)


def test_by_hand():
    found = distribution([math.log(0.03), math.log(0.01)])
    assert found == pytest.approx((0.75, 0.25))


def test_a_label_of_several_tokens_by_hand():
    logs = [2 * math.log(0.3), math.log(0.1)]
    assert distribution(logs, [2, 1]) == pytest.approx((0.09 / 0.19, 0.1 / 0.19))
    found = distribution(logs, [2, 1], length_normalisation=1)
    assert found == pytest.approx((0.75, 0.25))


def test_calibration_by_hand():
    found = distribution(
        [math.log(0.6), math.log(0.2)],
        content_free=(math.log(0.4), math.log(0.4)),
        calibration="silence",
    )
    assert found == pytest.approx((0.75, 0.25))
    found = distribution(
        [math.log(0.6), math.log(0.2)],
        content_free=(math.log(0.6), math.log(0.2)),
        calibration="silence",
    )
    assert found == pytest.approx((0.5, 0.5))


@given(logs=values, tokens=counts, exponent=st.floats(0, 1), temperature=st.floats(0.1, 10))
def test_equals_scipy(logs, tokens, exponent, temperature):
    found = distribution(
        logs, tokens, length_normalisation=exponent, weight_temperature=temperature
    )
    scores = np.array(logs) / np.array(tokens) ** exponent
    assert found == pytest.approx(softmax(scores / temperature), abs=1e-12)


@given(logs=values, silence=values, tokens=counts, exponent=st.floats(0, 1))
def test_calibration_equals_scipy(logs, silence, tokens, exponent):
    found = distribution(
        logs, tokens, tuple(silence), calibration="silence", length_normalisation=exponent
    )
    scores = (np.array(logs) - np.array(silence)) / np.array(tokens) ** exponent
    assert found == pytest.approx(softmax(scores), abs=1e-9)


@given(logs=values, shift=st.floats(-1000, 0))
def test_only_differences_count(logs, shift):
    shifted = distribution([value + shift for value in logs])
    assert shifted == pytest.approx(distribution(logs), abs=1e-9)


@given(logs=st.lists(st.integers(-200, 0).map(float), min_size=4, max_size=4))
def test_a_large_temperature_is_uniform_and_a_small_one_certain(logs):
    assert distribution(logs, weight_temperature=1e9) == pytest.approx((0.25,) * 4, abs=1e-6)
    sharp = distribution(logs, weight_temperature=1e-6)
    assert [share > 0 for share in sharp] == [value == max(logs) for value in logs]


@given(logs=values, order=st.permutations(range(4)))
def test_permuting_the_labels_permutes_the_distribution(logs, order):
    straight = distribution(logs)
    permuted = distribution([logs[at] for at in order])
    assert permuted == pytest.approx([straight[at] for at in order], abs=1e-15)


def test_impossible_labels():
    assert distribution([-math.inf, 0.0]) == (0.0, 1.0)
    assert distribution([-math.inf, -math.inf]) == (0.5, 0.5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_log_likelihood(value):
    with pytest.raises(UserError, match=f"log-likelihood cannot be {value}"):
        distribution([value, -1.0])


@pytest.mark.parametrize("silence", [(), (-1.0,), (-1.0, -math.inf)])
def test_calibration_needs_silence(silence):
    with pytest.raises(UserError, match=r"needs a finite log-likelihood.*calibration to none"):
        distribution([-1.0, -2.0], content_free=silence, calibration="silence")


def test_without_the_number_of_tokens():
    assert distribution([-1.0, -1.0], [None, None]) == (0.5, 0.5)
    with pytest.raises(UserError, match="without its number of tokens"):
        distribution([-1.0, -1.0], [None, None], length_normalisation=1)


def test_nothing_is_drawn():
    fields = fields_of("tlr")
    assert (fields.mode, fields.pool, fields.prompt) == ("none", 1, "label")


def test_the_read_out_is_the_one_candidate():
    assert predict("tlr", [read(0.25, 0.75)]).distribution == (0.25, 0.75)


def test_strategies_that_draw_read_nothing_out():
    with pytest.raises(NotImplementedError):
        fields_of("direct").distribution_of(ReadOut((0.0,), (1,)))
