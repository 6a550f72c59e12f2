"""The tables of a report."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ambi_tasks.metrics import Metric
from ambi_tasks.report.analysis import Analysis, corpus_title
from ambi_tasks.report.breakdown import Breakdown
from ambi_tasks.report.logged_run import LoggedRun
from ambi_tasks.report.profile import entropy_profile, reliability
from ambi_tasks.report.published import published
from ambi_tasks.report.scores import CEILING, FLOOR, MAIN
from ambi_tasks.report.table import Cell, Column, Row, Table
from ambi_tasks.statistics import Rank, Score

MATRIX_METRICS = ("js", "bc", "r2", "acc")
"""Metrics of the paper's tables."""

STRATEGY_ORDER = ("direct", "cot", "sc", "bon", "wbon", "almv", "walmv", "tlr")

REFERENCES = {
    "uniform": "floor: uniform",
    FLOOR: "floor: label prior",
    CEILING: "human ceiling: split-half",
}

_RUN = (Column("model"), Column("strategy"))


# --- scores --------------------------------------------------------------------------------------


def main_table(analysis: Analysis) -> Table:
    """Runs with the main metrics, ranks and skill; floors and ceiling below."""
    metrics = [one for one in _all_metrics(analysis) if one.name in MAIN]
    metrics.sort(key=lambda one: (one.name != analysis.primary.name, MAIN.index(one.name)))
    return _scores_table(
        analysis,
        f"{analysis.slug}-main",
        f"Scores on {analysis.name}, best first by {analysis.primary.name}; in brackets 95 % "
        "intervals over resampled speakers",
        metrics,
    )


def all_table(analysis: Analysis) -> Table:
    """Runs with the metrics that the main table leaves out."""
    metrics = [one for one in _all_metrics(analysis) if one.name not in MAIN]
    return _scores_table(
        analysis,
        f"{analysis.slug}-more",
        f"Further scores on {analysis.name}, in the same order",
        metrics,
    )


def skill_table(analysis: Analysis) -> Table:
    """Each run's share of the way from floor to ceiling."""
    skill = analysis.scores.skill
    names = [
        one.name for one in _all_metrics(analysis) if any(one.name in by for by in skill.values())
    ]
    return Table(
        f"{analysis.slug}-skill",
        f"Skill on {analysis.name}: 0 is the floor ({REFERENCES[FLOOR].split(': ')[1]}), 1 the "
        "human ceiling (split-half)",
        (*_RUN, *(Column(name, higher_is_better=True) for name in names)),
        tuple(
            Row((*_label(analysis, one), *(skill[one.run.name].get(name) for name in names)))
            for one in analysis.ordered
        ),
    )


def _scores_table(analysis: Analysis, name: str, caption: str, metrics: Sequence[Metric]) -> Table:
    scores = analysis.scores
    rows = []
    for one in analysis.ordered:
        run = one.run.name
        cells: list[Cell] = [_rank(analysis, run), *_label(analysis, one)]
        marked = set()
        for metric in metrics:
            if _leads(analysis, metric.name, run):
                marked.add(len(cells))
            cells.append(scores.runs[run].get(metric.name))
        cells.append(scores.skill[run].get(analysis.primary.name))
        rows.append(Row(tuple(cells), frozenset(marked)))
    for reference, by_metric in scores.references.scores.items():
        values = [by_metric.get(metric.name) for metric in metrics]
        skill = {FLOOR: 0.0, CEILING: 1.0}.get(reference) if any(scores.skill.values()) else None
        rows.append(Row((None, REFERENCES[reference], None, *values, skill), reference=True))
    columns = (
        Column("rank", hint="group (from best to worst rank that the tests allow)"),
        *_RUN,
        *(Column(one.name, one.higher_is_better, hint=_options(one)) for one in metrics),
        Column(f"skill ({analysis.primary.name})", higher_is_better=True, digits=2),
    )
    note = " ".join(filter(None, (scores.note, scores.references.note)))
    return Table(name, caption, columns, tuple(rows), note)


def _rank(analysis: Analysis, run: str) -> str | None:
    rank = _rank_of(analysis, analysis.primary.name, run)
    if rank is None:
        return None
    span = f"{rank.best}" if rank.best == rank.worst else f"{rank.best} to {rank.worst}"
    return f"{rank.group} ({span})"


def _rank_of(analysis: Analysis, metric: str, run: str) -> Rank | None:
    ranks = analysis.scores.ranking.ranks.get(metric, ())
    return next((one for one in ranks if one.name == run), None)


def _leads(analysis: Analysis, metric: str, run: str) -> bool:
    """Whether a run is in the first group by a metric, where there is more than one group."""
    ranks = analysis.scores.ranking.ranks.get(metric, ())
    several = len({one.group for one in ranks}) > 1
    return several and any(one.name == run and one.group == 1 for one in ranks)


def _options(metric: Metric) -> str:
    return ", ".join(f"{name}={value}" for name, value in metric.options.items())


