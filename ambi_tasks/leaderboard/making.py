"""A finished run -> submissions, one for each of its tasks.

Nothing is copied from a run as it stands: every field is picked by name, so that keys, addresses of
servers, paths and transcripts, which results may hold, stay where they are.
"""

import datetime
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic

from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.answers import answers_of
from ambi_tasks.leaderboard.entry import run_of
from ambi_tasks.leaderboard.files import quoted
from ambi_tasks.leaderboard.predictions import COUNTS, Predictions, predictions_to_csv
from ambi_tasks.leaderboard.reading import ANSWERS, PREDICTIONS
from ambi_tasks.leaderboard.scores import SEED, score_records, stratum_records
from ambi_tasks.leaderboard.secrets import find_secret
from ambi_tasks.leaderboard.submission import (
    SCHEMA_VERSION,
    ModelSubmission,
    Submitter,
    submission_to_json,
)
from ambi_tasks.leaderboard.truth import Truth, board_corpora, release_word
from ambi_tasks.leaderboard.writing import one_word, own_software, table_record
from ambi_tasks.report.curve import curve, curve_metrics, read_pool, why_no_curve
from ambi_tasks.report.logged_run import LoggedRun, read_run
from ambi_tasks.report.rescore import rescore
from ambi_tasks.report.sample_log import LoggedUtterance, TaskLog, find_logs

_ARGUMENTS = (
    "attn_implementation",
    "dtype",
    "long_audio",
    "provider",
    "reasoning_effort",
    "recogniser",
    "revision",
    "text_model",
    "trust_remote_code",
)
"""The model arguments that change what is computed, and hold no secret and no path."""

_LIBRARIES = ("torch", "openai")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHECKPOINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_GPU = re.compile(r"^GPU 0: ([ -~]{1,80}?)(?: \(UUID.*)?$", re.MULTILINE)
_PYTHON = re.compile(r"^Python version: ([0-9.]+)", re.MULTILINE)
_CURVE_METRICS = ("js", "bc")

Tables = Mapping[str, bytes]
Watch = Callable[[TaskLog], Iterable[LoggedUtterance]]


@dataclass(frozen=True, slots=True)
class Details:
    """What a run does not say of itself.

    Attributes:
        name: The model's name, for people.
        organization: Who made it.
        weights: Whether anybody can have them; None for what the adapter suggests.
        parameters: How many.
        link: Where the model is described.
        saw_corpus: Whether its makers trained it on the corpus.
        note: What is known of that.
        hardware: What it ran on; None for what the results say.
        variant: Tells entries of one model, corpus and strategy apart.
        texts: Whether the answers go with it; None for whether the corpus's licence lets them.
    """

    name: str
    organization: str
    weights: Literal["open", "closed"] | None = None
    parameters: int | None = None
    link: str | None = None
    saw_corpus: Literal["no", "audio", "labels", "unknown"] = "unknown"
    note: str | None = None
    hardware: str | None = None
    variant: str | None = None
    texts: bool | None = None


def make_submitter(*, name: str, contact: str, link: str | None = None) -> Submitter:
    """Who stands for an entry, from today on.

    Args:
        name: A person or a group.
        contact: Where questions reach them.
        link: Paper, model card or blog post.

    Raises:
        UserError: A text is not of the letters that submissions may have.
    """
    date = datetime.datetime.now(datetime.timezone.utc).date()
    try:
        return Submitter(name=name, contact=contact, link=link, date=date)
    except pydantic.ValidationError as error:
        raise UserError(_unfit(error)) from error


