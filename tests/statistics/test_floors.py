"""Floors: what hears nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.statistics import label_prior, uniform
from tests.metrics.pairs import normal

ROWS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any), st.sampled_from("abc")
    ),
    min_size=2,
    max_size=8,
).filter(lambda rows: len({speaker for _, speaker in rows}) > 1)


def test_uniform():
    assert uniform(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]])).tolist() == [[0.25] * 4] * 2


@given(rows=ROWS)
def test_the_prior_is_the_mean_over_the_other_speakers(rows):
    labels = normal([votes for votes, _ in rows])
    speakers = np.array([speaker for _, speaker in rows])
    expected = [labels[speakers != one].mean(axis=0) for one in speakers]

    np.testing.assert_allclose(label_prior(labels, speakers), expected, rtol=0, atol=1e-12)


@given(rows=ROWS, other=st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any))
def test_the_prior_of_a_speaker_never_saw_that_speaker(rows, other):
    labels = normal([votes for votes, _ in rows])
    speakers = np.array([speaker for _, speaker in rows])
    own = speakers == speakers[0]
    changed = np.where(own[:, None], normal([other]), labels)

    np.testing.assert_allclose(
        label_prior(changed, speakers)[own], label_prior(labels, speakers)[own], rtol=0, atol=1e-12
    )


def test_a_single_speaker_has_no_prior():
    with pytest.raises(ValueError, match="needs two speakers or more"):
        label_prior(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array(["a", "a"]))
