"""The annotators' votes of a sample log, one by one where it tells them."""

from dataclasses import dataclass

import numpy as np

from ambi_tasks.metrics.validation import Flags, Floats
from ambi_tasks.report.logged_run import LoggedRun
from ambi_tasks.statistics import VoteTable
from ambi_tasks.statistics.votes import MIN_ANNOTATORS


@dataclass(frozen=True, slots=True)
class LoggedVotes:
    """What the human ceiling is computed from.

    Attributes:
        table: As `statistics.vote_table` makes it of the corpus.
        kept: (N,), the utterances of the run that are in it: those with two annotators or more, of
            whom each gave one whole vote.
        alone: Utterances with one annotator, who has nobody to agree with.
        shared: Utterances with a vote that was shared among classes: a log has the votes of an
            utterance added up, so it is not known who shared what.
    """

    table: VoteTable
    kept: Flags
    alone: int
    shared: int


def logged_votes(run: LoggedRun) -> LoggedVotes | None:
    """Take the votes out of a log.

    Args:
        run: Read from its log.

    Returns:
        The votes; None where the log has none.
    """
    votes, annotators = run.utterances.votes, run.utterances.annotators
    if votes is None or annotators is None:
        return None
    whole = (votes == np.floor(votes)).all(axis=1) & (votes.sum(axis=1) == annotators)
    several = annotators >= MIN_ANNOTATORS
    kept = whole & several
    table = VoteTable(
        masses=_ticks(votes[kept]),
        annotators=annotators[kept],
        distributions=run.truth[kept],
        speakers=run.run.speakers[kept],
        too_few_annotators=int(np.count_nonzero(~several)),
        dropped={},
    )
    return LoggedVotes(table, kept, table.too_few_annotators, int((~whole & several).sum()))


def _ticks(counts: Floats) -> Floats:
    """One annotator per seat, (N, A, K), in the order in which `vote_table` seats them."""
    numbers = counts.astype(np.intp)
    rows, classes = numbers.shape
    seats = int(numbers.sum(axis=1).max(initial=0))
    masses = np.zeros((rows, seats, classes))
    ticked = np.repeat(np.tile(np.arange(classes)[::-1], rows), numbers[:, ::-1].ravel())
    panels = numbers.sum(axis=1)
    row = np.repeat(np.arange(rows), panels)
    seat = np.arange(len(row)) - np.repeat(panels.cumsum() - panels, panels)
    masses[row, seat, ticked] = 1.0
    return masses
