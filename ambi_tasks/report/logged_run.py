"""A sample log as arrays: what statistics, reports and leaderboards need of a run, read in one go.

Of each line the few fields that are needed are decoded, straight into their types; the draws' texts
and the prompts, which are most of a log, are passed over. Whoever wants to show an utterance reads
its line again (`LoggedRun.utterance`).

Nothing is taken on trust that can be checked cheaply: every line must be of the label rule and the
strategy that the results name, and the metrics, computed anew from the logged predictions, must be
those that the results report. (`rescore.py` checks the predictions themselves, from the draws.)
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, entropy_bits, strata
from ambi_tasks.metrics import Metric
from ambi_tasks.metrics.registry import Needs
from ambi_tasks.metrics.validation import SUM_TOLERANCE, Flags, Floats
from ambi_tasks.report.sample_log import LoggedUtterance, TaskLog
from ambi_tasks.statistics import Run

_SAME = 1e-9
"""Relative: other ways of summing differ by less, other definitions by more."""

Names = NDArray[np.str_]
Counts = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class CorpusIdentity:
    """What the results say of the corpus.

    Attributes:
        name: Of the corpus.
        manifest_sha256: Hash over utterance ids, votes and label rule; see `documents.Selection`.
        options: What was chosen of it.
        release: Which release the copy is, empty where it does not tell.
        licence: In a few words.
    """

    name: str
    manifest_sha256: str
    options: Mapping[str, str]
    release: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Utterances:
    """Columns beside those of `statistics.Run`, in the same order; N utterances, K classes.

    Attributes:
        votes: (N, K), votes per class by the label rule; None where a line has none.
        annotators: (N,), whose vote counts; None likewise.
        strata: (N,), of ambiguity: unanimous, low, medium, high.
        attributes: What else the corpus says of an utterance, such as `sex` -> (N,).
        answered: (N,), whether any candidate could be read.
        candidates: (N,), how many there were.
        read: (N,), how many of them could be read.
        scored: (N,), how many of these a verifier's verdict gave a score; None without a verifier.
        tokens: (N,), generated for the draws and for the verdicts on them; NaN where the log does
            not have it, 0 where nothing is generated.
    """

    votes: Floats | None
    annotators: Counts | None
    strata: Names
    attributes: Mapping[str, Names]
    answered: Flags
    candidates: Counts
    read: Counts
    scored: Counts | None
    tokens: Floats


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A task of a run, read.

    Attributes:
        log: Where it comes from; it names task, model and time, and has the task's whole settings.
        run: Ids, speakers, label rule, and the arrays of every metric, as `statistics` takes them.
        utterances: What else is known of each.
        corpus: Which corpus.
        strategy: Its `name`, and all that is set of it.
        metrics: Every metric, with the options that the run was scored with.
        failures: Kind of failure -> candidates that could not be read for it.
        verdict_failures: The same of a verifier's verdicts.
    """

    log: TaskLog
    run: Run
    utterances: Utterances
    corpus: CorpusIdentity
    strategy: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    failures: Mapping[str, int]
    verdict_failures: Mapping[str, int]
    _offsets: NDArray[np.int64]
    _numbers: Counts

    @property
    def truth(self) -> Floats:
        """The soft labels, (N, K)."""
        return self.run.inputs["distributions"][0]

    @property
    def prediction(self) -> Floats:
        """The model's distributions, (N, K)."""
        return self.run.inputs["distributions"][1]

    def utterance(self, index: int) -> LoggedUtterance:
        """All that was logged of an utterance, read from the file again.

        Args:
            index: Its place in `run.ids`.

        Raises:
            UserError: The file has changed.
        """
        found = self.log.utterance_at(int(self._offsets[index]), int(self._numbers[index]))
        if found.record["id"] != self.run.ids[index]:
            raise UserError(f"{found.where}: the file has changed since it was read.")
        return found


def read_run(log: TaskLog, *, name: str | None = None) -> LoggedRun:
    """Read a sample log into arrays.

    Args:
        log: What to read; its results must be beside it, since they alone have the label rule.
        name: What to call the run; task, model and time by default.

    Raises:
        UserError: There are no results; the file is damaged or not complete; a line is not of the
            label rule or the strategy of the results, or holds what is no distribution; or the
            predictions do not have the scores that the results report, as with metrics of another
            version.
    """
    rule, corpus, strategy = _settings(log)
    metrics = log.metrics()
    rows = _Rows(log, rule, strategy)
    for line in _lines(log):
        rows.add(line)
    rows.check_size()
    found = rows.finish(name or f"{log.task}, {log.model}, {log.time}", corpus, metrics)
    _check_reported(found)
    return found


# --- what the results say ------------------------------------------------------------------------


