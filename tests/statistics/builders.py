"""Utterances by their votes, and the arrays of a table of votes, without any file."""

from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import strategies as st

from ambi_tasks.audio import Clip
from ambi_tasks.corpora import Utterance
from ambi_tasks.labels import Vote
from ambi_tasks.statistics import VoteTable

Ticks = str | tuple[str, ...]


def utterance(name: str, votes: Iterable[Ticks], speaker: str = "s") -> Utterance:
    """One entry of `votes` per annotator: a label, or several."""
    ticked = [(ticks,) if isinstance(ticks, str) else ticks for ticks in votes]
    return Utterance(
        id=name,
        clip=Clip(f"{name}.wav"),
        votes=tuple(Vote(ticks, f"r{number}") for number, ticks in enumerate(ticked)),
        speaker=speaker,
    )


def table_of(counts: Sequence[Sequence[int]]) -> VoteTable:
    """Annotators of one tick each, every utterance of a speaker of its own.

    Args:
        counts: (N, K), votes per class.
    """
    votes = np.array(counts)
    annotators = votes.sum(axis=1)
    masses = np.zeros((len(votes), annotators.max(), votes.shape[1]))
    for seats, row in zip(masses, votes, strict=True):
        ticked = np.repeat(np.arange(len(row)), row)
        seats[np.arange(len(ticked)), ticked] = 1
    return VoteTable(
        masses=masses,
        annotators=annotators,
        distributions=votes / annotators[:, None],
        speakers=np.array([f"s{number}" for number in range(len(votes))]),
        too_few_annotators=0,
        dropped={},
    )


CLASSES = ("neutral", "happy", "angry", "sad")
LABELS = (*CLASSES, "excited", "other")


def panels(least: int = 0, most: int = 6) -> st.SearchStrategy[list[tuple[str, ...]]]:
    """The ticks of some annotators, inside and outside the classes, now and then none or twice."""
    ticks = st.lists(st.sampled_from(LABELS), max_size=3).map(tuple)
    return st.lists(ticks, min_size=least, max_size=most)
