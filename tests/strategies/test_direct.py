"""`direct`: one greedy answer, untouched."""

from tests.strategies.candidates import FAILED, fields_of, predict, read


def test_the_answer_is_the_prediction():
    prediction = predict("direct", [read(0.1, 0.9)])
    assert prediction.distribution == (0.1, 0.9)
    assert prediction.weights == (1.0,)


def test_one_greedy_answer_is_asked_for():
    fields = fields_of("direct")
    assert (fields.mode, fields.pool, fields.needs_log_likelihood) == ("greedy", 1, False)
    assert fields.prompt == "direct"


def test_a_failed_answer_is_uniform():
    prediction = predict("direct", [FAILED])
    assert prediction.distribution == (0.25,) * 4
    assert not prediction.answered