def _settings(log: TaskLog) -> tuple[LabelRule, CorpusIdentity, Mapping[str, Any]]:
    corpus, strategy = log.config.get("corpus"), log.config.get("strategy")
    if not isinstance(corpus, dict) or not isinstance(strategy, dict):
        raise UserError(
            f"{log.path}: the results of the same run are not beside it, so its label rule is not "
            f"known; keep results_{log.time}.json in the same folder."
        )
    where = f"{log.results_path}: configs.{log.task}"
    try:
        values = dict(corpus["label_rule"])
        rule = LabelRule(**(values | {"classes": tuple(values["classes"])}))
        identity = CorpusIdentity(
            name=str(corpus["name"]),
            manifest_sha256=str(corpus["manifest_sha256"]),
            options=dict(corpus.get("options") or {}),
            release=str(corpus.get("release") or ""),
            licence=str(corpus.get("licence") or ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{where}.corpus is not as this version of the package writes it ({error!r})."
        ) from error
    except UserError as error:
        raise UserError(f"{where}.corpus.label_rule: {error}") from error
    if not isinstance(strategy.get("name"), str):
        raise UserError(f"{where}.strategy has no name.")
    return rule, identity, strategy


# --- lines ---------------------------------------------------------------------------------------


# Without `gc`, Python's collector would walk over a million of them again and again; none of them
# can be part of a cycle.


class _Draw(msgspec.Struct, gc=False):
    tokens: int | None = None


class _Verdict(msgspec.Struct, gc=False):
    text: msgspec.Raw = msgspec.Raw()
    tokens: int | None = None


class _Candidate(msgspec.Struct, gc=False):
    distribution: msgspec.Raw
    failure: str | None = None
    score: float | None = None
    verdict_failure: str | None = None


class _Document(msgspec.Struct, gc=False):
    id: str
    labels: msgspec.Raw
    soft_label: list[float]
    strategy: msgspec.Raw
    prediction: list[float]
    answered: bool
    candidates: list[_Candidate]
    speaker: str | None = None
    votes: list[float] | None = None
    annotators: int | None = None
    stratum: str | None = None
    attributes: dict[str, str | None] | None = None
    draws: list[_Draw] | None = None
    verdicts: list[_Verdict | None] | None = None


class _Content(msgspec.Struct, gc=False):
    doc: _Document


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    offset: int
    doc: _Document


def _lines(log: TaskLog) -> Iterator[_Line]:
    decoder = msgspec.json.Decoder(_Content)
    offset = 0
    try:
        with log.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    content = decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    raise UserError(f"{log.path}:{number}: {_fault(line, error)}") from error
                yield _Line(number, offset, content.doc)
                offset += len(line)
    except OSError as error:
        raise UserError(f"{log.path}: the file cannot be read ({error.strerror}).") from error
    if not offset:
        raise UserError(f"{log.path}: the file is empty.")


def _fault(line: bytes, error: Exception) -> str:
    """What is wrong with a line, as a sentence."""
    if isinstance(error, msgspec.ValidationError):
        return f"{error}, so the line is not of this benchmark's log."
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        broken = "is not JSON" if line.endswith(b"\n") else "breaks off"
        return f"the line {broken} ({error})."
    return "the line holds NaN or infinity, which is no score and no probability."


@dataclass(slots=True)
class _Rows:
    """The lines of a log, on their way into columns."""

    log: TaskLog
    rule: LabelRule
    strategy: Mapping[str, Any]
    lines: list[_Line] = field(default_factory=list)
    first_seen: dict[str, int] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    verdict_failures: Counter[str] = field(default_factory=Counter)
    accepted: set[tuple[bytes, bytes]] = field(default_factory=set)

    def add(self, line: _Line) -> None:
        doc = line.doc
        first = self.first_seen.setdefault(doc.id, line.number)
        if first != line.number:
            self._refuse(line, f"the utterance '{doc.id}' is there twice, first in line {first}.")
        self._check_task(line)
        classes = len(self.rule.classes)
        for name in ("soft_label", "prediction", "votes"):
            row = getattr(doc, name)
            if row is not None and len(row) != classes:
                self._refuse(line, f"doc.{name} has {len(row)} numbers for {classes} labels.")
        for candidate in doc.candidates:
            if candidate.failure:
                self.failures[candidate.failure] += 1
            if candidate.verdict_failure:
                self.verdict_failures[candidate.verdict_failure] += 1
        self.lines.append(line)

    def check_size(self) -> None:
        size = self.log.size
        if size is not None and size != len(self.lines):
            raise UserError(
                f"{self.log.path}: it holds {len(self.lines)} utterances, but "
                f"{self.log.results_path} counts {size}; the log is not complete."
            )

    def finish(self, name: str, corpus: CorpusIdentity, metrics: Mapping[str, Metric]) -> LoggedRun:
        """The columns, in the order of the utterances' names."""
        lines = sorted(self.lines, key=lambda line: line.doc.id)
        docs = [line.doc for line in lines]
        truth = self._distributions("soft_label", lines)
        utterances = _columns(docs, truth)
        inputs: dict[Needs, tuple[Any, Any]] = {
            "distributions": (truth, self._distributions("prediction", lines)),
            "draws": (utterances.read, utterances.candidates),
        }
        if utterances.scored is not None and utterances.read.all():
            inputs["verdicts"] = (utterances.scored, utterances.read)
        return LoggedRun(
            log=self.log,
            run=Run.of(
                name,
                ids=[doc.id for doc in docs],
                speakers=[doc.speaker or doc.id for doc in docs],
                rule=self.rule,
                inputs=inputs,
            ),
            utterances=utterances,
            corpus=corpus,
            strategy=self.strategy,
            metrics=metrics,
            failures=dict(self.failures.most_common()),
            verdict_failures=dict(self.verdict_failures.most_common()),
            _offsets=np.array([line.offset for line in lines], dtype=np.int64),
            _numbers=np.array([line.number for line in lines], dtype=np.intp),
        )

    def _check_task(self, line: _Line) -> None:
        """Whether labels and strategy are those of the results; all lines have the same bytes."""
        raw = bytes(line.doc.labels), bytes(line.doc.strategy)
        if raw in self.accepted:
            return
        labels, strategy = map(json.loads, raw)
        if not isinstance(labels, list) or tuple(labels) != self.rule.classes:
            self._refuse(
                line,
                f"its labels are {raw[0].decode()[:200]}, but those of the results' label rule are "
                f"{', '.join(self.rule.classes)}.",
            )
        if strategy != self.strategy:
            self._refuse(
                line, f"its strategy is not what the results say: {raw[1].decode()[:200]} here."
            )
        self.accepted.add(raw)

    def _distributions(self, name: str, lines: Sequence[_Line]) -> Floats:
        array = np.array([getattr(line.doc, name) for line in lines], dtype=np.float64)
        with np.errstate(over="ignore"):  # a sum of infinity is refused as well
            bad = (array < 0).any(axis=1) | ~(np.abs(array.sum(axis=1) - 1) <= SUM_TOLERANCE)
        if bad.any():
            line = lines[int(bad.argmax())]
            self._refuse(line, f"doc.{name} is no distribution: {getattr(line.doc, name)}.")
        return array

    def _refuse(self, line: _Line, problem: str) -> None:
        raise UserError(f"{self.log.path}:{line.number}: {problem}")


def _columns(docs: Sequence[_Document], truth: Floats) -> Utterances:
    votes = [doc.votes for doc in docs]
    annotators = [doc.annotators for doc in docs]
    counted = None not in votes and None not in annotators
    named = [doc.stratum for doc in docs]
    if None in named:
        named = list(strata([entropy_bits(row) for row in truth.tolist()]))
    verified = all(doc.verdicts is not None for doc in docs)
    scored = (
        [sum(one.score is not None for one in doc.candidates) for doc in docs] if verified else []
    )
    readable = [sum(bytes(one.distribution) != b"null" for one in doc.candidates) for doc in docs]
    return Utterances(
        votes=np.array(votes, dtype=np.float64) if counted else None,
        annotators=np.array(annotators, dtype=np.intp) if counted else None,
        strata=np.array(named, dtype=np.str_),
        attributes=_attributes([doc.attributes or {} for doc in docs]),
        answered=np.array([doc.answered for doc in docs]),
        candidates=np.array([len(doc.candidates) for doc in docs], dtype=np.intp),
        read=np.array(readable, dtype=np.intp),
        scored=np.array(scored, dtype=np.intp) if verified else None,
        tokens=np.array([_generated(doc) for doc in docs]),
    )


def _attributes(rows: Sequence[Mapping[str, str | None]]) -> dict[str, Names]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: np.array([row.get(name) or "unknown" for row in rows], dtype=np.str_)
        for name in names
    }