def submissions_of(
    results: Path, details: Details, submitter: Submitter, watch: Watch = TaskLog.utterances
) -> Iterator[tuple[ModelSubmission, Tables]]:
    """Make submissions of all tasks of the runs in a folder.

    Each is scored again from its draws first, and refused where anything differs from what the run
    reported.

    Args:
        results: As for `find_logs`.
        details: What the runs do not say.
        submitter: Who stands for them.
        watch: Hands out the utterances of a log; may show progress.

    Yields:
        A submission and the files beside it.

    Raises:
        UserError: A run cannot be submitted; the sentence says which and why.
    """
    places: dict[str, TaskLog] = {}
    for log in find_logs(results).tasks:
        submission, tables = _submission(log, details, submitter, watch)
        if other := places.get(submission.folder):
            raise UserError(
                f"{log.path} and {other.path.name} would both be {submission.folder}; submit the "
                f"runs one by one, with another --variant each."
            )
        places[submission.folder] = log
        yield submission, tables


def _submission(
    log: TaskLog, details: Details, submitter: Submitter, watch: Watch
) -> tuple[ModelSubmission, Tables]:
    corpus = log.config.get("corpus") or {}
    known = board_corpora()
    if corpus.get("name") not in known:
        raise UserError(
            f"{log.path}: the board has no corpus '{corpus.get('name')}'; it has "
            f"{', '.join(known)}."
        )
    _check_whole(log)
    run = read_run(log)
    again = rescore(log, watch(log))
    if not again.agrees:
        raise UserError(
            f"{log.path}: the reported scores do not follow from the draws, so nobody else would "
            f"get them; `ambi rescore {log.path.parent}` says what differs."
        )
    predictions = Predictions(
        run.run.ids,
        run.prediction,
        dict(
            zip(
                COUNTS,
                (run.utterances.candidates, run.utterances.read, *_verdict_counts(run)),
                strict=True,
            )
        ),
    )
    tables = {PREDICTIONS: predictions_to_csv(predictions, run.run.rule.classes)}
    open_licence = known[corpus["name"]].open_licence
    if details.texts and not open_licence:
        raise UserError(
            f"The licence of {known[corpus['name']].title} does not let answers be published; "
            f"leave --texts out."
        )
    if open_licence if details.texts is None else details.texts:
        tables[ANSWERS] = answers_of(
            run.utterance(number).record for number in range(len(run.run.ids))
        )
    values = _values(log, run, predictions, tables, details, submitter)
    try:
        submission = ModelSubmission.model_validate_json(json.dumps(values))
    except pydantic.ValidationError as error:
        raise UserError(f"{log.task}: {_unfit(error)}") from error
    _refuse_secrets(submission)
    return submission, tables


def _check_whole(log: TaskLog) -> None:
    if log.settings.get("limit") is not None:
        raise UserError(
            f"{log.path}: the run had --limit {log.settings['limit']}; the board takes whole "
            f"corpora alone."
        )
    dropped = (log.config.get("corpus") or {}).get("utterances", {}).get("dropped", {})
    if absent := dropped.get("missing_audio"):
        raise UserError(
            f"{log.path}: {absent} utterances had no audio and were skipped; the board takes whole "
            f"corpora alone."
        )


def _verdict_counts(run: LoggedRun) -> tuple[Any, Any]:
    scored = run.utterances.scored
    none = np.zeros(len(run.run.ids), dtype=np.int64)
    return (none, none) if scored is None else (run.utterances.read, scored)


# --- field by field ------------------------------------------------------------------------------


