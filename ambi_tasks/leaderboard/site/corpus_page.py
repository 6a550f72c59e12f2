"""What the page of a corpus shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ambi_tasks.labels import rule_summary
from ambi_tasks.leaderboard.scores import STRATA
from ambi_tasks.leaderboard.site.columns import MODEL_COLUMNS, Column, main_columns, metric_column
from ambi_tasks.leaderboard.site.compute import Unit, fronts
from ambi_tasks.leaderboard.site.figures import compute_figure, gain_figure, inline
from ambi_tasks.leaderboard.site.overall import is_demonstration
from ambi_tasks.leaderboard.site.standings import PRIMARY, Standing, Standings
from ambi_tasks.leaderboard.site.wording import OTHERS, corpus_title, in_order, listed
from ambi_tasks.leaderboard.submission import Reference, Stratum
from ambi_tasks.leaderboard.truth import board_corpora
from ambi_tasks.report.published import published


@dataclass(frozen=True, slots=True)
class Reported:
    """Numbers of others that nobody can compute again."""

    source: str
    note: str
    model: str
    metrics: Sequence[str]
    scores: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class GroupView:
    """What a page shows of entries that compare."""

    id: str
    title: str
    facts: Mapping[str, str]
    models: Sequence[Standing]
    several_groups: bool
    references: Mapping[Reference, Standing]
    metrics: Sequence[str]
    columns: Sequence[Column]
    strategies: Sequence[str]
    strata: Sequence[Stratum]
    stratum_columns: Sequence[Column]
    sizes: Mapping[Stratum, int]
    gains: Sequence[Standing]
    gain_columns: Sequence[Column]
    gain_figures: Sequence[Markup]
    front: Sequence[Standing]
    compute_columns: Sequence[Column]
    compute_figures: Sequence[Markup]
    front_keys: Mapping[Unit, frozenset[str]]
    reported: Reported | None


@dataclass(frozen=True, slots=True)
class CorpusView:
    """The page of a corpus."""

    title: str
    demonstration: bool
    groups: Sequence[GroupView]
    reported: Reported | None


def corpus_view(name: str, groups: Sequence[Standings]) -> CorpusView:
    """Put together what the page shows.

    Args:
        name: Of the corpus.
        groups: Its entries.
    """
    reported = _reported(name)
    views = [
        _group(group, number, len(groups), reported if group.is_default else None)
        for number, group in enumerate(groups, start=1)
    ]
    return CorpusView(corpus_title(name), is_demonstration(name), views, reported)


def _group(group: Standings, number: int, count: int, reported: Reported | None) -> GroupView:
    record = group.corpus
    slug = f"{record.name}-{number}"
    present = [m for m in OTHERS if any(m in one.scores for one in group.everybody)]
    known = {stratum for one in group.everybody for stratum in one.strata}
    strata = [stratum for stratum in STRATA if stratum in known]
    gains = sorted(
        (one for one in group.models if one.gain is not None),
        key=lambda one: (-one.gain.better.value if one.gain else 0, one.entry.key),
    )
    on_front = fronts(group.models)
    any_front = {point.key for front in on_front.values() for point in front}
    compute, gain = compute_figure(group, f"{slug}-compute"), gain_figure(group, f"{slug}-gains")
    return GroupView(
        id=slug,
        title="Scores" if count == 1 else f"Scores by the label rule {group.rule}, part {number}",
        facts=_corpus_facts(group),
        models=group.models,
        several_groups=len({one.rank.group for one in group.models if one.rank}) > 1,
        references=group.references,
        metrics=present,
        columns=main_columns(present),
        strategies=sorted({one.model.strategy.name for one in group.models}),
        strata=strata,
        stratum_columns=[*MODEL_COLUMNS, *(Column(stratum) for stratum in strata)],
        sizes=group.stratum_sizes,
        gains=gains,
        gain_columns=[
            *MODEL_COLUMNS,
            Column("gain ↑", descending=True, sorted="descending"),
            Column("p (Holm)"),
            Column("verdict", number=False),
        ],
        gain_figures=[] if gain is None else [inline(gain)],
        front=[one for one in group.models if one.entry.key in any_front],
        compute_columns=[
            *MODEL_COLUMNS,
            Column("draws"),
            Column("tokens"),
            metric_column(PRIMARY, sorted_now=True),
            Column("on the front", number=False),
        ],
        compute_figures=[] if compute is None else [inline(compute)],
        front_keys={
            unit: frozenset(point.key for point in front) for unit, front in on_front.items()
        },
        reported=reported,
    )


def _corpus_facts(group: Standings) -> dict[str, str]:
    record = group.corpus
    corpus = board_corpora()[record.name]
    dropped = sum(record.dropped.values())
    return {
        "corpus": corpus.title,
        "classes": ", ".join(record.label_rule.classes),
        "label rule": f"{group.rule}: {rule_summary(record.label_rule.rule())}",
        "options": listed(record.options),
        "utterances": f"{record.utterances:,}" + (f" ({dropped:,} left out)" if dropped else ""),
        "speakers": "" if group.speakers is None else f"{group.speakers:,}",
        "licence": corpus.licence,
        "manifest": record.manifest_sha256[:16],
    }


def _reported(corpus: str) -> Reported | None:
    known = published()
    scores = known.scores.get(corpus)
    if not scores:
        return None
    metrics = in_order(name for one in scores.values() for name in one)
    return Reported(known.source, known.note, known.model, metrics, scores)
