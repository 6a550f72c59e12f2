"""The marks beside the models, as submissions: floors that hear nothing, and what people reach.

They are computed from votes alone, so that a board has them from its first day, and anybody with
the votes can make them again.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from ambi_tasks.leaderboard.baselines import ceiling_scores, floor_predictions
from ambi_tasks.leaderboard.entry import run_of
from ambi_tasks.leaderboard.predictions import predictions_to_csv
from ambi_tasks.leaderboard.reading import PREDICTIONS
from ambi_tasks.leaderboard.scores import SEED, score_records, stratum_records
from ambi_tasks.leaderboard.submission import (
    SCHEMA_VERSION,
    CorpusRecord,
    Reference,
    ReferenceSubmission,
    ScoreRecord,
    Submitter,
)
from ambi_tasks.leaderboard.truth import Truth, corpus_record, find_truth
from ambi_tasks.leaderboard.writing import own_software, table_record

REPETITIONS = 200
"""Splits of each utterance's annotators for the human ceiling."""

Tables = Mapping[str, bytes]


def reference_submissions(
    name: str, submitter: Submitter, metadata: Mapping[str, Any], *, seed: int = SEED
) -> Iterator[tuple[ReferenceSubmission, Tables]]:
    """Make the references of a corpus.

    Args:
        name: A corpus of the board.
        submitter: Who stands for them.
        metadata: Where the corpus lies, its options and its label rule, as for lm_eval.
        seed: Of the splits and the intervals.

    Yields:
        A submission and the files beside it.

    Raises:
        UserError: The board has no such corpus or rule, or no copy is at hand.
    """
    record = corpus_record(name, metadata)
    truth = find_truth(record, metadata)
    assert truth is not None  # corpus_record has read it
    for reference in get_args(Reference):
        yield _submission(reference, record, truth, submitter, seed)


def _submission(
    reference: Reference, record: CorpusRecord, truth: Truth, submitter: Submitter, seed: int
) -> tuple[ReferenceSubmission, Tables]:
    common: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "kind": "reference",
        "reference": reference,
        "corpus": record,
        "submitter": submitter,
        "software": own_software(),
    }
    if reference == "split_half":
        scores = ceiling_scores(record, truth, seed=seed, repetitions=REPETITIONS)
        records = {name: ScoreRecord.of(score) for name, score in scores.items()}
        seeds = {"references": seed}
        made = ReferenceSubmission(**common, scores=records, seeds=seeds, repetitions=REPETITIONS)
        return made, {}
    predictions = floor_predictions(reference, truth)
    table = predictions_to_csv(predictions, record.label_rule.classes)
    draft = ReferenceSubmission(
        **common,
        seeds={"intervals": seed},
        scores={"js": ScoreRecord(value=None)},
        predictions=table_record(table, len(predictions.ids)),
    )
    run = run_of(draft.folder, predictions, truth)
    scored = draft.model_copy(
        update={
            "scores": score_records(run, seed=seed),
            "strata": dict(stratum_records(run, truth, seed=seed)),
        }
    )
    return scored, {PREDICTIONS: table}
