"""The order in which an answer is read."""

from collections.abc import Sequence

from ambi_tasks.answers.candidates import (
    after_reasoning,
    chosen_entries,
    classified,
    pieces,
    why_nothing,
)
from ambi_tasks.answers.outcome import Answer, FailedError, Failure, Repair
from ambi_tasks.answers.plain_list import plain_entries
from ambi_tasks.answers.shares import distribution_of
from ambi_tasks.answers.vocabulary import Vocabulary, vocabulary_of

MAX_SEARCHED = 20_000
"""Only so many characters at the end of an answer are searched: it bounds the time of any input."""


def parse_answer(text: str, labels: Sequence[str]) -> Answer:
    """Read the distribution that an answer gives.

    Args:
        text: What the model wrote; any text at all is fine.
        labels: The labels of the task, in the order wanted.

    Raises:
        ValueError: A label is empty, or two labels are the same but for case and spacing.
    """
    vocabulary = vocabulary_of(tuple(labels))
    notes: set[Repair] = set()
    try:
        distribution = _read(text, vocabulary, notes)
    except FailedError as failed:
        return Answer(None, failed.failure)
    return Answer(distribution, None, tuple(repair for repair in Repair if repair in notes))


def _read(text: str, vocabulary: Vocabulary, notes: set[Repair]) -> tuple[float, ...]:
    answer = after_reasoning(text)
    if answer is None:
        raise FailedError(Failure.UNFINISHED_REASONING)
    if not answer:
        raise FailedError(Failure.EMPTY)
    searched = answer[-MAX_SEARCHED:]
    if len(searched) < len(text.strip()):
        notes.add(Repair.SURROUNDING_TEXT)
    found = [classified(piece, searched, vocabulary) for piece in pieces(searched)]
    candidates = [piece for piece in found if piece.decides]
    rest = candidates[-1].end if candidates else 0
    entries = plain_entries(searched[rest:], vocabulary, notes)
    if entries:
        notes.add(Repair.PLAIN_LIST)
        if candidates:
            notes |= {Repair.SEVERAL_OBJECTS, Repair.SURROUNDING_TEXT}
    elif candidates:
        entries = chosen_entries(candidates, searched, vocabulary, notes)
    else:
        raise FailedError(why_nothing(found, searched))
    return distribution_of(entries, vocabulary, notes)
