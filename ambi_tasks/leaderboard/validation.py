"""Is a submission what it says? Everything about it that can be computed again, is.

A verdict depends on the submission and on the votes at hand alone: not on the time, the network,
the rest of the board or the machine. What is wrong beyond doubt is a fault; what a person should
look at is a warning.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ambi_tasks.doctor.record import HEARING, verdict_of
from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.answers import check_answers
from ambi_tasks.leaderboard.baselines import ceiling_scores, floor_predictions
from ambi_tasks.leaderboard.entry import Entry, Status, run_of
from ambi_tasks.leaderboard.files import Content, FileError, quoted
from ambi_tasks.leaderboard.manifests import ids_sha256, known_manifest
from ambi_tasks.leaderboard.predictions import Predictions
from ambi_tasks.leaderboard.reading import (
    ANSWERS,
    PREDICTIONS,
    SUBMISSION,
    Finding,
    Reading,
    Severity,
)
from ambi_tasks.leaderboard.scores import point_scores
from ambi_tasks.leaderboard.secrets import find_secret
from ambi_tasks.leaderboard.submission import (
    CorpusRecord,
    ModelSubmission,
    ReferenceSubmission,
    ScoreRecord,
    Submission,
    submission_to_json,
)
from ambi_tasks.leaderboard.task_files import all_fields
from ambi_tasks.leaderboard.truth import Truth, board_corpora, find_truth, rule_name
from ambi_tasks.metrics import all_metrics, jensen_shannon
from ambi_tasks.prompts import load_prompt
from ambi_tasks.strategies import StrategyFields, get_strategy
from ambi_tasks.strategies.fields import VerifiedFields

SCORE_TOLERANCE = 1e-9
"""How far a reported score may be from the recomputed one: rounding on another machine."""

_PROMPT_FIELDS = {"question": "prompt", "verifier": "verifier_prompt"}
_ALIKE = 0.99  # share of clips with one and the same prediction
_COPIED_FAULT, _COPIED_WARNING = 0.5, 0.1  # shares of mixed votes that were predicted exactly
_EXACTLY = 1e-9
_FEW = 20  # utterances that say too little about plausibility
_PANELS = 20

_PANEL_SCORES: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of a submission.

    Attributes:
        reading: Its folder, read.
        entry: What the board shows; None where there is a fault.
        findings: Faults, then warnings.
    """

    reading: Reading
    entry: Entry | None
    findings: tuple[Finding, ...]


def examine(
    reading: Reading,
    metadata: Mapping[str, Any] | None = None,
    *,
    thorough: bool = True,
    answers: bool = True,
) -> Examined:
    """Look at a submission from every side.

    Args:
        reading: Its folder, read.
        metadata: Where corpora lie, as for lm_eval.
        thorough: Compute human ceilings again too, which takes a minute on CREMA-D; else they are
            self-reported.
        answers: Combine the answers again too, where there are some, which takes 20 seconds for 16
            draws on CREMA-D.

    Raises:
        UserError: A corpus's folder is named, but cannot be read.
    """
    found = _Findings(reading)
    submission = reading.submission
    truth = None
    if submission is not None and (kind := find_secret(submission_to_json(submission))):
        found.fault("", f"holds {kind}: revoke it, and take it out of the history of the branch")
    if submission is not None and _check_corpus(submission.corpus, found):
        truth = _truth(submission.corpus, metadata, found)
        _check_scores_known(submission, found)
        if reading.predictions is not None:
            _check_utterances(submission, reading.predictions, truth, found)
        if isinstance(submission, ModelSubmission):
            _check_model(submission, reading, found, answers=answers)
        if not found.faults:
            _recompute(submission, reading, truth, found, thorough=thorough)
    if found.faults or submission is None:
        return Examined(reading, None, (*found.faults, *found.warnings))
    anew = truth is not None and (thorough or reading.predictions is not None)
    status: Status = "recomputed" if anew else "self-reported"
    warnings = tuple(found.warnings)
    entry = Entry(reading.key, submission, reading.predictions, truth, status, warnings)
    return Examined(reading, entry, tuple(found.warnings))


