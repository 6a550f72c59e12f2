"""A run read back: what the harness reported of it, and its sample log.

`lm_eval --log_samples --output_path DIR` writes `DIR/<model>/results_<time>.json`, and beside it,
of the same time, `samples_<task>_<time>.jsonl` of each task. A folder may hold several runs and
models. Logs can be large, so their lines are read one by one, when they are asked for.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import Field

from ambi_tasks.corpus_scores import Pair
from ambi_tasks.errors import UserError
from ambi_tasks.metrics import Metric
from ambi_tasks.metrics.registry import choose_options
from ambi_tasks.scoring import Record, strategy_of
from ambi_tasks.strategies import Strategy, StrategyFields
from ambi_tasks.strategies.fields import VerifiedFields

_TIME = r"(?P<time>\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d+)?)"
_SAMPLES = re.compile(rf"samples_(?P<task>.+)_{_TIME}\.jsonl")
_RESULTS = re.compile(rf".+_{_TIME}\.json")
_SUM_TOLERANCE = 1e-6

Number = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class LoggedUtterance:
    """One line of a sample log.

    Attributes:
        where: File and line, for messages.
        record: What `scoring.score_utterance` reads, and what the run wrote beside it.
        scores: What the run logged of each metric but those of the corpus.
        strategy: The strategy of the run.
        settings: What was set of it.
    """

    where: str
    record: Record
    scores: Mapping[str, float | None]
    strategy: Strategy[Any]
    settings: StrategyFields


@dataclass(frozen=True, slots=True)
class TaskLog:
    """One task of one run.

    Attributes:
        task: Its name.
        model: The model, as the results name it.
        time: When the run was saved; with folder and task it names the log.
        path: The sample log.
        results_path: The results of the same run, None where there are none.
        reported: What they say of the task: `<metric>,<filter>` -> value, and more; None where
            they say nothing.
        config: The task's settings as the results have them (`configs.<task>`), with corpus, label
            rule, strategy and prompt; empty where there are none.
        settings: Those of the run (`config`): model, adapter, draws counted, and more.
        seconds: What the run took, with all its tasks and with loading the weights; None where the
            results do not say. See `work` as well.
        tasks_of_run: How many tasks of this benchmark it took them for.
    """

    task: str
    model: str
    time: str
    path: Path
    results_path: Path | None
    reported: Mapping[str, Any] | None
    config: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    tasks_of_run: int = 1

    @property
    def options(self) -> Mapping[str, Any]:
        """Metric -> option -> value, as the results have them."""
        found = self.config.get("metrics", {})
        return found if isinstance(found, dict) else {}

    def metrics(self) -> dict[str, Metric]:
        """Every metric, with the options that the run was scored with.

        Raises:
            UserError: The results have options that this version does not know.
        """
        try:
            return choose_options(self.options)
        except UserError as error:
            version = self.settings.get("ambi_tasks_version", "another version")
            raise UserError(
                f"{self.results_path}: configs.{self.task}.metrics, as ambi_tasks {version} wrote "
                f"it: {error}"
            ) from error

    @property
    def work(self) -> float | None:
        """Seconds of answering and scoring alone, added up over processes.

        Draws that were kept by earlier runs count as much as those that were made. None where the
        results do not say, where nothing was made, and where several tasks may have shared draws.
        """
        found = [
            _whole_work(made, part[kind])
            for part in _models_of(self.settings)
            for kind, made in _MADE
            if kind in part
        ]
        if self.tasks_of_run != 1 or not found or None in found:
            return None
        return math.fsum(one for one in found if one is not None)

    @property
    def size(self) -> int | None:
        """Number of utterances, as the results have it; None where they do not.

        After `--predict_only` the harness counts 0, those that were scored.
        """
        size = (self.reported or {}).get("sample_len")
        return size if isinstance(size, int) and size > 0 else None

    def utterances(self) -> Iterator[LoggedUtterance]:
        """Read the log, line by line.

        Raises:
            UserError: A line cannot be read, is there twice or has no evidence, or the log is not
                as long as the results say.
        """
        first_seen: dict[str, int] = {}
        for number, line in _lines(self.path):
            where = f"{self.path}:{number}"
            utterance = _utterance(line, where)
            name = utterance.record["id"]
            if name in first_seen:
                raise UserError(
                    f"{where}: the utterance '{name}' is there twice, first in line "
                    f"{first_seen[name]}."
                )
            first_seen[name] = number
            yield utterance
        if self.size not in (None, len(first_seen)):
            raise UserError(
                f"{self.path}: it holds {len(first_seen)} utterances, but {self.results_path} "
                f"counts {self.size}; the log is not complete."
            )

    def utterance_at(self, offset: int, number: int) -> LoggedUtterance:
        """Read one line, known from an earlier reading of the file.

        Args:
            offset: Where it begins, in bytes.
            number: Of the line, for messages.

        Raises:
            UserError: It cannot be read or has no evidence.
        """
        where = f"{self.path}:{number}"
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                return _utterance(json.loads(file.readline()), where)
        except (OSError, ValueError) as error:
            raise UserError(f"{where}: the line cannot be read ({error}).") from error


@dataclass(frozen=True, slots=True)
class Logs:
    """What was found.

    Attributes:
        tasks: The logs of our tasks, in the order of their paths.
        skipped: A sentence for each task that is not ours.
        broken: A sentence for each run or log of ours that cannot be used, where these were asked
            for; see `find_logs`.
    """

    tasks: tuple[TaskLog, ...]
    skipped: tuple[str, ...]
    broken: tuple[str, ...] = ()


def find_logs(path: Path, *, set_apart: bool = False) -> Logs:
    """Find the sample logs of our tasks.

    Args:
        path: A folder that the harness wrote into, at any depth; or one results file, for its run;
            or one sample log.
        set_apart: Put what is wrong with one run into `Logs.broken`, and go on with the others.

    Raises:
        UserError: There are none; or, unless they are set apart, a results file cannot be read or
            has no sample log beside it.
    """
    found: list[TaskLog] = []
    skipped: list[str] = []
    broken: list[str] = []
    for load in _runs(path):
        try:
            run = load()
            for task, log in run.logs(skipped):
                if log.is_file():
                    found.append(run.task_log(task, log))
                    continue
                without = UserError(
                    f"{run.results}: it reports {task}, but there is no {log.name} beside it; "
                    f"evaluate with --log_samples, or keep the two together."
                )
                if not set_apart:
                    raise without
                broken.append(str(without))
        except UserError as error:
            if not set_apart:
                raise
            broken.append(str(error))
    if not found:
        others = " ".join([*skipped, *broken])
        raise UserError(
            f"{path} holds no sample log of a task of this benchmark"
            f"{f' ({others})' if others else ''}."
        )
    return Logs(tuple(found), tuple(skipped), tuple(broken))


# --- files ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """Files of one time in one folder."""

    folder: Path
    time: str
    results: Path | None
    samples: Mapping[str, Path]
    content: Mapping[str, Any]
    whole: bool

    def logs(self, skipped: list[str]) -> Iterator[tuple[str, Path]]:
        """Our tasks, with the path where the sample log should lie."""
        configs = self.content.get("configs", {})
        for task in sorted({*(configs if self.whole else ()), *self.samples}):
            log = self.samples.get(task, self.folder / f"samples_{task}_{self.time}.jsonl")
            if _is_ours(configs[task]) if task in configs else _looks_like_ours(log):
                yield task, log
            else:
                skipped.append(f"{log} is of '{task}', no task of this benchmark, and skipped.")

    def task_log(self, task: str, log: Path) -> TaskLog:
        model = self.content.get("model_name")
        configs = self.content.get("configs", {})
        return TaskLog(
            task=task,
            model=model if isinstance(model, str) and model else log.absolute().parent.name,
            time=self.time,
            path=log,
            results_path=self.results,
            reported=_mapping(self.content.get("results", {}).get(task)),
            config=_mapping(configs.get(task)) or {},
            settings=_mapping(self.content.get("config")) or {},
            seconds=_seconds(self.content.get("total_evaluation_time_seconds")),
            tasks_of_run=sum(map(_is_ours, configs.values())) or 1,
        )


def _mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None


_MADE = (
    ("draws", "drawn"),
    ("verdicts", "drawn"),
    ("transcripts", "drawn"),
    ("scores", "scored"),
)
"""What the results count of a model's work, and what they call those that the run made."""