def _all_metrics(analysis: Analysis) -> list[Metric]:
    """Those that any run has a score of."""
    scored = {name for by_metric in analysis.scores.runs.values() for name in by_metric}
    return [one for name, one in analysis.group.metrics.items() if name in scored]


def _label(analysis: Analysis, run: LoggedRun) -> tuple[str, str]:
    label = analysis.labels[run.run.name]
    return label.model, label.strategy


# --- parts of the corpus -------------------------------------------------------------------------


def part_table(analysis: Analysis, breakdown: Breakdown) -> Table:
    """Scores of each part by one criterion."""
    rows = [
        Row(
            (
                *_label(analysis, one),
                part.name,
                part.size,
                *(breakdown.scores[one.run.name][part.name][m.name] for m in analysis.part_metrics),
            )
        )
        for one in analysis.ordered
        for part in breakdown.parts
    ]
    return Table(
        f"{analysis.slug}-by-{breakdown.slug}",
        f"Scores on {analysis.name} by {breakdown.by}",
        (
            *_RUN,
            Column(breakdown.by),
            Column("utterances"),
            *(Column(one.name, one.higher_is_better) for one in analysis.part_metrics),
        ),
        tuple(rows),
        breakdown.note,
    )


def share_table(analysis: Analysis) -> Table:
    """How often each class is voted for and predicted, on average."""
    rows = []
    for one in analysis.ordered:
        votes, predicted = one.truth.mean(axis=0).tolist(), one.prediction.mean(axis=0).tolist()
        for label, voted, said in zip(one.run.rule.classes, votes, predicted, strict=True):
            rows.append(Row((*_label(analysis, one), label, voted, said, said - voted)))
    return Table(
        f"{analysis.slug}-classes",
        f"Mean share of each class in votes and predictions on {analysis.name}",
        (*_RUN, Column("class"), Column("votes"), Column("predicted"), Column("difference")),
        tuple(rows),
    )


def entropy_table(analysis: Analysis) -> Table:
    """Entropy of predictions where the votes' entropy lies in a bin."""
    rows = [
        Row(
            (
                *_label(analysis, one),
                f"{found.low:.2f} to {found.high:.2f}",
                found.utterances,
                found.votes,
                found.prediction,
                found.lower,
                found.upper,
            )
        )
        for one in analysis.ordered
        for found in entropy_profile(one)
    ]
    heads = ("votes' entropy", "utterances", "mean of votes", "mean of predictions")
    return Table(
        f"{analysis.slug}-entropy",
        f"Entropy of predictions against entropy of votes on {analysis.name}, in bits",
        (*_RUN, *map(Column, heads), Column("lower quartile"), Column("upper quartile")),
        tuple(rows),
    )


def reliability_table(analysis: Analysis) -> Table:
    """The bins of the calibration error."""
    rows = [
        Row(
            (
                *_label(analysis, one),
                f"{found.low:.2f} to {found.high:.2f}",
                found.utterances,
                found.confidence,
                found.correctness,
                found.confidence - found.correctness,
            )
        )
        for one in analysis.ordered
        for found in reliability(one)
        if found.utterances
    ]
    heads = ("confidence", "utterances", "mean confidence", "annotators who agree", "difference")
    return Table(
        f"{analysis.slug}-reliability",
        f"Reliability on {analysis.name} ({_options(analysis.group.metrics['ece'])})",
        (*_RUN, *map(Column, heads)),
        tuple(rows),
        "Bins without utterances are left out.",
    )


# --- cost and failures ---------------------------------------------------------------------------


def cost_table(analysis: Analysis) -> Table:
    """What each run took, and the points of its curve."""
    metric = analysis.per_utterance
    rows = []
    for one in analysis.ordered:
        name = one.run.name
        taken = analysis.costs[name]
        score = analysis.scores.runs[name][metric.name].value
        whole = (taken.candidates, taken.tokens, taken.seconds, score)
        rows.append(Row((*_label(analysis, one), "the run", *whole)))
        for point in analysis.curves.get(name, ()):
            seconds = taken.seconds_of(point.draws)
            part = (float(point.draws), point.tokens, seconds, point.subset)
            rows.append(Row((*_label(analysis, one), "choices of its draws", *part)))
    return Table(
        f"{analysis.slug}-compute",
        f"Quality and compute on {analysis.name}, per utterance",
        (
            *_RUN,
            Column("of"),
            Column("candidates", digits=1),
            Column("generated tokens", digits=1),
            Column("seconds", digits=3),
            Column(metric.name, metric.higher_is_better),
        ),
        tuple(rows),
        "Seconds are those of answering, without loading the weights, and known where a run had "
        "one task alone. Those of fewer draws are their share of all draws' seconds, which is a "
        "lower bound: a clip is read once, for few draws as for many.",
    )


