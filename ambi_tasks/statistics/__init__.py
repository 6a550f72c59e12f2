"""Statistics: what annotators reach among themselves, what knows nothing reaches, and intervals."""

from ambi_tasks.statistics.bootstrap import clustered_intervals
from ambi_tasks.statistics.ceiling import fresh_panel, split_half
from ambi_tasks.statistics.floors import label_prior, uniform
from ambi_tasks.statistics.references import ReferenceScores, Score, reference_scores
from ambi_tasks.statistics.votes import VoteTable, vote_table

__all__ = [
    "ReferenceScores",
    "Score",
    "VoteTable",
    "clustered_intervals",
    "fresh_panel",
    "label_prior",
    "reference_scores",
    "split_half",
    "uniform",
    "vote_table",
]
