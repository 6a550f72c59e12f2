"""A run scored again from its sample log alone, and compared with what it reported.

Every draw is read, combined and scored anew. What comes out must equal what was logged, to the last
digit: the code is the same, and JSON keeps every digit of a number.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ambi_tasks.corpus_scores import NOT_AVAILABLE, Pair, corpus_aggregations
from ambi_tasks.errors import UserError
from ambi_tasks.report.sample_log import LoggedUtterance, TaskLog
from ambi_tasks.scoring import score_utterance

_STDERR = "_stderr"
_PREDICTED = ("prediction", "answered", "spread", "candidates")

Value = float | str
"""A corpus's score; `N/A`, as the harness writes it, where nothing was scored."""

Sum = Callable[[Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One score of a task.

    Attributes:
        metric: Its name; a standard error's ends in `_stderr`.
        logged: What the results say, None where they say nothing.
        recomputed: What the log gives, None where it gives nothing of that name.
        agrees: Whether both are the same; None where the results say nothing.
    """

    metric: str
    logged: Value | None
    recomputed: Value | None
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class Rescored:
    """One task, scored again.

    Attributes:
        log: What was scored.
        utterances: How many.
        scores: Each metric of the corpus.
        differences: A sentence for each utterance whose log does not follow from its evidence.
    """

    log: TaskLog
    utterances: int
    scores: tuple[Comparison, ...]
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.differences and all(one.agrees is not False for one in self.scores)


def rescore(log: TaskLog, utterances: Iterable[LoggedUtterance] | None = None) -> Rescored:
    """Score a task again and compare.

    Args:
        log: The task's log.
        utterances: Its utterances, if they are read already, or watched as they are.

    Raises:
        UserError: The log cannot be scored, or there are no results to compare it with.
    """
    if log.reported is None:
        where = f"{log.results_path} says nothing of {log.task}" if log.results_path else ""
        raise UserError(
            f"{log.path}: there are no results of the same run to compare the log with"
            f"{f' ({where})' if where else ''}."
        )
    metrics = log.metrics()
    pairs: list[Pair] = []
    values: dict[str, list[float | None]] = {}
    differences: list[str] = []
    for utterance in log.utterances() if utterances is None else utterances:
        try:
            scored = score_utterance(utterance.record, metrics)
        except (UserError, ValueError) as error:
            raise UserError(f"{utterance.where}: {error}") from error
        pairs.append(scored.pair)
        for name, value in scored.scores.items():
            values.setdefault(name, []).append(value)
        found = [
            *_score_differences(utterance, scored.scores, _metrics_of(log.reported)),
            *_prediction_differences(utterance, scored.record()),
        ]
        if found:
            differences.append(f"{utterance.where} ({utterance.record['id']}): {'; '.join(found)}.")
    of_corpus = {name: make(pairs) for name, make in corpus_aggregations(metrics).items() if pairs}
    compared = tuple(_compare(log.reported, values, of_corpus))
    return Rescored(log, len(pairs), compared, tuple(differences))


def corpus_means(values: Sequence[float | None]) -> list[Value]:
    """The mean over the utterances that have a value, as any Python would have reported it.

    `sum` adds floats from left to right before Python 3.12, and makes up for the rounding since; so
    the last digit of a mean may depend on the Python that ran it.

    Args:
        values: One value per utterance; None where the metric says nothing about it.

    Returns:
        The mean by this Python's `sum` first, then the other's; `N/A` where no utterance has a
        value.
    """
    some = [value for value in values if value is not None]
    return [total(some) / len(some) for total in _SUMS] if some else [NOT_AVAILABLE]


def standard_errors(values: Sequence[float | None]) -> list[Value]:
    """The standard error of the mean, computed as the harness does, in both ways of summing.

    Args:
        values: As for `corpus_means`.
    """
    some = [value for value in values if value is not None]
    if len(some) <= 1:
        return [NOT_AVAILABLE]
    found: list[Value] = []
    for total in _SUMS:
        mean = total(some) / len(some)
        squares = total([(value - mean) ** 2 for value in some])
        found.append(math.sqrt(squares / (len(some) - 1)) / math.sqrt(len(some)))
    return found


def _left_to_right(values: Sequence[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


def _compensated(values: Sequence[float]) -> float:
    """Neumaier's sum, as Python computes it since 3.12."""
    total = lost = 0.0
    for value in values:
        larger = total + value
        if abs(total) >= abs(value):
            lost += (total - larger) + value
        else:
            lost += (value - larger) + total
        total = larger
    return total + lost


_SUMS: tuple[Sum, ...] = (sum, _left_to_right, _compensated)


def _metrics_of(reported: Mapping[str, Any]) -> dict[str, Any]:
    """Metric -> value; the harness appends a filter to the names, of which our tasks have one."""
    return {key.partition(",")[0]: value for key, value in reported.items() if "," in key}


def _compare(
    reported: Mapping[str, Any],
    values: Mapping[str, Sequence[float | None]],
    of_corpus: Mapping[str, Value],
) -> Iterator[Comparison]:
    logged = _metrics_of(reported)
    for name in sorted({*logged, *values, *of_corpus}):
        of = name.removesuffix(_STDERR)
        if of in of_corpus:
            if of != name and name not in logged:
                continue
            found = of_corpus[name] if of == name else NOT_AVAILABLE  # the harness gives no more
            agrees = found == logged[name] if name in logged else None
            yield Comparison(name, logged.get(name), found, agrees)
        elif name.endswith(_STDERR):
            yield _compare_one(name, logged, standard_errors, values.get(name[: -len(_STDERR)]))
        else:
            yield _compare_one(name, logged, corpus_means, values.get(name))


def _compare_one(
    name: str,
    logged: Mapping[str, Any],
    aggregate: Callable[[Sequence[float | None]], list[Value]],
    values: Sequence[float | None] | None,
) -> Comparison:
    if values is None:
        return Comparison(name, logged[name], None, agrees=False)
    recomputed = aggregate(values)
    if name not in logged:
        return Comparison(name, None, recomputed[0], agrees=None)
    if name.endswith(_STDERR) and logged[name] == NOT_AVAILABLE:  # was not asked for
        return Comparison(name, logged[name], logged[name], agrees=True)
    same = [value for value in recomputed if value == logged[name]]
    return Comparison(name, logged[name], (same or recomputed)[0], agrees=bool(same))


def _score_differences(
    utterance: LoggedUtterance,
    scores: Mapping[str, float | None],
    reported: Mapping[str, Any],
) -> Iterator[str]:
    for name in sorted({*utterance.scores, *scores}):
        if name not in scores:
            yield f"{name} is none of its scores"
        elif name in utterance.scores:
            if utterance.scores[name] != scores[name]:
                yield f"{name} is {utterance.scores[name]} in the log, {scores[name]} recomputed"
        elif name in reported:
            yield f"{name} is not in the log, {scores[name]} recomputed"


def _prediction_differences(
    utterance: LoggedUtterance, recomputed: Mapping[str, Any]
) -> Iterator[str]:
    as_logged = json.loads(json.dumps(recomputed))  # tuples become lists
    for name in _PREDICTED:
        if utterance.record.get(name, "missing") != as_logged[name]:
            yield f"{name} does not follow from the evidence"