def failure_table(analysis: Analysis) -> Table:
    """Candidates and verdicts that could not be read, by kind."""
    kinds = list(dict.fromkeys(kind for one in analysis.ordered for kind in one.failures))
    verdicts = list(
        dict.fromkeys(kind for one in analysis.ordered for kind in one.verdict_failures)
    )
    rows = []
    for one in analysis.ordered:
        total = int(one.utterances.candidates.sum())
        unread = total - int(one.utterances.read.sum())
        rows.append(
            Row(
                (
                    *_label(analysis, one),
                    total,
                    unread,
                    unread / total if total else None,
                    int((~one.utterances.answered).sum()),
                    *(one.failures.get(kind, 0) for kind in kinds),
                    *(one.verdict_failures.get(kind, 0) for kind in verdicts),
                )
            )
        )
    return Table(
        f"{analysis.slug}-failures",
        f"Candidates on {analysis.name} that could not be read, by kind",
        (
            *_RUN,
            Column("candidates"),
            Column("failed"),
            Column("share failed"),
            Column("unanswered utterances", hint="no candidate could be read: scored as uniform"),
            *map(Column, kinds),
            *(Column(f"verdict: {kind}") for kind in verdicts),
        ),
        tuple(rows),
    )


# --- utterances ----------------------------------------------------------------------------------


def utterance_table(analysis: Analysis) -> Table:
    """The best and worst utterances of the shown runs."""
    rows = []
    for one in analysis.shown:
        ends = analysis.extremes[one.run.name]
        for end, shown in (("best", ends.best), ("worst", ends.worst)):
            for place, found in enumerate(shown, start=1):
                cells = (end, place, found.id, found.speaker, found.score, found.entropy)
                rows.append(Row((*_label(analysis, one), *cells)))
    metric = analysis.per_utterance
    return Table(
        f"{analysis.slug}-utterances",
        f"Best and worst utterances on {analysis.name} by {metric.name}",
        (
            *_RUN,
            *map(Column, ("end", "place", "utterance", "speaker")),
            Column(metric.name, metric.higher_is_better),
            Column("entropy of votes"),
        ),
        tuple(rows),
    )


# --- all corpora ---------------------------------------------------------------------------------


def matrix_table(analyses: Sequence[Analysis]) -> Table:
    """Corpus x model x strategy, with what was published beside it."""
    rows = [*_measured(analyses), *_reported(dict.fromkeys(one.group.corpus for one in analyses))]
    known = published()
    note = f"Reported scores are those of {known.source}. {known.note}"
    return Table(
        "matrix",
        "Strategy, corpus and model",
        (
            Column("corpus"),
            *_RUN,
            Column("whose", hint="measured by these runs, or reported by others"),
            *(Column(name, name != "js") for name in MATRIX_METRICS),
        ),
        tuple(rows),
        note if any(row.reference for row in rows) else "",
    )


def _measured(analyses: Sequence[Analysis]) -> Iterator[Row]:
    for analysis in analyses:
        ordered = sorted(
            analysis.group.runs,
            key=lambda one: (one.log.model, strategy_place(one.strategy["name"]), one.run.name),
        )
        for one in ordered:
            scores = analysis.scores.runs[one.run.name]
            cells: list[Score | None] = [scores.get(name) for name in MATRIX_METRICS]
            yield Row((analysis.name, *_label(analysis, one), "measured", *cells))


def _reported(corpora: Iterable[str]) -> Iterator[Row]:
    known = published()
    for corpus in corpora:
        for strategy, values in known.scores.get(corpus, {}).items():
            cells = [values.get(name) for name in MATRIX_METRICS]
            yield Row(
                (corpus_title(corpus), known.model, strategy, "reported", *cells), reference=True
            )


def strategy_place(name: str) -> tuple[int, str]:
    """Where a strategy stands among others: by effort, and unknown ones last."""
    known = name in STRATEGY_ORDER
    return (STRATEGY_ORDER.index(name) if known else len(STRATEGY_ORDER), name)


def run_table(analyses: Sequence[Analysis]) -> Table:
    """Every run with what it was made of."""
    rows = []
    for analysis in analyses:
        for one in analysis.ordered:
            log = one.log
            prompt = log.config.get("prompt")
            prompt = prompt if isinstance(prompt, Mapping) else {}
            rows.append(
                Row(
                    (
                        analysis.name,
                        *_label(analysis, one),
                        log.time,
                        len(one.run.ids),
                        _settings(one),
                        f"{prompt.get('id', '?')} v{prompt.get('version', '?')}",
                        str(
                            log.settings.get("model_sha")
                            or log.settings.get("model_revision")
                            or ""
                        ),
                        str(log.settings.get("ambi_tasks_version") or ""),
                        str(log.path),
                    )
                )
            )
    heads = ("time", "utterances", "settings", "prompt", "weights", "ambi_tasks", "sample log")
    return Table(
        "runs",
        "The runs of this report",
        (Column("corpus"), *_RUN, *map(Column, heads)),
        tuple(rows),
    )


def _settings(run: LoggedRun) -> str:
    """What is set of a strategy, without what has a column of its own."""
    shown = {k: v for k, v in run.strategy.items() if k not in ("name", "prompt")}
    return ", ".join(f"{name}={value}" for name, value in shown.items())
