"""The floors and the human ceiling of a corpus, with intervals, as one result."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ambi_tasks.corpora.corpus import Utterance
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule
from ambi_tasks.metrics import Metric, get_metric
from ambi_tasks.statistics.bootstrap import RESAMPLES, Clusters, ClusterSums, resample
from ambi_tasks.statistics.ceiling import fresh_panel, scored_metrics, split_half, statistics
from ambi_tasks.statistics.floors import label_prior, uniform
from ambi_tasks.statistics.inference import Score, intervals
from ambi_tasks.statistics.votes import VoteTable, vote_table


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
    resamples: int = RESAMPLES,
    silent: Collection[str] = (),
) -> ReferenceScores:
    """Score the floors and the annotators themselves by every metric of distributions.

    Intervals are 95 % intervals over resampled speakers (`intervals`), with the statistics of the
    utterances as they are: they say how the numbers would vary with other speakers, not with other
    annotators.

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
    table = vote_table(utterances, rule, silent=silent)
    return table_references(table, rule, seed=seed, repetitions=repetitions, resamples=resamples)


def table_references(
    table: VoteTable,
    rule: LabelRule,
    *,
    seed: int,
    repetitions: int = 200,
    resamples: int = RESAMPLES,
    metrics: Sequence[Metric] | None = None,
) -> ReferenceScores:
    """The same from a table of votes.

    Args:
        table: The votes.
        rule: The rule that made the table.
        seed: As for `reference_scores`, and so for the others.
        repetitions: Splits, and panels, per utterance.
        resamples: Resamples of the speakers.
        metrics: Of distributions, with their options; `scored_metrics` by default.

    Raises:
        UserError: As for `reference_scores`.
    """
    for name, setting, least in (
        ("seed", seed, 0),
        ("repetitions", repetitions, 1),
        ("resamples", resamples, 1),
    ):
        if setting < least:
            raise UserError(f"The {name} of reference scores is {setting}, but at least {least}.")
    speakers = len(np.unique(table.speakers))
    _check(table, speakers)
    halves_rng, panels_rng, bootstrap_rng = np.random.default_rng(seed).spawn(3)
    truth, labels = table.distributions, rule.classes
    chosen = scored_metrics(labels) if metrics is None else list(metrics)
    found = {
        "uniform": statistics(truth, uniform(truth), labels, chosen),
        "label_prior": statistics(truth, label_prior(truth, table.speakers), labels, chosen),
        "split_half": split_half(
            table, labels, rng=halves_rng, repetitions=repetitions, metrics=chosen
        ),
        "fresh_panel": fresh_panel(
            table, labels, rng=panels_rng, repetitions=repetitions, metrics=chosen
        ),
    }
    clusters = Clusters.of(table.speakers)
    sums = [
        ClusterSums.of(metric.name, by_metric[metric.name], clusters, metric)
        for by_metric in found.values()
        for metric in chosen
    ]
    drawn = resample(sums, rng=bootstrap_rng, resamples=resamples)
    return ReferenceScores(
        scores={
            name: intervals(drawn.columns(number * len(chosen), (number + 1) * len(chosen)))
            for number, name in enumerate(found)
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


def _cell(score: Score) -> str:
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
