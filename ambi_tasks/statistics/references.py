"""The floors and the human ceiling of a corpus, with intervals, as one result."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ambi_tasks.corpora.corpus import Utterance
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule
from ambi_tasks.metrics import get_metric
from ambi_tasks.metrics.validation import Floats
from ambi_tasks.statistics.bootstrap import clustered_intervals
from ambi_tasks.statistics.ceiling import fresh_panel, scored_metrics, scores, split_half
from ambi_tasks.statistics.floors import label_prior, uniform
from ambi_tasks.statistics.votes import VoteTable, vote_table


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over utterances with its 95 % interval.

    Attributes:
        value: The mean.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ReferenceScores:
    """Floors and ceilings of a corpus under a label rule, all on the same utterances.

    Attributes:
        scores: Reference -> metric -> score. The references are `uniform`, `label_prior`,
            `split_half` (the human ceiling) and `fresh_panel`.
        utterances: How many were scored: those with at least two annotators whose vote counts.
        speakers: How many speakers they have.
        annotators: Annotators whose vote counts per scored utterance, on average.
        too_few_annotators: Utterances with a soft label that were not scored, because it is that of
            one annotator.
        dropped: Utterances without a soft label or without sound, by reason.
        label_rule: The rule that made the soft labels.
        repetitions: Splits, and panels, per utterance.
        resamples: Resamples of the speakers for the intervals.
        seed: Where all randomness came from.
    """

    scores: Mapping[str, Mapping[str, Score]]
    utterances: int
    speakers: int
    annotators: float
    too_few_annotators: int
    dropped: Mapping[str, int]
    label_rule: LabelRule
    repetitions: int
    resamples: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Everything as dictionaries, lists, numbers and strings."""
        content = asdict(self)
        content["label_rule"]["classes"] = list(self.label_rule.classes)
        return content

    def to_markdown(self) -> str:
        """A table, one row per metric and one column per reference."""
        lines = [
            "| metric | " + " | ".join(self.scores) + " |",
            "|---|" + "--:|" * len(self.scores),
        ]
        for metric in next(iter(self.scores.values())):
            better = "higher" if get_metric(metric).higher_is_better else "lower"
            cells = [_cell(by_metric[metric]) for by_metric in self.scores.values()]
            lines.append(f"| {metric}, {better} is better | " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def summary(self) -> str:
        """One sentence on what was scored and what was not."""
        reasons = {"too_few_annotators": self.too_few_annotators, **self.dropped}
        left_out = ", ".join(f"{reason}: {count}" for reason, count in reasons.items())
        return (
            f"{self.utterances} utterances of {self.speakers} speakers, {self.annotators:.2f} "
            f"annotators each on average; left out {sum(reasons.values())} ({left_out})."
        )


def reference_scores(
    utterances: Iterable[Utterance],
    rule: LabelRule,
    *,
    seed: int,
    repetitions: int = 200,
    resamples: int = 2000,
    silent: Collection[str] = (),
) -> ReferenceScores:
    """Score the floors and the annotators themselves by every metric of distributions.

    Values are means over utterances. Intervals are 95 % percentile intervals over resampled
    speakers (`clustered_intervals`), with the values of the utterances as they are: they say how
    the numbers would vary with other speakers, not with other annotators.

    Args:
        utterances: As a corpus yields them; their audio is not touched.
        rule: From votes to classes.
        seed: At least 0; equal seeds give equal results, in whatever order utterances and votes
            come.
        repetitions: Splits, and panels, per utterance.
        resamples: Resamples of the speakers.
        silent: Names of utterances to leave out, as a run does: see `Corpus.silent`.

    Raises:
        UserError: A setting is out of range, no utterance has two annotators whose vote counts, or
            all those that have are of one speaker.
    """
    for name, setting, least in (
        ("seed", seed, 0),
        ("repetitions", repetitions, 1),
        ("resamples", resamples, 1),
    ):
        if setting < least:
            raise UserError(f"The {name} of reference scores is {setting}, but at least {least}.")
    table = vote_table(utterances, rule, silent=silent)
    speakers = len(np.unique(table.speakers))
    _check(table, speakers)
    halves_rng, panels_rng, bootstrap_rng = np.random.default_rng(seed).spawn(3)
    truth = table.distributions
    values = {
        "uniform": scores(truth, uniform(truth)),
        "label_prior": scores(truth, label_prior(truth, table.speakers)),
        "split_half": split_half(table, rng=halves_rng, repetitions=repetitions),
        "fresh_panel": fresh_panel(table, rng=panels_rng, repetitions=repetitions),
    }
    intervals = clustered_intervals(
        np.hstack(list(values.values())), table.speakers, rng=bootstrap_rng, resamples=resamples
    )
    ends = np.split(intervals, len(values))
    return ReferenceScores(
        scores={
            name: _scores_by_metric(columns.mean(axis=0), its_ends)
            for (name, columns), its_ends in zip(values.items(), ends, strict=True)
        },
        utterances=len(truth),
        speakers=speakers,
        annotators=float(table.annotators.mean()),
        too_few_annotators=table.too_few_annotators,
        dropped=table.dropped,
        label_rule=rule,
        repetitions=repetitions,
        resamples=resamples,
        seed=seed,
    )


def _check(table: VoteTable, speakers: int) -> None:
    if speakers == 0:
        dropped = sum(table.dropped.values())
        raise UserError(
            "No utterance has two annotators whose vote counts, so there is no agreement to "
            f"measure ({table.too_few_annotators} have one; {dropped} have no soft label)."
        )
    if speakers == 1:
        raise UserError(
            f"All utterances with two annotators are of the speaker '{table.speakers[0]}', but the "
            "label prior and the intervals need two or more speakers."
        )


def _scores_by_metric(means: Floats, ends: Floats) -> dict[str, Score]:
    return {
        metric.name: Score(float(mean), float(low), float(high))
        for metric, mean, (low, high) in zip(scored_metrics(), means, ends, strict=True)
    }


def _cell(score: Score) -> str:
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
