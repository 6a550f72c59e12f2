"""An entry of the board: a submission without a fault, and the run that statistics read of it."""

import datetime
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ambi_tasks.leaderboard.predictions import Predictions
from ambi_tasks.leaderboard.reading import Finding
from ambi_tasks.leaderboard.submission import ModelSubmission, Submission
from ambi_tasks.leaderboard.truth import Truth
from ambi_tasks.statistics import Run

VALID_DAYS = 365
"""How long an entry of a model behind an interface counts: it may change under the same name."""

Status: TypeAlias = Literal["recomputed", "self-reported"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission without a fault.

    Attributes:
        key: `<org>__<model>/<corpus>/<strategy>`, unique on the board.
        submission: What it says of itself.
        predictions: None for the human ceiling, which has none.
        truth: The votes; None where no copy of the corpus is at hand.
        status: Whether its scores were computed anew, from predictions and votes, or are its word.
        warnings: What looks wrong, for people to judge.
    """

    key: str
    submission: Submission
    predictions: Predictions | None
    truth: Truth | None
    status: Status
    warnings: tuple[Finding, ...] = ()

    @property
    def is_reference(self) -> bool:
        """Whether it is a floor or the human ceiling."""
        return not isinstance(self.submission, ModelSubmission)

    @property
    def comparable(self) -> tuple[str, str, str]:
        """Entries compare only where these are equal: the corpus, the hash of its truth, its rule.

        The rule is part of the hash, but without votes nobody knows whether a hash is true.
        """
        corpus = self.submission.corpus
        return corpus.name, corpus.manifest_sha256, corpus.label_rule.model_dump_json()

    @property
    def expires(self) -> datetime.date | None:
        """When it loses its rank: a year after the run, where the weights are not open."""
        submission = self.submission
        if not isinstance(submission, ModelSubmission) or submission.model.weights == "open":
            return None
        valid = datetime.timedelta(days=VALID_DAYS)
        return min(submission.evaluated, datetime.date.max - valid) + valid

    def ranks(self, on: datetime.date) -> bool:
        """Whether it takes part in ranks on a day.

        References do not, nor what has expired or would expire later by a day that is yet to come,
        what was trained on the corpus's labels, and controls.

        Args:
            on: The day.
        """
        submission = self.submission
        if not isinstance(submission, ModelSubmission) or submission.model.control:
            return False
        if submission.training.saw_corpus == "labels":
            return False
        return self.expires is None or submission.evaluated <= on < self.expires

    @property
    def run(self) -> Run | None:
        """What statistics read; None where there are no predictions or no votes."""
        if self.predictions is None or self.truth is None:
            return None
        return run_of(self.key, self.predictions, self.truth)


def run_of(name: str, predictions: Predictions, truth: Truth) -> Run:
    """Predictions beside the votes.

    Args:
        name: What results call the run.
        predictions: Of the same utterances.
        truth: The votes.
    """
    counts = predictions.counts
    inputs: dict[Any, Any] = {
        "distributions": (truth.soft_labels, predictions.distributions),
        "draws": (counts["parsed"].astype(float), counts["draws"].astype(float)),
    }
    if counts["asked"].all():
        inputs["verdicts"] = (counts["verified"].astype(float), counts["asked"].astype(float))
    return Run(name, truth.ids, truth.speakers, truth.rule, inputs)