def _values(
    log: TaskLog,
    run: LoggedRun,
    predictions: Predictions,
    tables: Tables,
    details: Details,
    submitter: Submitter,
) -> dict[str, Any]:
    results = _results(log)
    corpus, settings = log.config["corpus"], log.settings
    truth = _truth(run)
    name, rows = f"{details.organization}, {log.task}", len(predictions.ids)
    scored = run_of(name, predictions, truth)
    strategy = dict(log.config["strategy"])
    utterances = corpus.get("utterances") or {}
    decoding = log.config.get("generation_kwargs") or {}
    adapter = str(settings.get("adapter") or settings.get("model"))
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "model",
        "corpus": {
            "name": corpus["name"],
            "release": release_word(corpus.get("release") or ""),
            "options": corpus.get("options") or {},
            "label_rule": corpus["label_rule"],
            "manifest_sha256": corpus["manifest_sha256"],
            "utterances": rows,
            "dropped": utterances.get("dropped") or {},
        },
        "submitter": submitter.model_dump(mode="json"),
        "software": _software(settings, results),
        "seeds": _whole_numbers({"draws": decoding.get("seed"), "intervals": SEED}),
        "scores": _dumped(score_records(scored)),
        "strata": {name: _dumped(found) for name, found in stratum_records(scored, truth)},
        "model": {
            **_weights(settings, adapter),
            "organization": details.organization,
            "name": details.name,
            "weights": details.weights or ("closed" if adapter == "alm_api" else "open"),
            "parameters": details.parameters,
            "link": details.link,
            "control": "control" in settings,
        },
        "verifier": _verifier(settings),
        "evaluated": _day(results),
        "strategy": {"name": strategy.pop("name"), "fields": strategy},
        "variant": details.variant,
        "prompts": list(_prompts(log.config)),
        "system_instruction_sha256": results.get("system_instruction_sha"),
        "decoding": {
            name: value
            for name, value in decoding.items()
            if isinstance(value, bool | int | float) and name != "seed"
        },
        "parsing": _parsing(run, predictions),
        "compute": {
            "hardware": details.hardware or _hardware(settings, results),
            "device": _word(settings.get("model_device")),
            "tokens": _total(run.utterances.tokens.sum()),
            "run_seconds": log.seconds,
            "run_tasks": log.tasks_of_run,
        },
        "doctor": _doctor(settings.get("doctor")),
        "training": {"frozen": True, "saw_corpus": details.saw_corpus, "note": details.note},
        "curve": list(_curve(log)),
        "predictions": table_record(tables[PREDICTIONS], rows).model_dump(),
        "answers": table_record(tables[ANSWERS], rows).model_dump() if ANSWERS in tables else None,
    }


def _truth(run: LoggedRun) -> Truth:
    return Truth(
        ids=run.run.ids,
        speakers=run.run.speakers,
        soft_labels=run.truth,
        annotators=np.zeros(len(run.run.ids), dtype=np.intp),
        strata=run.utterances.strata,
        manifest_sha256=run.corpus.manifest_sha256,
        dropped={},
        rule=run.run.rule,
        root=run.log.path.parent,
    )


def _dumped(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record.model_dump() for name, record in scores.items()}


def _software(settings: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, str]:
    found = {name: settings.get(f"{name}_version") for name in ("ambi_tasks", *_LIBRARIES)}
    found |= {name: results.get(f"{name}_version") for name in ("lm_eval", "transformers")}
    python = _PYTHON.search(str(results.get("pretty_env_info", "")))
    found["python"] = python[1] if python else None
    found["numpy"] = own_software()["numpy"]  # computes the scores, here and now
    return {name: one_word(str(text)) for name, text in found.items() if text}


def _weights(settings: Mapping[str, Any], adapter: str) -> dict[str, Any]:
    arguments = settings.get("model_args")
    arguments = arguments if isinstance(arguments, dict) else {}
    named = str(arguments.get("pretrained") or settings.get("model_name") or "")
    sha = str(settings.get("model_sha") or "")
    revision = sha if _COMMIT.fullmatch(sha) else str(arguments.get("revision") or "")
    return {
        "checkpoint": named if named and _is_public(named) else None,
        "revision": revision if _REVISION.fullmatch(revision) else None,
        "sha256": sha if _SHA256.fullmatch(sha) else None,
        "architecture": _word(settings.get("model_type")),
        "precision": _word(settings.get("model_dtype")),
        "adapter": adapter,
        "adapter_version": one_word(str(settings.get("ambi_tasks_version") or "unknown")),
        "arguments": {
            name: value
            for name in _ARGUMENTS
            if _is_public(value := arguments.get(name, settings.get(name)))
        },
    }


