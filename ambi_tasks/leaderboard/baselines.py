"""What the references of a corpus predict and reach, from its votes alone (docs/ceiling.md)."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from ambi_tasks.leaderboard.predictions import COUNTS, Predictions
from ambi_tasks.leaderboard.submission import CorpusRecord
from ambi_tasks.leaderboard.truth import Truth, board_corpora, board_rules, rule_name
from ambi_tasks.statistics import Score, label_prior, reference_scores, uniform


def floor_predictions(floor: Literal["uniform", "label_prior"], truth: Truth) -> Predictions:
    """What a floor predicts for every utterance.

    Args:
        floor: `statistics.uniform` or `statistics.label_prior`.
        truth: The votes.
    """
    if floor == "uniform":
        distributions = uniform(truth.soft_labels)
    else:
        distributions = label_prior(truth.soft_labels, truth.speakers)
    one, none = np.ones(len(truth.ids), dtype=np.int64), np.zeros(len(truth.ids), dtype=np.int64)
    return Predictions(
        truth.ids, distributions, dict(zip(COUNTS, (one, one, none, none), strict=True))
    )


def ceiling_scores(
    record: CorpusRecord, truth: Truth, *, seed: int, repetitions: int
) -> Mapping[str, Score]:
    """How well half of the annotators predict the others, see `statistics.split_half`.

    Args:
        record: The corpus, of the board.
        truth: Its votes.
        seed: Of splits and resamples.
        repetitions: Splits per utterance.

    Raises:
        UserError: There are no two annotators, or a single speaker.
    """
    options = tuple(record.options.items())
    return _ceiling(record.name, truth.root, options, rule_name(record), seed, repetitions)


@lru_cache(maxsize=4)
def _ceiling(
    name: str,
    root: Path,
    options: tuple[tuple[str, str], ...],
    rule: str,
    seed: int,
    repetitions: int,
) -> Mapping[str, Score]:
    corpus = board_corpora()[name]
    votes = corpus.read(root, **dict(options))
    found = reference_scores(
        votes,
        board_rules(corpus)[rule],
        seed=seed,
        repetitions=repetitions,
        silent=corpus.silent,
    )
    return found.scores["split_half"]
