"""What holds for every strategy, and how one is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.errors import UserError
from ambi_tasks.strategies import combine, get_strategy, strategy
from tests.strategies.candidates import FAILED, any_candidate, read

NAMES = ("direct", "sc")
CLASSES = 4

every_strategy = pytest.mark.parametrize("name", NAMES)


@every_strategy
@given(candidates=st.lists(any_candidate(CLASSES) | st.just(FAILED), min_size=1, max_size=8))
def test_predictions_are_distributions(name, candidates):
    prediction = combine(name, candidates, CLASSES)
    assert len(prediction.distribution) == CLASSES
    assert sum(prediction.distribution) == pytest.approx(1.0, abs=1e-12)
    assert min(prediction.distribution) >= 0
    assert all(type(share) is float for share in prediction.distribution)
    assert prediction.answered == any(candidate is not FAILED for candidate in candidates)


@every_strategy
@given(candidate=any_candidate(CLASSES))
def test_one_candidate_is_the_prediction(name, candidate):
    prediction = combine(name, [candidate], CLASSES)
    assert prediction.distribution == pytest.approx(candidate.distribution, abs=1e-15)


@every_strategy
@given(
    candidates=st.lists(any_candidate(CLASSES), min_size=1, max_size=6),
    places=st.lists(st.integers(0, 6), min_size=1, max_size=6),
)
def test_failed_candidates_have_no_weight(name, candidates, places):
    with_failed = list(candidates)
    for place in places:
        with_failed.insert(place, FAILED)
    assert combine(name, with_failed, CLASSES) == combine(name, candidates, CLASSES)


@every_strategy
@given(
    candidates=st.lists(any_candidate(CLASSES), min_size=1, max_size=6),
    order=st.permutations(range(CLASSES)),
)
def test_permuting_the_classes_permutes_the_prediction(name, candidates, order):
    permuted = [read(*(one.distribution[index] for index in order)) for one in candidates]
    prediction = combine(name, candidates, CLASSES).distribution
    wanted = [prediction[index] for index in order]
    assert combine(name, permuted, CLASSES).distribution == pytest.approx(wanted, abs=1e-15)


@every_strategy
@pytest.mark.parametrize("draws", [1, 3])
def test_nothing_read_is_uniform_and_not_answered(name, draws):
    prediction = combine(name, [FAILED] * draws, 5)
    assert prediction.distribution == (0.2,) * 5
    assert not prediction.answered


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dirct", r"There is no strategy 'dirct'; did you mean 'direct'\?"),
        ("xyzzy", r"There is no strategy 'xyzzy'; there are: .*direct.*sc"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UserError, match=message):
        get_strategy(name)
    with pytest.raises(UserError, match=message):
        combine(name, [FAILED], CLASSES)  # also where it would not be needed


@every_strategy
def test_no_candidates_is_no_failed_answer(name):
    with pytest.raises(ValueError, match="no candidates"):
        combine(name, [], CLASSES)


def test_a_name_is_given_once():
    get_strategy("direct")
    with pytest.raises(ValueError, match="Two strategies are named 'direct'"):
        strategy("direct")(lambda candidates: candidates[-1].distribution)
    assert combine("direct", [read(1.0, 0.0), read(0.0, 1.0)], 2).distribution == (1.0, 0.0)
