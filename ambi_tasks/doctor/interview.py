"""What the doctor asks a model, and the answers as they are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ambi_tasks.audio import Clip
from ambi_tasks.doctor.asking import GREEDY, SAMPLED, Asker, Question
from ambi_tasks.doctor.stimuli import CLIP
from ambi_tasks.metrics.validation import Floats
from ambi_tasks.prediction import draw_record, read_draw
from ambi_tasks.prompts import load_prompt, order_labels
from model_adapters.backend import Capabilities
from model_adapters.draws import Draw

DRAWS = 8
"""Sampled answers to each question of the hearing test, where answers are sampled."""

FORMS = ("direct", "direct_v2", "direct_v3", "cot", "label", "verifier_rating")
"""The prompts whose answers are read."""

_REASONING_TOKENS = 1024  # as the task of the strategy `cot`
_ASKINGS = 3
_REPEATED_DRAWS = 4


@dataclass(frozen=True, slots=True)
class Answers:
    """Texts that were asked for in three ways.

    Attributes:
        first: All together, greedy (C, 1) and sampled (C, R) where the model samples.
        again: The same again.
        alone: Each question alone: greedy, and the first sampled draw.
    """

    first: dict[str, list[list[Draw]]]
    again: dict[str, list[list[Draw]]]
    alone: dict[str, list[list[Draw]]]


@dataclass(frozen=True, slots=True)
class Heard:
    """The answers of the hearing test.

    Attributes:
        evidence: What kind of answers they are.
        shown: Of each stimulus the distributions over the labels, and over unreadable answers
            where answers are read, (C, R, K).
        read_outs: Log-likelihoods, (passes, stimuli x C, K): together, together again, alone; None
            where answers are read.
    """

    evidence: str
    shown: dict[str, Floats]
    read_outs: Floats | None


def hear(
    asker: Asker,
    can: Capabilities,
    stimuli: Mapping[str, Sequence[Clip]],
    labels: Sequence[str],
) -> Heard:
    """Let a model hear all stimuli, and ask for what it says most finely about each.

    Args:
        asker: Who asks.
        can: What the model can do.
        stimuli: See `stimuli.make_stimuli`.
        labels: The emotions to ask about.
    """
    clips = [clip for one in stimuli.values() for clip in one]
    if can.log_likelihood:
        questions = _about(clips, "label", labels)
        passes = [asker.read_outs(questions, labels, alone=alone) for alone in (False, False, True)]
        read_outs = np.stack(passes)
        found = _softmax(read_outs).swapaxes(0, 1)
        return Heard("label log-likelihoods", _by_stimulus(found, stimuli), read_outs)
    questions = _about(clips, "direct", labels)
    if can.sampling:
        drawn = asker.draws(questions, SAMPLED, DRAWS)
        return Heard("sampled answers", _by_stimulus(_read(drawn, labels), stimuli), None)
    asked = [asker.draws(questions, GREEDY) for _ in range(_ASKINGS)]
    drawn = [[draws[0] for draws in of_one] for of_one in zip(*asked, strict=True)]
    return Heard("greedy answers", _by_stimulus(_read(drawn, labels), stimuli), None)


def hear_reordered(
    asker: Asker, heard: Heard, stimuli: Mapping[str, Sequence[Clip]], labels: Sequence[str]
) -> Floats:
    """The clips once more, with the labels listed the other way round, (C, R, K)."""
    backwards = order_labels(labels, "reversed")
    if heard.read_outs is not None:
        found = asker.read_outs(_about(stimuli[CLIP], "label", backwards), labels)
        return _softmax(found)[:, None]
    decoding, repeats = (SAMPLED, DRAWS) if "sampled" in heard.evidence else (GREEDY, 1)
    drawn = asker.draws(_about(stimuli[CLIP], "direct", backwards), decoding, repeats)
    return _read(drawn, labels)


def answer(
    asker: Asker, can: Capabilities, clips: Sequence[Clip], labels: Sequence[str]
) -> Answers:
    """Ask the same about each clip all together, the same again, and each question alone."""
    questions = _about(clips, "direct", labels)
    ways = {"greedy": (GREEDY, 1)}
    if can.sampling:
        ways["sampled"] = (SAMPLED, _REPEATED_DRAWS)

    def ask() -> dict[str, list[list[Draw]]]:
        return {name: asker.draws(questions, how, draws) for name, (how, draws) in ways.items()}

    first, again = ask(), ask()
    alone = {name: asker.draws(questions, how, 1, alone=True) for name, (how, _) in ways.items()}
    return Answers(first, again, alone)


def fill_forms(
    asker: Asker, answers: Answers, clips: Sequence[Clip], labels: Sequence[str]
) -> dict[str, list[Draw]]:
    """One greedy answer to each prompt form about each clip."""
    found = {"direct": [draws[0] for draws in answers.first["greedy"]]}
    for form in FORMS[1:-1]:
        how = {**GREEDY, "max_gen_toks": _REASONING_TOKENS} if form == "cot" else GREEDY
        drawn = asker.draws(_about(clips, form, labels), how)
        found[form] = [draws[0] for draws in drawn]
    verifier = load_prompt("verifier_rating")
    assert verifier.scale is not None
    low, high = verifier.scale
    values = {"task": load_prompt("direct").render(labels=list(labels)), "low": low, "high": high}
    questions = [
        (_render_known(verifier.placeholders, "verifier_rating", {**values, "response": text}), on)
        for text, on in zip(found["direct"], clips, strict=True)
    ]
    found["verifier_rating"] = [draws[0] for draws in asker.draws(questions, GREEDY)]
    return found


def _render_known(names: Sequence[str], prompt: str, values: Mapping[str, object]) -> str:
    shown = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in values.items()
    }
    return load_prompt(prompt).render(**{name: shown[name] for name in names})


def _about(clips: Sequence[Clip], prompt: str, labels: Sequence[str]) -> list[Question]:
    text = load_prompt(prompt).render(labels=list(labels))
    return [(text, clip) for clip in clips]


def _by_stimulus(found: Floats, stimuli: Mapping[str, Sequence[Clip]]) -> dict[str, Floats]:
    """Cut what was found of all stimuli, (stimuli x C, R, K), into one part for each."""
    return dict(zip(stimuli, np.split(found, len(stimuli)), strict=True))


def _softmax(values: Floats) -> Floats:
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return shares


def _read(drawn: Sequence[Sequence[Draw]], labels: Sequence[str]) -> Floats:
    """What answers say, (C, R, K + 1); the last place is for what cannot be read."""
    return np.array([[_distribution(draw, labels) for draw in draws] for draws in drawn])


def _distribution(draw: Draw, labels: Sequence[str]) -> tuple[float, ...]:
    found = read_draw(draw_record(draw), labels).distribution
    return (*found, 0.0) if found is not None else (*(0.0 for _ in labels), 1.0)
