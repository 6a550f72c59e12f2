"""All numbers of a report on runs that compare, before any of them is shown."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.metrics import Metric
from ambi_tasks.report.breakdown import Breakdown, breakdowns
from ambi_tasks.report.comparable import Group
from ambi_tasks.report.compute import Cost, cost, curve_of
from ambi_tasks.report.curve import Point
from ambi_tasks.report.extremes import Audio, Extremes, extremes
from ambi_tasks.report.logged_run import LoggedRun
from ambi_tasks.report.palette import SHOWN
from ambi_tasks.report.scores import GroupScores, score_group

PARTS_BY = ("js", "bc", "acc")
"""Metrics by which parts of a corpus are scored, beside the primary one."""

STEPS = 4
"""Of `analyse`."""

_PER_UTTERANCE = "js"  # where the primary metric has no value of an utterance


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user chooses of a report.

    Attributes:
        primary: Name of the metric that runs are ordered by.
        seed: Of all resamples, splits and choices.
        resamples: Of the speakers.
        audio: How the audio of the shown utterances is given.
    """

    primary: str = "js"
    seed: int = 1234
    resamples: int = 10_000
    audio: Audio = "link"


@dataclass(frozen=True, slots=True)
class Label:
    """What tables call a run.

    Attributes:
        model: The model.
        strategy: The strategy; with the time where the model ran it more than once.
    """

    model: str
    strategy: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """The numbers of a group.

    Attributes:
        slug: Begins the names of its files.
        title: Of the corpus.
        suffix: Ends the title where there are several groups of the corpus.
        group: The runs.
        labels: Name of a run -> what tables call it.
        primary: The metric that runs are ordered by, with its options.
        per_utterance: The same, or `js` where that has no value of an utterance.
        part_metrics: By which parts of the corpus are scored.
        scores: Scores, ranks, floors, ceiling, skill.
        breakdowns: Scores of parts of the corpus.
        costs: Name -> what the run took.
        curves: Name -> the curve of its draws, of those that have one.
        extremes: Name -> its best and worst utterances, of the shown ones.
    """

    slug: str
    title: str
    suffix: str
    group: Group
    labels: Mapping[str, Label]
    primary: Metric
    per_utterance: Metric
    part_metrics: tuple[Metric, ...]
    scores: GroupScores
    breakdowns: tuple[Breakdown, ...]
    costs: Mapping[str, Cost]
    curves: Mapping[str, Sequence[Point]]
    extremes: Mapping[str, Extremes]

    @property
    def name(self) -> str:
        """What the group is called."""
        return self.title + self.suffix

    @property
    def ordered(self) -> list[LoggedRun]:
        """The runs, best first."""
        by_name = {one.run.name: one for one in self.group.runs}
        return [by_name[name] for name in self.scores.order]

    @property
    def shown(self) -> list[LoggedRun]:
        """The best runs, as many as a figure can tell apart."""
        return self.ordered[:SHOWN]


def analyse(
    group: Group,
    slug: str,
    settings: Settings,
    *,
    suffix: str = "",
    step: Callable[[str], None] = lambda _: None,
) -> Analysis:
    """Compute all numbers of a group.

    Args:
        group: Runs that compare.
        slug: Begins the names of its files.
        settings: What the user chose.
        suffix: See `Analysis`.
        step: Is told what comes next, `STEPS` times.
    """
    metrics = group.metrics
    primary = metrics[settings.primary]
    fits = primary.level == "utterance" and primary.needs == "distributions"
    per_utterance = primary if fits else metrics[_PER_UTTERANCE]
    part_metrics = [
        metrics[name]
        for name in dict.fromkeys((settings.primary, *PARTS_BY))
        if metrics[name].needs == "distributions"
    ]
    step("scores")
    scores = score_group(group, primary, seed=settings.seed, resamples=settings.resamples)
    step("parts of the corpus")
    parts = breakdowns(group, part_metrics, seed=settings.seed, resamples=settings.resamples)
    by_name = {one.run.name: one for one in group.runs}
    step("curves")
    curves = {
        name: points
        for name, one in by_name.items()
        if (points := curve_of(one, per_utterance, seed=settings.seed))
    }
    step("utterances")
    ends = {
        name: extremes(by_name[name], per_utterance, audio=settings.audio)
        for name in scores.order[:SHOWN]
    }
    return Analysis(
        slug=slug,
        title=corpus_title(group.corpus),
        suffix=suffix,
        group=group,
        labels=_labels(group),
        primary=primary,
        per_utterance=per_utterance,
        part_metrics=tuple(part_metrics),
        scores=scores,
        breakdowns=tuple(parts),
        costs={name: cost(one) for name, one in by_name.items()},
        curves=curves,
        extremes=ends,
    )


def corpus_title(name: str) -> str:
    """A corpus's name for people; its short name where we do not know it."""
    known = all_corpora()
    return known[name].title if name in known else name


def _labels(group: Group) -> dict[str, Label]:
    pairs = Counter((one.log.model, one.strategy["name"]) for one in group.runs)
    labels = {}
    for one in group.runs:
        model, strategy = one.log.model, one.strategy["name"]
        again = pairs[model, strategy] > 1
        labels[one.run.name] = Label(model, f"{strategy} ({one.log.time})" if again else strategy)
    return labels
