"""Entries as `.eval_results/*.yaml`, which a model's repository on the Hugging Face hub may hold.

Source: huggingface.co/docs/hub/eval-results. The hub shows such a file beside the model, and on the
page of the data set that is named as the benchmark.
"""

from collections.abc import Mapping, Sequence

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.scores import ScoresOf, entry_scores
from ambi_tasks.leaderboard.submission import ModelSubmission
from ambi_tasks.leaderboard.truth import run_metadata

METRICS = ("js", "bc", "r2", "acc")
"""The metrics of the paper, for pages that show few."""


def yaml_of(
    entry: Entry,
    *,
    dataset: str,
    url: str,
    metrics: Sequence[str] = METRICS,
    scores_of: ScoresOf = entry_scores,
) -> str:
    """The file of one entry.

    Args:
        entry: Of a model.
        dataset: The benchmark's data set on the hub, `name/name`; its tasks are called
            `<corpus>_<strategy>_<metric>`.
        url: The board, or the entry's page on it.
        metrics: Which of them.
        scores_of: Where its scores come from.

    Raises:
        ValueError: The entry is a reference.
    """
    submission = entry.submission
    if not isinstance(submission, ModelSubmission):
        raise ValueError(f"{entry.key} is a reference, no evaluation of a model.")
    scores = scores_of(entry)
    found = [
        EvalResultEntry(
            dataset_id=dataset,
            task_id=f"{submission.corpus.name}_{submission.strategy.name}_{name}",
            value=round(scores[name].value or 0.0, 6),
            date=submission.evaluated.isoformat(),
            source_url=url,
            source_name="ambi_tasks leaderboard",
            notes=_notes(entry, submission),
        )
        for name in metrics
        if name in scores and scores[name].value is not None
    ]
    return yaml.safe_dump(eval_result_entries_to_yaml(found), sort_keys=False, allow_unicode=False)


def _notes(entry: Entry, submission: ModelSubmission) -> str:
    fields: Mapping[str, object] = submission.strategy.fields
    draws = f", {fields['draws']} draws" if "draws" in fields else ""
    chosen = "".join(f", {name}={value}" for name, value in run_metadata(submission.corpus).items())
    return f"{submission.strategy.name}{draws}{chosen}, {entry.status}"