class _Findings:
    """What was found of one submission, in the order of the checks."""

    def __init__(self, reading: Reading) -> None:
        self._key = reading.key
        self.faults = [one for one in reading.findings if one.severity == "fault"]
        self.warnings = [one for one in reading.findings if one.severity == "warning"]

    def add(self, severity: Severity, file: str, place: str, message: str) -> None:
        finding = Finding(severity, f"{self._key}/{file}", place, message)
        (self.faults if severity == "fault" else self.warnings).append(finding)

    def fault(self, place: str, message: str) -> None:
        """About a field of the submission."""
        self.add("fault", SUBMISSION, place, message)

    def warn(self, place: str, message: str) -> None:
        """Likewise."""
        self.add("warning", SUBMISSION, place, message)


# --- the corpus ----------------------------------------------------------------------------------


def _check_corpus(record: CorpusRecord, found: _Findings) -> bool:
    """Whether the board has the corpus, by these options and this label rule."""
    corpora = board_corpora()
    if record.name not in corpora:
        known = ", ".join(corpora)
        found.fault("corpus.name", f"the board has no corpus {quoted(record.name)}, but {known}")
        return False
    corpus = corpora[record.name]
    try:
        if strangers := sorted(set(record.options) - set(corpus.options)):
            raise UserError(f"{corpus.title} has no option {quoted(strangers[0])}")
        corpus.chosen_options(record.options)
    except UserError as error:
        found.fault("corpus.options", _clause(error))
        return False
    try:
        rule_name(record)
    except UserError as error:
        found.fault("corpus.label_rule", _clause(error))
        return False
    return True


def _truth(
    record: CorpusRecord, metadata: Mapping[str, Any] | None, found: _Findings
) -> Truth | None:
    """The votes, if they are the ones that the submission was scored by."""
    corpus = board_corpora()[record.name]
    truth = find_truth(record, metadata)
    if truth is None:
        where = f"set {corpus.root_variable} to a copy to have them recomputed"
        found.warn("scores", f"self-reported: no votes of {corpus.title} are at hand; {where}")
        return None
    if truth.manifest_sha256 != record.manifest_sha256:
        if corpus.open_licence:
            found.fault("corpus.manifest_sha256", "is not the hash of the corpus's votes")
        else:
            said = f"self-reported: the copy of {corpus.title} at hand has other votes, perhaps"
            found.warn("corpus.manifest_sha256", f"{said} those of another release")
        return None
    if record.dropped != truth.dropped:
        severity: Severity = "fault" if corpus.open_licence else "warning"
        left_out = ", ".join(f"{reason} {n:,}" for reason, n in truth.dropped.items()) or "none"
        said = f"is not what the votes at hand leave out ({left_out})"
        found.add(severity, SUBMISSION, "corpus.dropped", said)
    return truth


def _check_utterances(
    submission: Submission, predictions: Predictions, truth: Truth | None, found: _Findings
) -> None:
    record, ids = submission.corpus, predictions.ids
    if len(ids) != record.utterances:
        found.add(
            "fault",
            PREDICTIONS,
            "",
            f"holds {len(ids):,} utterances, but corpus.utterances says {record.utterances:,}",
        )
    if truth is not None:
        for what, names in (
            ("lacks", np.setdiff1d(truth.ids, ids)),
            ("predicts what the corpus does not have:", np.setdiff1d(ids, truth.ids)),
        ):
            if names.size:
                some = ", ".join(names[:3].tolist())
                found.add("fault", PREDICTIONS, "", f"{what} {names.size:,} utterances, as {some}")
        return
    manifest = known_manifest(record)
    if manifest is None:
        return
    if manifest.manifest_sha256 != record.manifest_sha256:
        found.fault("corpus.manifest_sha256", "is not the hash of the corpus's votes")
    if manifest.ids_sha256 != ids_sha256(ids):
        wanted = f"the {manifest.utterances:,} utterances of the corpus"
        found.add("fault", PREDICTIONS, "", f"does not predict {wanted}, each of them and no other")


# --- the model's side ----------------------------------------------------------------------------


def _check_model(
    submission: ModelSubmission, reading: Reading, found: _Findings, *, answers: bool
) -> None:
    predictions = reading.predictions
    settings = _settings(submission, found)
    _check_prompts(submission, found)
    if submission.evaluated > (made := submission.submitter.date):
        found.fault("evaluated", f"is {submission.evaluated}, after submitter.date, {made}")
    model = submission.model
    if model.weights == "open" and model.revision is None and model.sha256 is None:
        found.warn("model.revision", "neither revision nor sha256 says which weights these were")
    if submission.answers is None and board_corpora()[submission.corpus.name].open_licence:
        found.warn("answers", "there are none, though the corpus's licence lets them be published")
    _check_doctor(submission, found)
    _check_curve(submission, found)
    if settings is not None:
        _check_curve_draws(submission, settings.pool, found)
    if predictions is not None:
        _check_parsing(submission, predictions, found)
        if answers and reading.answers is not None:
            _check_answers(reading.answers, submission, predictions, found)
        if settings is not None:
            _check_draws(settings, predictions, found)
        _check_alike(predictions, found)


