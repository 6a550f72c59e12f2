"""The votes of many utterances as arrays, annotator by annotator."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ambi_tasks.corpora.corpus import Utterance
from ambi_tasks.labels import KNOWN_SILENT, DropReason, LabelRule, SoftLabel, Vote, soft_label
from ambi_tasks.metrics.validation import Floats

MIN_ANNOTATORS = 2
"""A single annotator has nobody to agree with."""


@dataclass(frozen=True, slots=True)
class VoteTable:
    """The utterances of which two or more annotators' votes count, in the order of their ids.

    Neither the order in which a corpus is read nor that of the votes changes the table, so a seed
    gives the same result everywhere.

    Attributes:
        masses: (N, A, K), what each annotator gives to each class by the label rule; A is the
            largest number of annotators, and seats that are not taken hold zeros.
        annotators: (N,), how many annotators count, at least 2; they take the first seats.
        distributions: (N, K), the soft labels by all the votes, exactly as tasks have them.
        speakers: (N,), names.
        too_few_annotators: Utterances left out because they have a soft label, but of one
            annotator.
        dropped: Utterances that have no soft label or are silent, by reason.
    """

    masses: Floats
    annotators: NDArray[np.intp]
    distributions: Floats
    speakers: NDArray[np.str_]
    too_few_annotators: int
    dropped: Mapping[str, int]


def vote_table(
    utterances: Iterable[Utterance], rule: LabelRule, *, silent: Collection[str] = ()
) -> VoteTable:
    """Count the votes of each annotator by a rule.

    Args:
        utterances: In any order; their audio is not touched.
        rule: Decides which annotators count and for which classes.
        silent: Names of utterances to leave out, as a run does: see `Corpus.silent`.
    """
    kept: list[tuple[Utterance, SoftLabel]] = []
    dropped: Counter[str] = Counter()
    too_few = 0
    for utterance in sorted(utterances, key=lambda one: one.id):
        if utterance.id in silent:
            dropped[KNOWN_SILENT] += 1
            continue
        label = soft_label(utterance.votes, rule)
        if isinstance(label, DropReason):
            dropped[label.value] += 1
        elif label.annotators < MIN_ANNOTATORS:
            too_few += 1
        else:
            kept.append((utterance, label))
    distributions = np.array([label.distribution for _, label in kept])
    return VoteTable(
        masses=_masses([utterance.votes for utterance, _ in kept], rule),
        annotators=np.array([label.annotators for _, label in kept], dtype=np.intp),
        distributions=distributions.reshape(len(kept), len(rule.classes)),
        speakers=np.array([utterance.speaker for utterance, _ in kept], dtype=np.str_),
        too_few_annotators=too_few,
        dropped=dict(dropped),
    )


def _masses(panels: Sequence[Sequence[Vote]], rule: LabelRule) -> Floats:
    """What each annotator who counts gives to each class, (N, A, K), sorted and padded."""
    # min_votes asks for enough annotators of the utterance, which one of them never is.
    alone = replace(rule, min_votes=1)
    labels = {
        ticks: soft_label((Vote(ticks),), alone)
        for ticks in {vote.labels for votes in panels for vote in votes}
    }  # equal ticks are counted once: corpora have a hundred thousand votes of a few kinds
    known = {ticks: label.masses for ticks, label in labels.items() if isinstance(label, SoftLabel)}
    rows = [
        sorted(known[vote.labels] for vote in votes if vote.labels in known) for votes in panels
    ]
    masses = np.zeros((len(rows), max(map(len, rows), default=0), len(rule.classes)))
    for seats, row in zip(masses, rows, strict=True):
        seats[: len(row)] = row
    return masses
