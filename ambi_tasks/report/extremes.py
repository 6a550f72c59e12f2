"""The utterances that a run did best and worst on, with all that there is to look at."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import soundfile

from ambi_tasks.audio import SAMPLING_RATE, Clip, load_waveform
from ambi_tasks.errors import UserError
from ambi_tasks.metrics import Metric
from ambi_tasks.report.logged_run import LoggedRun

COUNT = 10

Audio: TypeAlias = Literal["link", "embed", "none"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One candidate.

    Attributes:
        text: What the model said; None for a read-out.
        weight: What it counts.
        failure: Why it could not be read.
        score: The verifier's.
    """

    text: str | None
    weight: float
    failure: str | None
    score: float | None


@dataclass(frozen=True, slots=True)
class ShownUtterance:
    """One utterance.

    Attributes:
        id: Its name.
        speaker: Who speaks.
        score: Its score.
        entropy: Of the votes, in bits.
        votes: Class -> votes; shares where the log has no votes.
        annotators: How many; None where the log does not say.
        truth: Class -> share of the votes.
        prediction: Class -> probability.
        answers: The candidates.
        sound: What a player plays: an address of a file, or the sound itself; None where the audio
            is not at hand.
    """

    id: str
    speaker: str
    score: float
    entropy: float
    votes: Mapping[str, float]
    annotators: int | None
    truth: Mapping[str, float]
    prediction: Mapping[str, float]
    answers: tuple[Answer, ...]
    sound: str | None


@dataclass(frozen=True, slots=True)
class Extremes:
    """The ends of a run.

    Attributes:
        metric: What they are ordered by.
        best: Best first.
        worst: Worst first.
    """

    metric: str
    best: tuple[ShownUtterance, ...]
    worst: tuple[ShownUtterance, ...]


def extremes(run: LoggedRun, metric: Metric, *, audio: Audio, count: int = COUNT) -> Extremes:
    """Read the best and the worst utterances of a run from its log.

    Equal scores are ordered by the utterances' names. None is both: where there are few utterances,
    each half has its half of them.

    Args:
        run: Read from its log.
        metric: Of utterances, with its options.
        audio: "link" to the user's files, "embed" the sound, or "none".
        count: How many of each.

    Raises:
        UserError: The log has changed since it was read.
    """
    values = metric.compute(run.truth, run.prediction, labels=run.run.rule.classes).tolist()
    sign = -1 if metric.higher_is_better else 1
    order = sorted(range(len(values)), key=lambda n: (sign * values[n], run.run.ids[n]))
    count = min(count, (len(order) + 1) // 2)
    best, worst = order[:count], order[max(count, len(order) - count) :][::-1]
    return Extremes(
        metric.name,
        tuple(_shown(run, place, values[place], audio) for place in best),
        tuple(_shown(run, place, values[place], audio) for place in worst),
    )


def _shown(run: LoggedRun, place: int, value: float, audio: Audio) -> ShownUtterance:
    record = run.utterance(place).record
    labels = record["labels"]
    return ShownUtterance(
        id=record["id"],
        speaker=str(run.run.speakers[place]),
        score=value,
        entropy=record.get("entropy", math.nan),
        votes=dict(zip(labels, record.get("votes") or record["soft_label"], strict=True)),
        annotators=record.get("annotators"),
        truth=dict(zip(labels, record["soft_label"], strict=True)),
        prediction=dict(zip(labels, record["prediction"], strict=True)),
        answers=tuple(_answers(record)),
        sound=_sound(record.get("audio"), audio),
    )


def _answers(record: Mapping[str, Any]) -> Sequence[Answer]:
    candidates = record.get("candidates") or []
    draws = record.get("draws") or [{"text": None}] * len(candidates)
    return [
        Answer(draw["text"], one.get("weight", 0.0), one.get("failure"), one.get("score"))
        for draw, one in zip(draws, candidates, strict=False)
    ]


def _sound(reference: Any, audio: Audio) -> str | None:
    named = isinstance(reference, Mapping) and isinstance(reference.get("path"), str)
    if audio == "none" or not named:
        return None
    try:
        return _player(Clip.from_mapping(reference), audio)
    except (UserError, OSError, TypeError, ValueError):
        return None  # what cannot be played, or be a path, is no reason to go without a report


def _player(clip: Clip, audio: Audio) -> str | None:
    path = Path(clip.path)
    if not path.is_file():
        return None
    if audio == "link":
        stretch = "" if clip.start is None and clip.end is None else _fragment(clip)
        return path.resolve().as_uri() + stretch
    samples = load_waveform(clip)
    content = io.BytesIO()
    soundfile.write(content, samples, SAMPLING_RATE, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(content.getvalue()).decode()}"


def _fragment(clip: Clip) -> str:
    """A stretch of a file in the words of W3C's media fragments."""
    return f"#t={clip.start or 0:g}" + ("" if clip.end is None else f",{clip.end:g}")