def _is_public(value: Any) -> bool:
    """Whether a model argument is a number, or a name that is no path on this machine."""
    if isinstance(value, bool | int | float):
        return True
    if not isinstance(value, str) or not _CHECKPOINT.fullmatch(value):
        return False
    return not Path(value).exists()


def _verifier(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    found = settings.get("verifier")
    if not isinstance(found, dict):
        return None
    return _weights(found, str(found.get("adapter")))


def _prompts(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for role, name in (("question", "prompt"), ("verifier", "verifier_prompt")):
        if found := config.get(name):
            yield {"role": role, **{part: found[part] for part in ("id", "version", "sha256")}}


def _parsing(run: LoggedRun, predictions: Predictions) -> dict[str, Any]:
    counts = {name: int(values.sum()) for name, values in predictions.counts.items()}
    return {
        "answered": int(predictions.answered.sum()),
        "draws": counts["draws"],
        "parsed": counts["parsed"],
        "failures": dict(run.failures),
        "verdicts": counts["asked"],
        "verified": counts["verified"],
        "verdict_failures": dict(run.verdict_failures),
    }


def _doctor(found: Any) -> dict[str, Any] | None:
    """The verdict of `ambi doctor`, None where it did not examine the model."""
    if not isinstance(found, dict) or "examined" not in found:
        return None
    checks = found.get("checks") or {}
    return {
        "verdict": found.get("verdict"),
        "examined": str(found["examined"]),
        "version": str(found.get("ambi_tasks_version") or "unknown"),
        "checks": {name: said["verdict"] for name, said in checks.items()},
    }


def _curve(log: TaskLog) -> Iterator[dict[str, Any]]:
    first = next(iter(log.utterances()))
    if why_no_curve(first.settings):
        return
    points = curve(read_pool(log.utterances()), curve_metrics(list(_CURVE_METRICS)), SEED)
    for point in points:
        yield {
            "metric": point.metric,
            "draws": point.draws,
            "tokens": point.tokens,
            "score": point.subset,
        }


def _results(log: TaskLog) -> Mapping[str, Any]:
    """The whole results file; `find_logs` has read it before."""
    assert log.results_path is not None  # read_run asks for it
    content: dict[str, Any] = json.loads(log.results_path.read_bytes())
    return content


def _hardware(settings: Mapping[str, Any], results: Mapping[str, Any]) -> str | None:
    if not str(settings.get("model_device", "")).startswith("cuda"):
        return None
    gpu = _GPU.search(str(results.get("pretty_env_info", "")))
    return gpu[1] if gpu else None


def _day(results: Mapping[str, Any]) -> str:
    moment = results.get("date")
    if not isinstance(moment, int | float):
        raise UserError("The results do not say when the run was; evaluate again to have it.")
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).date().isoformat()


def _word(value: Any) -> str | None:
    return None if value is None else one_word(str(value))


def _total(value: float) -> int | None:
    return None if math.isnan(value) else int(value)


def _whole_numbers(values: Mapping[str, Any]) -> dict[str, int]:
    return {name: value for name, value in values.items() if isinstance(value, int) and value >= 0}


# --- what must not go out ------------------------------------------------------------------------


def _refuse_secrets(submission: ModelSubmission) -> None:
    """The last look: nothing that is like a key, or is one of this machine's."""
    text = submission_to_json(submission)
    if found := find_secret(text):
        raise UserError(f"The submission would hold {found}; take it out of the options.")
    for name, value in os.environ.items():
        if _names_a_secret(name) and len(value) >= 8 and value in text:  # noqa: PLR2004
            raise UserError(f"The submission would hold the value of the variable {name}.")


def _names_a_secret(variable: str) -> bool:
    return any(word in variable.upper() for word in ("KEY", "TOKEN", "SECRET", "PASSWORD"))


def _unfit(error: pydantic.ValidationError) -> str:
    """What does not fit the schema, in a sentence."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place} is {quoted(str(first['input']))}: {first['msg']} (docs/leaderboard.md)."
