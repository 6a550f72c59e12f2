"""The examination: a model is asked, its answers are judged, and a record is made of it."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

import ambi_tasks
from ambi_tasks.audio import Clip, clip_sha256
from ambi_tasks.doctor import interview, judging
from ambi_tasks.doctor.asking import Asker
from ambi_tasks.doctor.change import change
from ambi_tasks.doctor.interview import Answers
from ambi_tasks.doctor.record import Examination
from ambi_tasks.doctor.stimuli import CHANGES, CLIP, make_stimuli
from model_adapters.audio_lm import AudioLM

Watch = Callable[[str], None]
"""Told what comes next."""


def examine(
    lm: AudioLM,
    clips: Sequence[Clip],
    labels: Sequence[str],
    *,
    batch_size: str,
    earlier: Examination | None = None,
    watch: Watch = lambda _: None,
) -> Examination:
    """Examine a model.

    Args:
        lm: The model, which keeps no draws.
        clips: What it is to hear, five or more.
        labels: The emotions to ask about.
        batch_size: What the model was told, for the record.
        earlier: An examination of the same model before this one.
        watch: Told of each step.

    Raises:
        UserError: A clip cannot be read, or the model refuses what it is asked.
    """
    asker, backend = Asker(lm), lm.backend
    can = backend.capabilities
    with tempfile.TemporaryDirectory() as folder:
        stimuli = make_stimuli(clips, Path(folder))
        watch("The hearing test")
        heard = interview.hear(asker, can, stimuli, labels)
        reordered = interview.hear_reordered(asker, heard, stimuli, labels)
    watch("Answers again, and alone")
    answers = interview.answer(asker, can, clips, labels)
    watch("Prompt forms")
    forms = interview.fill_forms(asker, answers, clips, labels)
    digest = _digest(answers)
    before = heard.shown[CLIP]
    changes = {name: change(before, heard.shown[name]) for name in CHANGES}
    order = change(before[:, : reordered.shape[1]], reordered)
    as_earlier = _same_as(earlier, digest, clips, batch_size)
    checks = (
        judging.vary(forms),
        *(judging.hears(name, found) for name, found in changes.items()),
        judging.order(order, changes["other_clip"]),
        judging.repeats(answers, heard, exact=can.repeatable, as_earlier=as_earlier),
        judging.in_any_batch(answers, heard, exact=can.repeatable),
        *judging.readable(forms, answers, labels),
    )
    return Examination(
        adapter=lm.adapter,
        model_name=backend.model_name,
        model=dict(backend.describe()),
        fingerprint=backend.fingerprint(),
        examined=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        ambi_tasks_version=ambi_tasks.__version__,
        evidence=heard.evidence,
        labels=tuple(labels),
        clips=tuple(clip_sha256(clip) for clip in clips),
        batch_size=batch_size,
        checks=checks,
        answers_sha256=digest,
    )


def _digest(answers: Answers) -> str:
    texts = {
        name: [[str(draw) for draw in draws] for draws in found]
        for name, found in answers.first.items()
    }
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()


def _same_as(
    earlier: Examination | None, digest: str, clips: Sequence[Clip], batch_size: str
) -> bool | None:
    """Whether an earlier process had the same answers; None where none asked the same."""
    if earlier is None or earlier.batch_size != batch_size:
        return None
    if earlier.clips != tuple(clip_sha256(clip) for clip in clips):
        return None
    return earlier.answers_sha256 == digest
