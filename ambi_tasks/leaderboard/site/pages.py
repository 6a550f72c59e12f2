"""Numbers -> pages. Every text of a submission is a stranger's: Jinja escapes all of them."""

import datetime
import inspect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

import ambi_tasks
from ambi_tasks.labels import rule_summary
from ambi_tasks.leaderboard.board import SUBMISSIONS
from ambi_tasks.leaderboard.command import repeat_command
from ambi_tasks.leaderboard.entry import Status
from ambi_tasks.leaderboard.exports.readme_table import REFERENCE_NAMES
from ambi_tasks.leaderboard.reading import ANSWERS, PREDICTIONS, SUBMISSION, Finding
from ambi_tasks.leaderboard.scores import STRATA
from ambi_tasks.leaderboard.site.compute import UNITS, Unit, cost_of, fronts
from ambi_tasks.leaderboard.site.figures import (
    compute_figure,
    curve_figure,
    curves_of,
    gain_figure,
    inline,
)
from ambi_tasks.leaderboard.site.overall import (
    Overall,
    is_demonstration,
    main_standings,
    overall,
)
from ambi_tasks.leaderboard.site.standings import (
    BASELINE,
    CEILING,
    FLOOR,
    PRIMARY,
    STRATUM_METRICS,
    Standing,
    Standings,
    value_of,
)
from ambi_tasks.leaderboard.submission import (
    ModelSubmission,
    Reference,
    ReferenceSubmission,
    Stratum,
    Weights,
)
from ambi_tasks.leaderboard.truth import board_corpora
from ambi_tasks.metrics import get_metric
from ambi_tasks.report.published import published
from ambi_tasks.report.table import number_text
from ambi_tasks.statistics import Rank
from ambi_tasks.statistics.paired import ALPHA

OTHERS = ("bc", "r2", "acc", "f1_macro", "ece", "ent_corr", "parsed")
"""Metrics of the main table beside `PRIMARY`; the pages of entries have all."""

POLICY = (
    # `file:` is for those who open the pages from a folder, where not every browser takes a file
    # for its own neighbour.
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:; "
    "base-uri 'none'; form-action 'none'"
)

ASSETS = ("site.css", "site.js", "theme.js", "icon.svg")

