"""The answers behind predictions, where they may be published: each prediction follows from them.

A file of JSON lines packed with gzip, an utterance a line, in the order of the predictions: its
`draws`, the verifier's `verdicts` on them, or the `read_out` of the labels' probabilities, as the
sample log has them (docs/results.md), without sound, paths, prompts and votes.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import pydantic
from pydantic import Field

from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.files import Content, FileError, pack, strict_json, unpacked_lines
from ambi_tasks.leaderboard.predictions import Predictions
from ambi_tasks.leaderboard.submission import Count, ModelSubmission, Part
from ambi_tasks.leaderboard.task_files import all_fields
from ambi_tasks.scoring import score_utterance

LONGEST_ANSWER = 20_000
"""Characters of one answer."""

UNPACKED_BYTES = 64 * 1024**2
"""Of all answers, unpacked; 16 answers of 500 characters for each clip of CREMA-D fit."""

_LINE_BYTES = 4 * 1024**2
_SAME = 1e-9

LogProbability = Annotated[float, Field(ge=-1e9, le=1e-3)]


class Answer(Part):
    """A draw, or what a verifier wrote about one."""

    text: Annotated[str, Field(max_length=LONGEST_ANSWER)]
    log_likelihood: LogProbability | None = None
    tokens: Count | None = None
    finish_reason: Annotated[str, Field(pattern="^[a-z_]{1,32}$")] | None = None


class Judgement(Part):
    """A verifier's log-probabilities of yes and of no."""

    log_likelihoods: Annotated[list[LogProbability | None], Field(min_length=2, max_length=2)]


class ReadOutRecord(Part):
    """The labels' log-probabilities."""

    log_likelihoods: Annotated[list[LogProbability], Field(max_length=32)]
    tokens: Annotated[list[Count | None], Field(max_length=32)]
    content_free: Annotated[list[LogProbability], Field(max_length=32, default_factory=list)]


class Evidence(Part):
    """One utterance."""

    id: Annotated[str, Field(max_length=200)]
    draws: Annotated[list[Answer], Field(max_length=100_000)] | None = None
    verdicts: Annotated[list[Answer | Judgement | None], Field(max_length=100_000)] | None = None
    read_out: ReadOutRecord | None = None


def answers_of(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Pack the evidence of a sample log's documents.

    Args:
        documents: In the order of their ids.

    Raises:
        UserError: An answer is not of the kind that may be published, such as a far too long one.
    """
    lines = []
    for document in documents:
        kept: dict[str, Any] = {"id": document["id"]}
        for name in ("draws", "verdicts"):
            if document.get(name) is not None:
                kept[name] = [_kept(one) for one in document[name]]
        if document.get("read_out") is not None:
            kept["read_out"] = document["read_out"]
        try:
            evidence = Evidence.model_validate_json(json.dumps(kept))
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise UserError(
                f"The answers for {document['id']} cannot be published ({place}: {first['msg']}); "
                f"submit without them: --no-texts."
            ) from error
        lines.append(evidence.model_dump_json(exclude_none=True))
    if (size := sum(len(line.encode()) + 1 for line in lines)) > UNPACKED_BYTES:
        raise UserError(
            f"The answers have {size:,} bytes, but at most {UNPACKED_BYTES:,} are read; submit "
            f"without them: --no-texts."
        )
    return pack(lines)


def _kept(answer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    if "log_likelihoods" in answer:
        values = answer["log_likelihoods"]
        return {"log_likelihoods": [one if math.isfinite(one) else None for one in values]}
    return {name: answer[name] for name in Answer.model_fields if answer.get(name) is not None}


def check_answers(
    content: Content, submission: ModelSubmission, predictions: Predictions
) -> Iterator[tuple[str, str]]:
    """Combine the answers again, and compare with the predictions.

    Args:
        content: The packed file.
        submission: Its strategy says how answers are combined.
        predictions: What should come out.

    Yields:
        Place and fault; the first ten utterances that differ.

    Raises:
        FileError: The file is not as `answers_of` writes it.
    """
    wrong = 0
    number = 0
    lines = unpacked_lines(content.data, limit=UNPACKED_BYTES, line_limit=_LINE_BYTES)
    for number, line in enumerate(lines, start=1):
        place = f"line {number}"
        if number > len(predictions.ids):
            break
        evidence = _evidence(line, place)
        if evidence.id != predictions.ids[number - 1]:
            raise FileError(f"is not of the utterance {predictions.ids[number - 1]}", place)
        if fault := _difference(evidence, submission, predictions, number - 1):
            yield place, fault
            wrong += 1
            if wrong == 10:  # noqa: PLR2004 - the rest would say the same
                return
    if number != len(predictions.ids):
        raise FileError(f"does not hold the {len(predictions.ids):,} utterances of the predictions")


def _evidence(line: str, place: str) -> Evidence:
    data = line.encode()
    try:
        strict_json(data)
        return Evidence.model_validate_json(data)
    except FileError as error:
        raise FileError(str(error), place) from error
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        raise FileError(f"{ascii(where)[1:-1]}: {first['msg']}", place) from error


def _difference(
    evidence: Evidence, submission: ModelSubmission, predictions: Predictions, row: int
) -> str | None:
    labels = submission.corpus.label_rule.classes
    record = {
        **evidence.model_dump(exclude_none=True),
        "labels": labels,
        "soft_label": [1 / len(labels)] * len(labels),
        "strategy": {"name": submission.strategy.name, **all_fields(submission.strategy)},
    }
    if "verdicts" in record:
        record["verdicts"] = [_judged(one) for one in record["verdicts"]]
    try:
        scored = score_utterance(record, {})
    except (UserError, ValueError, TypeError, KeyError) as error:
        return f"the answers are not those of the strategy ({ascii(str(error))[1:200]})"
    found = scored.prediction.distribution
    wanted = predictions.distributions[row]
    if max(abs(one - other) for one, other in zip(found, wanted, strict=True)) > _SAME:
        return "the answers do not give the prediction"
    parsed = sum(one.distribution is not None for one in scored.candidates)
    verified = sum(one.score is not None for one in scored.candidates)
    counts = {name: int(values[row]) for name, values in predictions.counts.items()}
    if (len(scored.candidates), parsed, verified) != (
        counts["draws"],
        counts["parsed"],
        counts["verified"],
    ):
        return (
            "the answers are not as many, or not as well to read, as the table of predictions says"
        )
    return None


def _judged(verdict: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if verdict is None or "log_likelihoods" not in verdict:
        return verdict
    values = verdict["log_likelihoods"]
    return {"log_likelihoods": [-math.inf if one is None else one for one in values]}