def _models_of(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A model's record, and those of the models that it uses."""
    yield settings
    for name in ("verifier", "recogniser"):
        used = _mapping(settings.get(name))
        if used is not None:
            yield from _models_of(used)


def _whole_work(made: str, counts: Any) -> float | None:
    """Seconds for those that were made and those that were stored."""
    names = (made, "stored", "seconds")
    known = isinstance(counts, dict) and all(isinstance(counts.get(n), int | float) for n in names)
    if not known or not counts[made] > 0:
        return None
    seconds = _seconds(counts["seconds"])
    return None if seconds is None else seconds * (1 + counts["stored"] / counts[made])


def _seconds(value: Any) -> float | None:
    """The harness writes a number as a text."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 <= seconds < math.inf else None


def _runs(path: Path) -> list[Callable[[], _Run]]:
    """What reads each run, in the order of their paths."""
    if not path.exists():
        raise UserError(f"There is nothing at {path}.")
    if path.is_dir():
        files = sorted(one for one in path.rglob("*_*.json*") if one.is_file())
        whole = True
    else:
        whole = _RESULTS.fullmatch(path.name) is not None
        if not whole and not _SAMPLES.fullmatch(path.name):
            raise UserError(
                f"{path} is named neither like results_<time>.json nor like "
                f"samples_<task>_<time>.jsonl, as the harness names its files."
            )
        beside = sorted(path.absolute().parent.glob("*_*.json*"))
        files = [path.parent / one.name for one in beside if _time(one) == _time(path)]
        if not whole:
            files = [one for one in files if one == path or _RESULTS.fullmatch(one.name)]
    groups: dict[tuple[Path, str], list[Path]] = {}
    for one in files:
        if time := _time(one):
            groups.setdefault((one.parent, time), []).append(one)
    if not groups:
        raise UserError(
            f"{path} holds no results_<time>.json and no samples_<task>_<time>.jsonl; name the "
            f"folder that `lm_eval --log_samples --output_path` wrote."
        )
    return [partial(_run, folder, time, some, whole) for (folder, time), some in groups.items()]


def _time(path: Path) -> str:
    match = _SAMPLES.fullmatch(path.name) or _RESULTS.fullmatch(path.name)
    return match["time"] if match else ""


def _run(folder: Path, time: str, files: list[Path], whole: bool) -> _Run:
    samples = {match["task"]: one for one in files if (match := _SAMPLES.fullmatch(one.name))}
    results = [one for one in files if _RESULTS.fullmatch(one.name)]
    if len(results) > 1:
        raise UserError(f"{results[0]} and {results[1].name} are of the same time.")
    content = _results(results[0]) if results else {}
    return _Run(folder, time, results[0] if results else None, samples, content, whole)


def _results(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: the file cannot be read ({error.strerror}).") from error
    except ValueError as error:  # not JSON, or not UTF-8
        raise UserError(f"{path}: the file is not JSON ({error}).") from error
    for part in ("results", "configs"):
        if not (isinstance(content, dict) and isinstance(content.get(part), dict)):
            raise UserError(f"{path}: there is no '{part}' in it; it is no results file.")
    return dict(content)


def _is_ours(config: Any) -> bool:
    corpus = config.get("corpus") if isinstance(config, dict) else None
    return isinstance(corpus, dict) and "manifest_sha256" in corpus


def _looks_like_ours(path: Path) -> bool:
    """Whether a log that no results file tells about is of one of our tasks, by its first line."""
    _, line = next(_lines(path))
    doc = line.get("doc")
    return isinstance(doc, dict) and "soft_label" in doc


# --- lines ---------------------------------------------------------------------------------------


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="allow")


class _Answer(_Part):
    text: str
    log_likelihood: Number | None = None
    tokens: Annotated[int, Field(ge=0)] | None = None


class _Judgement(_Part):
    log_likelihoods: Annotated[list[Number], Field(min_length=2, max_length=2)]


class _ReadOut(_Part):
    model_config = pydantic.ConfigDict(strict=True, extra="forbid")

    log_likelihoods: list[Number]
    tokens: list[int | None]
    content_free: list[Number]


class _Strategy(_Part):
    name: str


class _Document(_Part):
    id: str
    labels: Annotated[list[str], Field(min_length=2)]
    soft_label: list[Annotated[Number, Field(ge=0)]]
    strategy: _Strategy
    draws: Annotated[list[_Answer], Field(min_length=1)] | None = None
    verdicts: list[_Answer | _Judgement | None] | None = None
    read_out: _ReadOut | None = None


class _Line(_Part):
    doc: _Document
    metrics: list[str]


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and content of each line; there is at least one."""
    number = 0
    try:
        opened = path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: the file cannot be read ({error.strerror}).") from error
    with opened as file:
        for number, line in enumerate(file, start=1):
            try:
                content = json.loads(line)
            except ValueError as error:  # not JSON, or not UTF-8
                broken = "is not JSON" if line.endswith(b"\n") else "breaks off"
                raise UserError(f"{path}:{number}: the line {broken} ({error}).") from error
            if not isinstance(content, dict):
                raise UserError(f"{path}:{number}: the line is no JSON object.")
            yield number, content
    if not number:
        raise UserError(f"{path}: the file is empty.")


def _utterance(line: Mapping[str, Any], where: str) -> LoggedUtterance:
    record = line.get("doc")
    if isinstance(record, dict) and "soft_label" in record and "strategy" not in record:
        raise UserError(
            f"{where}: there is no evidence in the line, as in the logs of the first version of "
            f"this package; evaluate again to have it."
        )
    try:
        document = _Line.model_validate(line).doc
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: {place}: {first['msg']}.") from error
    assert isinstance(record, dict)
    try:
        strategy, settings = strategy_of(record)
        _check_evidence(document, settings)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return LoggedUtterance(where, record, _scores(line, where), strategy, settings)


def _check_evidence(document: _Document, settings: StrategyFields) -> None:
    """Refuse what would be scored wrongly, or not at all."""
    classes = len(document.labels)
    if len(document.soft_label) != classes or abs(sum(document.soft_label) - 1) > _SUM_TOLERANCE:
        raise UserError(f"doc.soft_label is no distribution over the {classes} labels.")
    if settings.mode == "none":
        _check_read_out(document.read_out, classes)
        return
    if not document.draws:
        raise UserError("there are no draws in the line (doc.draws).")
    if not isinstance(settings, VerifiedFields):
        return
    if document.verdicts is None or len(document.verdicts) != len(document.draws):
        raise UserError("doc.verdicts are not as many as doc.draws.")
    kind = _Judgement if settings.score == "probability" else _Answer
    if not all(verdict is None or isinstance(verdict, kind) for verdict in document.verdicts):
        raise UserError(f"doc.verdicts are not those of score={settings.score}.")
    if settings.score == "rating" and settings.scale is None:
        raise UserError("doc.strategy.scale is not recorded.")


def _check_read_out(read_out: _ReadOut | None, classes: int) -> None:
    if read_out is None:
        raise UserError("there is no read-out in the line (doc.read_out).")
    lengths = {len(read_out.log_likelihoods), len(read_out.tokens)}
    if lengths != {classes} or len(read_out.content_free) not in (0, classes):
        raise UserError(f"doc.read_out is not of the {classes} labels.")


def _scores(line: Mapping[str, Any], where: str) -> dict[str, float | None]:
    scores = {}
    for name in line["metrics"]:
        value = line.get(name, "missing")
        if value == Pair.LOGGED:  # of a metric of the corpus, which has no value here
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
            raise UserError(f"{where}: {name} is no number: {value!r}.")
        scores[name] = value
    return scores
