"""The one HTML page of a report: no address outside of itself is ever asked for anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import jinja2
from markupsafe import Markup

import ambi_tasks
from ambi_tasks.labels import rule_summary
from ambi_tasks.metrics import get_metric
from ambi_tasks.report import figures, tables
from ambi_tasks.report.analysis import Analysis, Label
from ambi_tasks.report.breakdown import Breakdown
from ambi_tasks.report.drawing import Figure, picture
from ambi_tasks.report.extremes import Extremes
from ambi_tasks.report.scores import CEILING
from ambi_tasks.report.table import Table, interval_text, number_text
from ambi_tasks.statistics import Score

ANSWERS_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Block:
    """A heading with what stands under it.

    Attributes:
        id: Of the heading, for links.
        title: The heading.
        text: A paragraph.
        figures: Shown.
        tables: Shown where there are no figures, otherwise to be opened.
        open: Whether tables are shown in any case.
    """

    id: str
    title: str
    text: str = ""
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """What is said of runs that compare.

    Attributes:
        id: For links.
        title: Of the corpus.
        facts: Name -> what is so.
        apart: Why other runs of the corpus stand in a section of their own.
        blocks: In order.
        utterances: The shown runs with their best and worst utterances.
    """

    id: str
    title: str
    facts: dict[str, str]
    apart: Sequence[str]
    blocks: Sequence[Block]
    utterances: Sequence[tuple[Label, str, Extremes]] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All that a page shows.

    Attributes:
        sections: One for each group of runs that compare.
        overview: What spans all of them.
        left_out: A sentence for each run that is not in the report.
        skipped: A sentence for each task of others.
        settings: Name -> what was chosen.
    """

    sections: Sequence[Section]
    overview: Sequence[Block]
    left_out: Sequence[str] = ()
    skipped: Sequence[str] = ()
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """What is not in the report, a sentence each."""
        return [*self.left_out, *self.skipped]

    @property
    def blocks(self) -> list[Block]:
        """All blocks."""
        return [*self.overview, *(block for one in self.sections for block in one.blocks)]


# --- what is shown -------------------------------------------------------------------------------


def section(analysis: Analysis) -> Section:
    """All that is said of a group; draws its figures.

    Args:
        analysis: Its numbers.
    """
    slug = analysis.slug
    failures = figures.failure_figure(analysis)
    more = [tables.all_table(analysis)]
    if any(analysis.scores.skill.values()):
        more.append(tables.skill_table(analysis))
    blocks = [
        Block(
            f"{slug}-scores",
            "Scores",
            _about_scores(analysis),
            [figures.score_figure(analysis)],
            [tables.main_table(analysis)],
            open=True,
        ),
        Block(f"{slug}-more", "Further metrics and skill", "", (), more),
        *(
            Block(
                f"{slug}-by-{one.slug}",
                f"By {one.by}",
                _about_parts(one.slug),
                [figures.part_figure(analysis, one)],
                [tables.part_table(analysis, one), *_shares(analysis, one)],
            )
            for one in analysis.breakdowns
        ),
        Block(
            f"{slug}-entropy",
            "Does it know what is ambiguous?",
            "A model that hears ambiguity spreads its prediction where annotators disagree: its "
            "entropy rises with theirs.",
            [figures.entropy_figure(analysis)],
            [tables.entropy_table(analysis)],
        ),
        Block(
            f"{slug}-reliability",
            "Reliability",
            "",
            [figures.reliability_figure(analysis)],
            [tables.reliability_table(analysis)],
        ),
        Block(
            f"{slug}-compute",
            "Quality and compute",
            "",
            [figures.compute_figure(analysis)],
            [tables.cost_table(analysis)],
        ),
        Block(
            f"{slug}-failures",
            "Answers that could not be read",
            "" if failures else "Every candidate of every run could be read.",
            [failures] if failures else [],
            [tables.failure_table(analysis)],
        ),
        Block(
            f"{slug}-utterances",
            "Best and worst utterances",
            f"By {analysis.per_utterance.name}, of the best runs. Bars are the shares of the "
            "annotators' votes and the prediction.",
            (),
            [tables.utterance_table(analysis)],
        ),
    ]
    shown = [
        (
            analysis.labels[one.run.name],
            number_text(analysis.scores.runs[one.run.name][analysis.primary.name].value, 3),
            analysis.extremes[one.run.name],
        )
        for one in analysis.shown
    ]
    return Section(slug, analysis.name, _facts(analysis), analysis.group.apart, blocks, shown)


def overview(analyses: Sequence[Analysis]) -> list[Block]:
    """What spans all groups."""
    matrix = tables.matrix_table(analyses)
    return [
        Block(
            "matrix",
            "Strategy, corpus and model",
            matrix.note,
            figures.matrix_figures(matrix),
            [matrix],
        ),
        Block("runs", "Runs", "", (), [tables.run_table(analyses)]),
    ]


def _facts(analysis: Analysis) -> dict[str, str]:
    first = analysis.group.runs[0]
    corpus, rule = first.corpus, first.run.rule
    options = ", ".join(f"{name}={value}" for name, value in corpus.options.items())
    chosen = [
        f"{name}: {option}={value}"
        for name, metric in first.metrics.items()
        for option, value in metric.options.items()
        if get_metric(name).options[option] != value
    ]
    speakers = len(set(first.run.speakers.tolist()))
    facts = {
        "utterances": f"{len(first.run.ids):,} of {speakers:,} speakers",
        "classes": ", ".join(rule.classes),
        "label rule": rule_summary(rule),
        "options of the corpus": options,
        "options of metrics": ", ".join(chosen),
        "release": corpus.release,
        "licence": corpus.licence,
        "hash of utterances, votes and rule": corpus.manifest_sha256[:16],
    }
    return {name: value for name, value in facts.items() if value}


def _about_scores(analysis: Analysis) -> str:
    text = (
        "Intervals are 95 % over resampled speakers. A rank is the group, and in brackets the best "
        "and the worst place that the paired tests allow, Holm's correction included; scores of "
        "the first group by a metric are bold where there is more than one group. Do not compare "
        "two intervals by eye: ambi compare tests pairs."
    )
    if CEILING in analysis.scores.references.scores:
        text += (
            " The human ceiling is half of the annotators predicting the other half; it is "
            "conservative, and a model may pass it."
        )
    return text


def _about_parts(slug: str) -> str:
    return {
        "ambiguity": "Unanimous votes, and thirds of the others by the entropy of their votes.",
        "class": "Utterances by the class with most votes; acc is then that class's recall.",
    }.get(slug, "")


def _shares(analysis: Analysis, breakdown: Breakdown) -> list[Table]:
    return [tables.share_table(analysis)] if breakdown.slug == "class" else []


# --- how it is shown -----------------------------------------------------------------------------


def render(report: Report) -> str:
    """The page.

    Args:
        report: What is shown.
    """
    place = files("ambi_tasks.report").joinpath("assets")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: place.joinpath(name).read_text("utf-8")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": number_text, "interval": interval_text, "picture": picture}
    environment.tests |= {"score": lambda cell: isinstance(cell, Score)}
    return environment.get_template("page.html.j2").render(
        report=report,
        version=ambi_tasks.__version__,
        style=Markup(place.joinpath("page.css").read_text("utf-8")),  # noqa: S704 - our own
        script=Markup(place.joinpath("page.js").read_text("utf-8")),  # noqa: S704
        answers_shown=ANSWERS_SHOWN,
    )