def _generated(doc: _Document) -> float:
    """Tokens of the draws and of written verdicts; a verdict by probabilities generates none."""
    counts = [draw.tokens for draw in doc.draws or ()]
    counts += [one.tokens for one in doc.verdicts or () if one is not None and bytes(one.text)]
    known = [count for count in counts if count is not None]
    return float(sum(known)) if len(known) == len(counts) else math.nan


# --- the reported scores -------------------------------------------------------------------------


def _check_reported(found: LoggedRun) -> None:
    """Refuse a run whose predictions do not have its scores."""
    reported = found.log.reported or {}
    known = {metric.name: metric for metric in found.run.metrics(found.metrics)}
    stated = {key.partition(",")[0]: value for key, value in reported.items()}
    for one in found.run.sums([known[name] for name in known if _is_number(stated.get(name))]):
        value = float(known[one.name].value(one.sums.sum(axis=0)))
        if not math.isclose(value, stated[one.name], rel_tol=_SAME, abs_tol=_SAME):
            raise UserError(
                f"{found.log.results_path}: it reports {one.name} = {stated[one.name]} for "
                f"{found.log.task}, but its log gives {value}: the log was changed, or the metric "
                f"is of another version than ours. `ambi rescore` tells what differs."
            )


def _is_number(value: Any) -> bool:
    """Not where a metric is not reported, or is N/A."""
    return isinstance(value, (int, float))