def _check_prompts(submission: ModelSubmission, found: _Findings) -> None:
    for number, prompt in enumerate(submission.prompts):
        named = submission.strategy.fields.get(_PROMPT_FIELDS[prompt.role])
        if named not in (None, prompt.id):
            said = f"is '{prompt.id}', but the strategy has {quoted(str(named))}"
            found.fault(f"prompts.{number}.id", said)
        try:
            known = load_prompt(prompt.id)
        except UserError:
            found.warn(f"prompts.{number}.id", f"{quoted(prompt.id)} is no prompt of the benchmark")
            continue
        if known.version != prompt.version:
            said = f"is {prompt.version}, but the hash of {known.version} alone is known"
            found.warn(f"prompts.{number}.version", said)
        elif known.sha256 != prompt.sha256:
            found.fault(
                f"prompts.{number}.sha256",
                f"is not the hash of version {prompt.version} of the prompt '{prompt.id}'",
            )


def _check_curve(submission: ModelSubmission, found: _Findings) -> None:
    metrics = all_metrics()
    for number, point in enumerate(submission.curve):
        if point.metric not in metrics:
            found.fault(f"curve.{number}.metric", f"there is no metric {quoted(point.metric)}")
            continue
        low, high = metrics[point.metric].bounds
        if not low - _EXACTLY <= point.score <= high + _EXACTLY:
            found.fault(f"curve.{number}.score", f"{point.score:g} is outside {low:g} to {high:g}")


def _check_curve_draws(submission: ModelSubmission, pool: int, found: _Findings) -> None:
    seen = set()
    for number, point in enumerate(submission.curve):
        if point.draws > pool or (point.metric, point.draws) in seen:
            said = f"{point.draws:,} are there twice, or more than the {pool:,} of the strategy"
            found.fault(f"curve.{number}.draws", said)
        seen.add((point.metric, point.draws))


def _check_doctor(submission: ModelSubmission, found: _Findings) -> None:
    doctor = submission.doctor
    if doctor is None:
        found.warn("doctor", "nobody examined whether the model hears: run `ambi doctor` before it")
        return
    failed = [name for name, said in doctor.checks.items() if said == "fail"]
    follows = verdict_of(doctor.checks)
    if "deaf" in (doctor.verdict, follows):
        found.fault("doctor.verdict", "the model does not hear the clips")
    elif not failed and doctor.verdict == "fails":
        found.fault("doctor.verdict", "is 'fails', but no check is")
    elif failed and doctor.verdict != "fails":
        found.fault(
            "doctor.verdict", f"is '{doctor.verdict}', but checks fail: {', '.join(failed)}"
        )
    elif failed:
        found.warn("doctor.verdict", f"the model fails checks: {', '.join(failed)}")
    elif doctor.verdict != follows:
        found.fault("doctor.verdict", f"is '{doctor.verdict}', but '{follows}' by its checks")
    if doctor.verdict != "deaf" and doctor.checks.keys().isdisjoint(HEARING):
        found.fault("doctor.checks", "there is none of its hearing")


def _settings(submission: ModelSubmission, found: _Findings) -> StrategyFields | None:
    record = submission.strategy
    try:
        strategy = get_strategy(record.name)
    except UserError as error:
        found.fault("strategy.name", _clause(error))
        return None
    try:
        settings: StrategyFields = strategy.settings(all_fields(record))
    except UserError as error:
        found.fault("strategy.fields", _clause(error))
        return None
    return settings