SHOWN_STATUS: Mapping[Status, str] = {"recomputed": "verified", "self-reported": "self-reported"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head.

    Attributes:
        title: What it is called.
        hint: A word of explanation.
        number: Whether it holds numbers.
        metric: Whether it holds a metric.
        descending: Whether the largest come first at the first click.
        sorted: How it is sorted, at the beginning.
    """

    title: str
    hint: str = ""
    number: bool = True
    metric: bool = False
    descending: bool = False
    sorted: str = ""


@dataclass(frozen=True, slots=True)
class BoardPage:
    """A page in the navigation."""

    path: str
    title: str


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


@dataclass(frozen=True, slots=True)
class Card:
    """What the first page says of a corpus."""

    path: str
    title: str
    models: int
    best: float | None
    floor: float | None
    ceiling: float | None
    demonstration: bool


@dataclass(frozen=True, slots=True)
class IndexView:
    """The first page."""

    cards: Sequence[Card]
    corpora: Sequence[str]
    rows: Sequence[Overall]
    columns: Sequence[Column]
    strategies: Sequence[str]
    refused: Sequence[str]


@dataclass(frozen=True, slots=True)
class EntryView:
    """The page of an entry."""

    title: str
    one: Standing
    board: BoardPage
    demonstration: bool
    facts: Mapping[str, str | None]
    links: Mapping[str, str]
    references: Mapping[Reference, Standing]
    sizes: Mapping[Stratum, int]
    origin: Mapping[str, str | None]
    files: Mapping[str, str]
    root_variable: str = ""
    repeat: str = ""
    check: str = ""
    settings: Mapping[str, str | None] = field(default_factory=dict)
    parsing: Sequence[tuple[str, str, int, float]] | None = None
    parsing_caption: str = ""
    curve: Sequence[tuple[int, float | None, Mapping[str, float]]] = ()
    curve_metrics: Sequence[str] = ()
    curve_figures: Sequence[Markup] = ()


def pages(found: Sequence[Standings], refused: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """All pages.

    Args:
        found: All entries of the board.
        refused: Why others are not on it.

    Yields:
        Path of a page, and its HTML.
    """
    boards = _boards(found)
    environment = _environment(boards)
    by_corpus = {name: [one for one in found if one.corpus.name == name] for name in boards}

    def page(template: str, path: str, view: Any) -> tuple[str, str]:
        root = "../" * path.count("/")
        text = environment.get_template(template).render(page=view, here=path, root=root)
        # Line ends between elements would be half of the nodes that a browser has to make.
        return path, text.replace(">\n<", "><")

    yield page("index.html.j2", "index.html", _index(found, boards, refused))
    for name, board in boards.items():
        yield page("corpus.html.j2", board.path, _corpus(name, by_corpus[name]))
        for group in by_corpus[name]:
            for one in group.everybody:
                yield page("entry.html.j2", entry_path(one.entry.key), _entry(one, group, board))


def entry_path(key: str) -> str:
    """Where the page of an entry lies.

    Args:
        key: Of the entry; letters, digits, `._-` and `/` alone, see `submission.folder`.
    """
    return f"entries/{key}.html"


def file_path(key: str, name: str) -> str:
    """Where a file of a submission lies.

    Args:
        key: Of the entry.
        name: Of the file.
    """
    return f"data/submissions/{key}/{name}"


def _boards(found: Sequence[Standings]) -> dict[str, BoardPage]:
    """The corpora that have a page: those with entries or published numbers; the demo last."""
    known = {one.corpus.name for one in found} | set(published().scores)
    names = [name for name in board_corpora() if name in known]
    names.sort(key=is_demonstration)
    return {name: BoardPage(f"corpora/{name}.html", _corpus_title(name)) for name in names}


def _corpus_title(name: str) -> str:
    return "Demo" if is_demonstration(name) else board_corpora()[name].title


def _environment(boards: Mapping[str, BoardPage]) -> jinja2.Environment:
    place = files("ambi_tasks.leaderboard.site") / "assets"
    names = ("base", "macros", "index", "corpus", "entry")
    sources = {f"{name}.html.j2": (place / f"{name}.html.j2").read_text("utf-8") for name in names}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(sources),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": number_text,
        "arrowed": _arrowed,
        "in_order": _in_order,
        "cost": cost_of,
        "entry_path": entry_path,
        "shown_reference": REFERENCE_NAMES.__getitem__,
        "shown_status": SHOWN_STATUS.__getitem__,
        "size": _size,
        "span": _span,
        "summary": _summary,
    }
    environment.tests |= {
        "nan": lambda value: isinstance(value, float) and math.isnan(value),
        "web_address": _is_web_address,
    }
    environment.globals |= {
        "alpha": ALPHA,
        "baseline": BASELINE,
        "boards": list(boards.values()),
        "policy": POLICY,
        "primary": PRIMARY,
        "stratum_metrics": STRATUM_METRICS,
        "units": UNITS,
        "version": ambi_tasks.__version__,
    }
    return environment


# --- words ---------------------------------------------------------------------------------------


def _arrowed(metric: str) -> str:
    return f"{metric} {'↑' if get_metric(metric).higher_is_better else '↓'}"


def _summary(metric: str) -> str:
    """The first line of what the metric's own documentation says."""
    return (inspect.getdoc(get_metric(metric).function) or "").partition("\n")[0]


def _in_order(metrics: Iterable[str]) -> list[str]:
    """Each once; those of the main table first, in its order."""
    first = (PRIMARY, *OTHERS)
    known = set(metrics)
    return [*(name for name in first if name in known), *sorted(known.difference(first))]


def _size(parameters: int | None) -> str:
    """A number of parameters, in short.

    >>> _size(7_000_000_000), _size(8_400_000), _size(None)
    ('7B', '8.4M', '-')
    """
    if parameters is None:
        return "-"
    for unit, scale in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if parameters >= scale:
            return f"{parameters / scale:.3g}{unit}"
    return str(parameters)


def _span(rank: Rank) -> str:
    return f"{rank.best}" if rank.best == rank.worst else f"{rank.best} to {rank.worst}"


def _is_web_address(text: str) -> bool:
    """Whether a link may lead there: http or https to a host, and nothing else."""
    try:
        address = urlsplit(text)
    except ValueError:
        return False
    return address.scheme in ("http", "https") and bool(address.hostname)


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return " to ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


# --- columns -------------------------------------------------------------------------------------


def _metric_column(name: str, *, sorted_now: bool = False) -> Column:
    higher = get_metric(name).higher_is_better
    now = ("descending" if higher else "ascending") if sorted_now else ""
    return Column(_arrowed(name), _summary(name), metric=True, descending=higher, sorted=now)


_MODEL = (Column("model", number=False), Column("strategy", number=False))
_STATUS = Column("scores", "Verified: recomputed from predictions and votes", number=False)
_SKILL = Column("skill ↑", f"By {PRIMARY}: 0 label prior, 1 human ceiling", descending=True)


def _main_columns(metrics: Sequence[str]) -> list[Column]:
    return [
        *_MODEL,
        Column("rank", f"Group by {PRIMARY}; small: best to worst rank that the tests allow"),
        _metric_column(PRIMARY, sorted_now=True),
        _SKILL,
        *(_metric_column(name) for name in metrics),
        Column("size", "Parameters of the model"),
        Column("weights", number=False),
        Column("draws", "Answers for an utterance"),
        Column("tokens", "Generated for an utterance, on average"),
        _STATUS,
    ]


# --- the page of a corpus ------------------------------------------------------------------------


def _corpus(name: str, groups: Sequence[Standings]) -> CorpusView:
    reported = _reported(name)
    views = [
        _group(group, number, len(groups), reported if group.is_default else None)
        for number, group in enumerate(groups, start=1)
    ]
    return CorpusView(_corpus_title(name), is_demonstration(name), views, reported)


def _group(group: Standings, number: int, count: int, reported: Reported | None) -> GroupView:
    record = group.corpus
    slug = f"{record.name}-{number}"
    present = [m for m in OTHERS if any(m in one.scores for one in group.everybody)]
    strata = [stratum for stratum in STRATA if any(stratum in one.strata for one in group.models)]
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
        references=group.references,
        metrics=present,
        columns=_main_columns(present),
        strategies=sorted({one.model.strategy.name for one in group.models}),
        strata=strata,
        stratum_columns=[*_MODEL, *(Column(stratum) for stratum in strata)],
        sizes=group.stratum_sizes,
        gains=gains,
        gain_columns=[
            *_MODEL,
            Column("gain ↑", descending=True, sorted="descending"),
            Column("p (Holm)"),
            Column("verdict", number=False),
        ],
        gain_figures=[] if gain is None else [inline(gain)],
        front=[one for one in group.models if one.entry.key in any_front],
        compute_columns=[
            *_MODEL,
            Column("draws"),
            Column("tokens"),
            _metric_column(PRIMARY, sorted_now=True),
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
        "options": _listed(record.options),
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
    metrics = _in_order(name for one in scores.values() for name in one)
    return Reported(known.source, known.note, known.model, metrics, scores)


# --- the first page ------------------------------------------------------------------------------


def _index(
    found: Sequence[Standings], boards: Mapping[str, BoardPage], refused: Sequence[Finding]
) -> IndexView:
    rows = overall(found)
    corpora = [name for name, group in main_standings(found).items() if group.models]
    columns = [
        *_MODEL,
        Column("corpora", "On how many it has an entry", descending=True),
        Column("mean skill ↑", _SKILL.hint, descending=True),
        *(
            Column(
                f"{PRIMARY}, {_corpus_title(name)}",
                _summary(PRIMARY),
                descending=get_metric(PRIMARY).higher_is_better,
            )
            for name in corpora
        ),
        Column("size", "Parameters of the model"),
        Column("weights", number=False),
        Column("draws", "Answers for an utterance"),
        _STATUS,
    ]
    return IndexView(
        cards=[_card(name, board, found) for name, board in boards.items()],
        corpora=corpora,
        rows=rows,
        columns=columns,
        strategies=sorted({row.any.model.strategy.name for row in rows}),
        refused=list(map(str, refused)),
    )


def _card(name: str, board: BoardPage, found: Sequence[Standings]) -> Card:
    groups = [one for one in found if one.corpus.name == name]
    main = next((one for one in groups if one.is_default), None)
    taking_part = [] if main is None else [one for one in main.models if not one.apart]
    best = taking_part[0].scores if taking_part else {}
    marks = {} if main is None else main.references
    with_marks = FLOOR in marks and CEILING in marks
    return Card(
        path=board.path,
        title=board.title,
        models=sum(len(one.models) for one in groups),
        best=None if math.isnan(value_of(best, PRIMARY)) else value_of(best, PRIMARY),
        floor=value_of(marks[FLOOR].scores, PRIMARY) if with_marks else None,
        ceiling=value_of(marks[CEILING].scores, PRIMARY) if with_marks else None,
        demonstration=is_demonstration(name),
    )


# --- the page of an entry ------------------------------------------------------------------------


def _entry(one: Standing, group: Standings, board: BoardPage) -> EntryView:
    submission = one.entry.submission
    corpus = board_corpora()[submission.corpus.name]
    names = [SUBMISSION]
    names += [PREDICTIONS] if submission.predictions is not None else []
    common: dict[str, Any] = {
        "one": one,
        "board": board,
        "demonstration": is_demonstration(submission.corpus.name),
        "root_variable": "" if corpus.bundled_root else corpus.root_variable,
        "sizes": {name: group.stratum_sizes[name] for name in one.strata if group.stratum_sizes},
        "check": f"ambi validate leaderboard/{SUBMISSIONS}/{one.entry.key}",
    }
    if isinstance(submission, ReferenceSubmission):
        return EntryView(
            **common,
            title=f"{REFERENCE_NAMES[submission.reference]}, {board.title}",
            facts={"what it is": _REFERENCES[submission.reference]},
            links={},
            references={},
            origin=_origin(submission) | {"repetitions": _text(submission.repetitions)},
            files={name: file_path(one.entry.key, name) for name in names},
        )
    names += [ANSWERS] if submission.answers is not None else []
    variant = f" ({submission.variant})" if submission.variant else ""
    curves = curves_of(submission.curve)
    drawing = curve_figure(submission, "curve") if curves else None
    return EntryView(
        **common,
        title=f"{submission.model.name}, {submission.strategy.name}{variant}",
        facts=_model_facts(one),
        links=_links(submission),
        references=group.references,
        origin=_origin(submission) | _training(submission, one.entry.expires),
        files={name: file_path(one.entry.key, name) for name in names},
        repeat=repeat_command(submission),
        settings=_settings(submission),
        parsing=list(_parsing(submission)),
        parsing_caption=_parsing_caption(submission),
        curve=_curve_rows(submission),
        curve_metrics=list(curves),
        curve_figures=[] if drawing is None else [inline(drawing)],
    )


_REFERENCES: Mapping[Reference, str] = {
    "uniform": "A floor: says for every utterance that all classes are equally likely.",
    "label_prior": "A floor: says for every utterance what the annotators say on average of the "
    "other speakers.",
    "split_half": "The human ceiling: how well half of an utterance's annotators predict the "
    "other half.",
}


def _text(value: Any) -> str | None:
    return None if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _model_facts(one: Standing) -> dict[str, str | None]:
    submission = one.model
    model, cost = submission.model, cost_of(submission)
    compute, doctor = submission.compute, submission.doctor
    gain = one.gain
    return {
        "model": f"{model.name} by {model.organization}",
        "weights": model.weights,
        "parameters": _size(model.parameters) if model.parameters else "not told",
        "rank": None if one.rank is None else f"group {one.rank.group} ({_span(one.rank)})",
        f"skill by {PRIMARY}": None
        if PRIMARY not in one.skill
        else number_text(one.skill[PRIMARY], 2),
        f"gain over {BASELINE}": None
        if gain is None
        else f"{gain.better.value:+.4f} [{gain.better.low:.4f}, {gain.better.high:.4f}], "
        f"p {gain.better.adjusted:.4f}",
        "draws per utterance": number_text(cost["draws"] or 0.0, 0),
        "tokens per utterance": None if cost["tokens"] is None else number_text(cost["tokens"], 1),
        "hardware": compute.hardware,
        "time of the run": None
        if compute.run_seconds is None
        else f"{compute.run_seconds:,.0f} s for {compute.run_tasks} "
        f"task{'s' if compute.run_tasks != 1 else ''}",
        "examination by ambi doctor": "none" if doctor is None else _doctor(submission),
    }


def _doctor(submission: ModelSubmission) -> str:
    doctor = submission.doctor
    assert doctor is not None
    odd = [f"{name}: {said}" for name, said in doctor.checks.items() if said != "ok"]
    return ", ".join([doctor.verdict, *odd])


def _links(submission: ModelSubmission) -> dict[str, str]:
    found = {"About the model": submission.model.link, "About the entry": submission.submitter.link}
    return {label: address for label, address in found.items() if address}


def _settings(submission: ModelSubmission) -> dict[str, str | None]:
    record = submission.corpus
    verifier = submission.verifier
    return {
        "checkpoint": _weights(submission.model),
        "verifier": None if verifier is None else _weights(verifier),
        "strategy": f"{submission.strategy.name}: {_listed(submission.strategy.fields)}",
        "decoding": _listed(submission.decoding),
        "seeds": _listed(submission.seeds),
        "prompts": "; ".join(
            f"{one.role}: {one.id}, version {one.version}, sha256 {one.sha256}"
            for one in submission.prompts
        ),
        "label rule": rule_summary(record.label_rule.rule()),
        "options of the corpus": _listed(record.options),
        "release of the corpus": record.release,
        "utterances": f"{record.utterances:,}",
        "left out": _listed(record.dropped),
        "manifest": record.manifest_sha256,
        "software": _listed(submission.software),
    }


def _weights(model: Weights) -> str:
    parts = {
        "": model.checkpoint or "files of somebody's own",
        "revision": model.revision,
        "sha256": model.sha256,
        "architecture": model.architecture,
        "precision": model.precision,
        "adapter": f"{model.adapter} {model.adapter_version}",
        **{name: _shown(value) for name, value in model.arguments.items()},
    }
    return ", ".join(f"{name} {value}".strip() for name, value in parts.items() if value)


def _origin(submission: ModelSubmission | ReferenceSubmission) -> dict[str, str | None]:
    submitter = submission.submitter
    return {
        "submitted by": submitter.name,
        "contact": submitter.contact,
        "date": submitter.date.isoformat(),
        "seeds": _listed(submission.seeds),
        "software": _listed(submission.software),
    }


def _training(submission: ModelSubmission, expires: datetime.date | None) -> dict[str, str | None]:
    training = submission.training
    return {
        "evaluated": submission.evaluated.isoformat(),
        "expires": None if expires is None else expires.isoformat(),
        "did its makers train it on the corpus?": _SAW[training.saw_corpus],
        "what is known of that": training.note,
    }


_SAW = {
    "no": "no, by the submitter's word",
    "audio": "on its audio, by the submitter's word",
    "labels": "on its labels, by the submitter's word",
    "unknown": "not known",
}


def _parsing(submission: ModelSubmission) -> Iterator[tuple[str, str, int, float]]:
    """Of what, why, how many and which share could not be read; the most frequent first."""
    record = submission.parsing
    for of, failures, total in (
        ("answers", record.failures, record.draws),
        ("verdicts", record.verdict_failures, record.verdicts),
    ):
        for reason, count in sorted(failures.items(), key=lambda one: (-one[1], one[0])):
            yield of, reason, count, count / total if total else 0.0


def _parsing_caption(submission: ModelSubmission) -> str:
    record, utterances = submission.parsing, submission.corpus.utterances
    verdicts = f"; {record.verified:,} of {record.verdicts:,} verdicts" if record.verdicts else ""
    return (
        f"{record.parsed:,} of {record.draws:,} answers could be read{verdicts}; "
        f"{utterances - record.answered:,} of {utterances:,} utterances have none and count as "
        "uniform"
    )


def _curve_rows(
    submission: ModelSubmission,
) -> list[tuple[int, float | None, Mapping[str, float]]]:
    rows: dict[int, tuple[float | None, dict[str, float]]] = {}
    for point in sorted(submission.curve, key=lambda one: one.draws):
        rows.setdefault(point.draws, (point.tokens, {}))[1][point.metric] = point.score
    return [(draws, tokens, scores) for draws, (tokens, scores) in rows.items()]
