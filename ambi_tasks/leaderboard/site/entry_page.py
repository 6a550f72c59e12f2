"""What the page of an entry shows."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from ambi_tasks.labels import rule_summary
from ambi_tasks.leaderboard.board import SUBMISSIONS
from ambi_tasks.leaderboard.command import repeat_command
from ambi_tasks.leaderboard.exports.files import record_path
from ambi_tasks.leaderboard.exports.readme_table import REFERENCE_NAMES
from ambi_tasks.leaderboard.reading import ANSWERS, PREDICTIONS, SUBMISSION
from ambi_tasks.leaderboard.site.compute import cost_of
from ambi_tasks.leaderboard.site.figures import curve_figure, curves_of, inline
from ambi_tasks.leaderboard.site.index_page import BoardPage
from ambi_tasks.leaderboard.site.overall import is_demonstration
from ambi_tasks.leaderboard.site.standings import BASELINE, PRIMARY, Standing, Standings
from ambi_tasks.leaderboard.site.wording import (
    EXPORTS,
    file_path,
    listed,
    rounded,
    shown,
    size_text,
    span_text,
)
from ambi_tasks.leaderboard.submission import (
    ModelSubmission,
    Reference,
    ReferenceSubmission,
    Stratum,
    Weights,
)
from ambi_tasks.leaderboard.truth import board_corpora
from ambi_tasks.report.table import p_text


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


def entry_view(one: Standing, group: Standings, board: BoardPage) -> EntryView:
    """Put together what the page shows.

    Args:
        one: The entry.
        group: Those that it compares with.
        board: The page of its corpus.
    """
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
        files={name: file_path(one.entry.key, name) for name in names}
        | {"record of Every Eval Ever": f"{EXPORTS}/{record_path(one.entry.key)}"},
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
        "parameters": size_text(model.parameters) if model.parameters else "not told",
        "rank": None if one.rank is None else f"group {one.rank.group} ({span_text(one.rank)})",
        f"skill by {PRIMARY}": None if PRIMARY not in one.skill else rounded(one.skill[PRIMARY], 2),
        f"gain over {BASELINE}": None
        if gain is None
        else f"{gain.better.value:+.4f} [{gain.better.low:.4f}, {gain.better.high:.4f}], "
        f"p {p_text(gain.better.adjusted)}",
        "draws per utterance": rounded(cost["draws"] or 0.0, 0),
        "tokens per utterance": None if cost["tokens"] is None else rounded(cost["tokens"], 1),
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
        "strategy": f"{submission.strategy.name}: {listed(submission.strategy.fields)}",
        "decoding": listed(submission.decoding),
        "seeds": listed(submission.seeds),
        "prompts": "; ".join(
            f"{one.role}: {one.id}, version {one.version}, sha256 {one.sha256}"
            for one in submission.prompts
        ),
        "label rule": rule_summary(record.label_rule.rule()),
        "options of the corpus": listed(record.options),
        "release of the corpus": record.release,
        "utterances": f"{record.utterances:,}",
        "left out": listed(record.dropped),
        "manifest": record.manifest_sha256,
        "software": listed(submission.software),
    }


def _weights(model: Weights) -> str:
    parts = {
        "": model.checkpoint or "files of somebody's own",
        "revision": model.revision,
        "sha256": model.sha256,
        "architecture": model.architecture,
        "precision": model.precision,
        "adapter": f"{model.adapter} {model.adapter_version}",
        **{name: shown(value) for name, value in model.arguments.items()},
    }
    return ", ".join(f"{name} {value}".strip() for name, value in parts.items() if value)


def _origin(submission: ModelSubmission | ReferenceSubmission) -> dict[str, str | None]:
    submitter = submission.submitter
    return {
        "submitted by": submitter.name,
        "contact": submitter.contact,
        "date": submitter.date.isoformat(),
        "seeds": listed(submission.seeds),
        "software": listed(submission.software),
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
    for points in curves_of(submission.curve).values():
        for point in points:
            rows.setdefault(point.draws, (point.tokens, {}))[1][point.metric] = point.score
    return [(draws, *rows[draws]) for draws in sorted(rows)]