def _check_parsing(submission: ModelSubmission, predictions: Predictions, found: _Findings) -> None:
    record, counts = submission.parsing, predictions.counts
    totals = {
        "answered": int(predictions.answered.sum()),
        "draws": int(counts["draws"].sum()),
        "parsed": int(counts["parsed"].sum()),
        "verdicts": int(counts["asked"].sum()),
        "verified": int(counts["verified"].sum()),
    }
    for name, total in totals.items():
        if (said := getattr(record, name)) != total:
            found.fault(f"parsing.{name}", f"is {said:,}, but {total:,} by {PREDICTIONS}")
    for name, failed in (
        ("failures", totals["draws"] - totals["parsed"]),
        ("verdict_failures", totals["verdicts"] - totals["verified"]),
    ):
        if (said := sum(getattr(record, name).values())) != failed:
            found.fault(f"parsing.{name}", f"add up to {said:,}, but {failed:,} failed")
    unanswered = predictions.distributions[~predictions.answered]
    off = np.abs(unanswered - 1 / predictions.distributions.shape[1]).max(axis=1, initial=0)
    if (wrong := int((off > _EXACTLY).sum())) > 0:
        found.add(
            "fault", PREDICTIONS, "", f"{wrong:,} utterances without an answer are not uniform"
        )


def _check_answers(
    content: Content, submission: ModelSubmission, predictions: Predictions, found: _Findings
) -> None:
    corpus = board_corpora()[submission.corpus.name]
    if not corpus.open_licence:
        message = f"the licence of {corpus.title} does not let answers be published"
        found.add("fault", ANSWERS, "", message)
        return
    try:
        for place, fault in check_answers(content, submission, predictions):
            found.add("fault", ANSWERS, place, fault)
    except FileError as error:
        found.add("fault", ANSWERS, error.place, str(error))


def _check_draws(settings: StrategyFields, predictions: Predictions, found: _Findings) -> None:
    counts = predictions.counts
    off = counts["draws"] != settings.pool
    if off.any():
        name = predictions.ids[off][0]
        message = f"{int(off.sum()):,} utterances, as {name}, have not the {settings.pool} draws"
        found.add("fault", PREDICTIONS, "", f"{message} of the strategy")
    expected = counts["parsed"] if isinstance(settings, VerifiedFields) else 0
    if (counts["asked"] != expected).any():
        verifier = "asked about each answer" if isinstance(settings, VerifiedFields) else "none"
        found.add(
            "fault", PREDICTIONS, "", f"'asked' does not fit the strategy's verifier: {verifier}"
        )


def _check_alike(predictions: Predictions, found: _Findings) -> None:
    rows = predictions.distributions[predictions.answered]
    if len(rows) < _FEW:
        return
    most = int(np.unique(rows, axis=0, return_counts=True)[1].max())
    if most >= _ALIKE * len(rows):
        said = f"{most:,} of {len(rows):,} clips have one and the same prediction"
        found.add("warning", PREDICTIONS, "", f"{said}: does the model hear them?")


# --- scores --------------------------------------------------------------------------------------


def _check_scores_known(submission: Submission, found: _Findings) -> None:
    metrics = all_metrics()
    for place, scores in _score_tables(submission):
        for name, record in scores.items():
            if name not in metrics:
                found.fault(f"{place}.{name}", "there is no such metric")
                continue
            low, high = metrics[name].bounds
            value, width = record.value, high - low
            if value is not None and not low - _EXACTLY <= value <= high + _EXACTLY:
                found.fault(f"{place}.{name}", f"{value:g} is outside {low:g} to {high:g}")
            # Intervals of a linearised metric may leave the bounds, by less than these span.
            ends = [end for end in (record.low, record.high) if end is not None]
            if any(not low - width <= end <= high + width for end in ends):
                found.fault(f"{place}.{name}", f"the interval is far outside {low:g} to {high:g}")
            if record.se is not None and record.se > width:
                said = f"the standard error {record.se:g} is more than {low:g} to {high:g} span"
                found.fault(f"{place}.{name}", said)
            if None not in (record.low, record.high) and record.low > record.high:  # type: ignore[operator]
                found.fault(f"{place}.{name}", "the interval ends before it begins")


def _score_tables(submission: Submission) -> Iterator[tuple[str, Mapping[str, ScoreRecord]]]:
    yield "scores", submission.scores
    for stratum, scores in submission.strata.items():
        yield f"strata.{stratum}", scores


