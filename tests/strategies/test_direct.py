"""`direct`: the first answer that could be read, untouched."""

from ambi_tasks.strategies import combine
from tests.strategies.candidates import FAILED, read


def test_the_first_answer_counts():
    candidates = [read(0.1, 0.9), read(0.7, 0.3)]
    assert combine("direct", candidates, 2).distribution == (0.1, 0.9)


def test_the_first_that_could_be_read_counts():
    assert combine("direct", [FAILED, read(0.7, 0.3)], 2).distribution == (0.7, 0.3)
