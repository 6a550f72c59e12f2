"""Statistics: floors and human ceiling, intervals over speakers, tests between runs, skill."""

from ambi_tasks.statistics.bootstrap import (
    Bootstrap,
    Clusters,
    ClusterSums,
    resample,
    resampled_sums,
)
from ambi_tasks.statistics.ceiling import fresh_panel, split_half
from ambi_tasks.statistics.floors import label_prior, uniform
from ambi_tasks.statistics.inference import Score, intervals, p_values, t_p_values
from ambi_tasks.statistics.paired import (
    Comparison,
    Difference,
    Rank,
    Ranking,
    align_runs,
    compare_runs,
    holm,
    rank_groups,
    rank_runs,
)
from ambi_tasks.statistics.references import ReferenceScores, reference_scores, table_references
from ambi_tasks.statistics.runs import Run, score_run
from ambi_tasks.statistics.skill import PlacedScore, place_scores, skill_share
from ambi_tasks.statistics.votes import VoteTable, vote_table

__all__ = [
    "Bootstrap",
    "ClusterSums",
    "Clusters",
    "Comparison",
    "Difference",
    "PlacedScore",
    "Rank",
    "Ranking",
    "ReferenceScores",
    "Run",
    "Score",
    "VoteTable",
    "align_runs",
    "compare_runs",
    "fresh_panel",
    "holm",
    "intervals",
    "label_prior",
    "p_values",
    "place_scores",
    "rank_groups",
    "rank_runs",
    "reference_scores",
    "resample",
    "resampled_sums",
    "score_run",
    "skill_share",
    "split_half",
    "t_p_values",
    "table_references",
    "uniform",
    "vote_table",
]