def _recompute(
    submission: Submission,
    reading: Reading,
    truth: Truth | None,
    found: _Findings,
    *,
    thorough: bool,
) -> None:
    if truth is None:
        return
    if isinstance(submission, ReferenceSubmission):
        _check_reference(submission, reading.predictions, truth, found, thorough=thorough)
    if reading.predictions is None:
        return
    run = run_of(reading.key, reading.predictions, truth)
    whole = point_scores(run)
    _compare("scores", submission.scores, whole, found)
    for stratum, scores in submission.strata.items():
        keep = truth.strata == stratum
        if not keep.any():
            found.fault(f"strata.{stratum}", "the corpus has no such utterances")
            continue
        _compare(f"strata.{stratum}", scores, point_scores(run.only(keep)), found)
    if isinstance(submission, ModelSubmission):
        # The points before the end are the submitter's word.
        pool = reading.predictions.counts["draws"].max()
        ends = {one.metric: one.score for one in submission.curve if one.draws == pool}
        _compare(
            "curve", {name: ScoreRecord(value=end) for name, end in ends.items()}, whole, found
        )
        _check_plausible(reading.predictions, truth, found)


def _compare(
    place: str,
    reported: Mapping[str, ScoreRecord],
    recomputed: Mapping[str, float],
    found: _Findings,
) -> None:
    for name, record in reported.items():
        value = recomputed.get(name, math.nan)
        said = math.nan if record.value is None else record.value
        if math.isnan(value) and math.isnan(said):
            continue
        if not abs(value - said) <= SCORE_TOLERANCE:
            shown = "nothing" if math.isnan(value) else f"{value:.12g}"
            found.fault(f"{place}.{name}", f"is {said:.12g}, but {shown} recomputed")


def _check_reference(
    submission: ReferenceSubmission,
    predictions: Predictions | None,
    truth: Truth,
    found: _Findings,
    *,
    thorough: bool,
) -> None:
    """A reference is what its definition says, or none."""
    if submission.reference == "split_half":
        if predictions is not None:
            found.fault("predictions", "there are some, but the human ceiling predicts nothing")
        if thorough:
            values = ceiling_scores(
                submission.corpus,
                truth,
                seed=submission.seeds.get("references", 0),
                repetitions=submission.repetitions or 1,
            )
            expected = {name: score.value for name, score in values.items()}
            _compare("scores", submission.scores, expected, found)
        return
    if predictions is None:
        found.fault("predictions", "there are none")
        return
    wanted = floor_predictions(submission.reference, truth).distributions
    if not np.allclose(predictions.distributions, wanted, rtol=0, atol=_EXACTLY):
        found.add("fault", PREDICTIONS, "", f"is not what '{submission.reference}' predicts")


# --- plausibility --------------------------------------------------------------------------------


def _check_plausible(predictions: Predictions, truth: Truth, found: _Findings) -> None:
    p, q = truth.soft_labels, predictions.distributions
    if len(p) < _FEW:
        return
    prior = floor_predictions("label_prior", truth).distributions
    for constant in (prior, np.broadcast_to(p.mean(axis=0), p.shape)):
        if np.abs(q - constant).max() <= _EXACTLY:
            found.add("warning", PREDICTIONS, "", "predicts the label prior for every clip")
            break
    mixed = truth.strata != "unanimous"
    if mixed.sum() >= _FEW:
        copied = float((np.abs(q - p).max(axis=1) <= _EXACTLY)[mixed].mean())
        if copied >= _COPIED_WARNING:
            said = f"predicts the votes exactly for {copied:.0%} of the clips with mixed votes"
            fault = copied >= _COPIED_FAULT
            found.add("fault" if fault else "warning", PREDICTIONS, "", said)
            return
    ours, panels = float(jensen_shannon(p, q).mean()), _fresh_panels(truth)
    if ours < panels:
        said = f"js {ours:.4f} is nearer to the votes than new annotators would be ({panels:.4f})"
        found.add("warning", PREDICTIONS, "", said)


def _fresh_panels(truth: Truth) -> float:
    """The js that as many new annotators would reach, see `statistics.fresh_panel`."""
    if truth.manifest_sha256 not in _PANEL_SCORES:
        rng = np.random.default_rng(0)
        p, sizes = truth.soft_labels, truth.annotators
        panels = (rng.multinomial(sizes, p) / sizes[:, None] for _ in range(_PANELS))
        found = [float(jensen_shannon(p, panel).mean()) for panel in panels]
        _PANEL_SCORES[truth.manifest_sha256] = sum(found) / len(found)
    return _PANEL_SCORES[truth.manifest_sha256]


def _clause(error: UserError) -> str:
    said = str(error).rstrip(".")
    return said[:1].lower() + said[1:400] if said[:2] != said[:2].upper() else said[:400]
