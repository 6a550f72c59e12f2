"""What follows from a model's answers: pure functions, each of which makes a `Check`.

docs/doctor.md gives the rule of each.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ambi_tasks.doctor.change import LEVEL, SMALLEST_SHARE, Change
from ambi_tasks.doctor.interview import Answers, Heard
from ambi_tasks.doctor.record import HEARING, Check, CheckVerdict, Value
from ambi_tasks.prediction import draw_record, read_draw, was_cut
from ambi_tasks.prompts import load_prompt
from ambi_tasks.verdicts import parse_rating
from model_adapters.draws import Draw

READABLE_SHARE = 0.95
"""Below this share of readable answers to a prompt form there is a warning."""

_TOLERANCE = 1e-3  # of a log-likelihood, in float32
_SPOKEN = {
    "silence": "silence",
    "other_clip": "another clip of the same length",
    "noise": "noise",
    "reversed": "the clip played backwards",
}
_QUOTED = 60


def vary(forms: Mapping[str, Sequence[Draw]]) -> Check:
    """Whether there is more than one answer.

    Args:
        forms: One greedy answer to each prompt form about each clip.
    """
    texts = Counter(str(draw).strip() for draws in forms.values() for draw in draws)
    clips = len(forms["direct"])
    stuck = [
        name for name, draws in forms.items() if len({str(draw).strip() for draw in draws}) == 1
    ]
    values = {"answers": sum(texts.values()), "different": len(texts)}
    if len(texts) == 1:
        (text,) = texts
        sentence = (
            f"It gives one answer to everything: {_quoted(text)}, to {len(forms)} prompts about "
            f"{clips} clips."
        )
        return Check(name="answers_vary", verdict="fail", sentence=sentence, values=values)
    if "direct" in stuck:
        sentence = (
            f"Its greedy answers to {', '.join(stuck)} are the same for all {clips} clips: "
            f"{_quoted(forms['direct'][0].strip())}."
        )
        return Check(name="answers_vary", verdict="warning", sentence=sentence, values=values)
    sentence = f"{len(texts)} of {sum(texts.values())} greedy answers are different."
    return Check(name="answers_vary", verdict="ok", sentence=sentence, values=values)


def hears(name: str, found: Change) -> Check:
    """Whether what replaces the clips changes the answers.

    Args:
        name: What replaces them, one of `stimuli.CHANGES`.
        found: How far the answers changed.
    """
    moves = f"{found.share:.3f} of the probability moves (p = {found.p:.4f})"
    sentence = f"With {_SPOKEN[name]} instead, {moves}."
    if found.p > LEVEL:
        sentence = f"With {_SPOKEN[name]} instead, the answers stay as they are: {moves}."
    elif not found.counts:
        sentence = f"With {_SPOKEN[name]} instead, {moves}; below {SMALLEST_SHARE} is nothing."
    missed: CheckVerdict = "fail" if f"hears_{name}" in HEARING else "warning"
    verdict: CheckVerdict = "ok" if found.counts else missed
    values = {"share": found.share, "by_chance": found.by_chance, "p": found.p}
    return Check(name=f"hears_{name}", verdict=verdict, sentence=sentence, values=values)


def order(found: Change, other: Change) -> Check:
    """Whether the order of the labels changes the answers less than another clip does.

    Args:
        found: How far the answers changed with the labels listed the other way round.
        other: How far they changed with another clip.
    """
    values = {"share": found.share, "other_clip": other.share}
    sentence = (
        f"Listing the labels the other way round moves {found.share:.3f} of the probability, "
        f"another clip moves {other.share:.3f}"
    )
    if found.share < max(other.share, SMALLEST_SHARE):
        return Check(name="label_order", verdict="ok", sentence=f"{sentence}.", values=values)
    sentence += (
        ": the order of the labels says more than the voice; compare with label_order=reversed."
    )
    return Check(name="label_order", verdict="warning", sentence=sentence, values=values)


def repeats(answers: Answers, heard: Heard, *, exact: bool, as_earlier: bool | None) -> Check:
    """Whether the same, asked again in the same way, is answered in the same way.

    Args:
        answers: Of the interview.
        heard: Of the interview.
        exact: Whether it must be.
        as_earlier: Whether an earlier process had the same answers, None where there was none.
    """
    same, asked = _equal(answers.first, answers.again)
    values: dict[str, Value] = {"same": same, "asked": asked}
    difference = None
    if heard.read_outs is not None:
        difference = float(np.abs(heard.read_outs[0] - heard.read_outs[1]).max())
        values["log_likelihoods"] = difference
    if as_earlier is not None:
        values["earlier_examination"] = "same" if as_earlier else "different"
    sentence = f"Asked again, {same} of {asked} answers are the same" + _differing(difference)
    if as_earlier is not None:
        sentence += f"; those of an earlier process {'are' if as_earlier else 'were not'} as well"
    fine = same == asked and (difference is None or difference <= _TOLERANCE)
    verdict: CheckVerdict = "ok" if fine and as_earlier is not False else "warning"
    if exact and not fine:
        verdict = "fail"
    return Check(name="repeats", verdict=verdict, sentence=f"{sentence}.", values=values)


def in_any_batch(answers: Answers, heard: Heard, *, exact: bool) -> Check:
    """Whether a question asked alone is answered as it is among others.

    Args:
        answers: Of the interview.
        heard: Of the interview.
        exact: Whether it must be.
    """
    first = {name: [draws[:1] for draws in found] for name, found in answers.first.items()}
    same, asked = _equal(first, answers.alone)
    values: dict[str, Value] = {"same": same, "asked": asked}
    difference = None
    if heard.read_outs is not None:
        difference = float(np.abs(heard.read_outs[0] - heard.read_outs[2]).max())
        values["log_likelihoods"] = difference
    sentence = (
        f"Asked alone, {same} of {asked} answers are the same as among others"
        f"{_differing(difference)}."
    )
    fine = same == asked and (difference is None or not exact or difference <= _TOLERANCE)
    verdict: CheckVerdict = "ok" if fine else "fail" if exact else "warning"
    return Check(name="any_batch", verdict=verdict, sentence=sentence, values=values)


def _differing(difference: float | None) -> str:
    if difference is None:
        return ""
    return f", and log-likelihoods differ by at most {difference:.1e}"


def _equal(
    one: Mapping[str, Sequence[Sequence[str]]], other: Mapping[str, Sequence[Sequence[str]]]
) -> tuple[int, int]:
    """How many texts are equal, of how many."""
    pairs = [
        (a, b)
        for name in one
        for some, others in zip(one[name], other[name], strict=True)
        for a, b in zip(some, others, strict=True)
    ]
    return sum(str(a) == str(b) for a, b in pairs), len(pairs)


def readable(
    forms: Mapping[str, Sequence[Draw]], answers: Answers, labels: Sequence[str]
) -> Iterator[Check]:
    """Whether the answers to each prompt form can be read.

    Args:
        forms: One greedy answer to each prompt form about each clip.
        answers: Of the interview; its sampled draws are read as well.
        labels: The emotions that were asked about.

    Yields:
        A check for each prompt form.
    """
    asked: dict[str, Sequence[Draw]] = dict(forms)
    if "sampled" in answers.first:
        asked["direct, sampled"] = [draw for draws in answers.first["sampled"] for draw in draws]
    failures = {
        name: [_failure(name, draw, labels) for draw in draws] for name, draws in asked.items()
    }
    nothing = all(failure for found in failures.values() for failure in found)
    for name, found in failures.items():
        read = sum(failure is None for failure in found)
        why = Counter(failure for failure in found if failure)
        reasons = ", ".join(f"{count} x {reason}" for reason, count in why.most_common())
        verdict: CheckVerdict = "ok" if read >= READABLE_SHARE * len(found) else "warning"
        yield Check(
            name=f"readable_{name.replace(', ', '_')}",
            verdict="fail" if nothing else verdict,
            sentence=f"{read} of {len(found)} answers to {name} can be read"
            f"{f' ({reasons})' if reasons else ''}.",
            values={"read": read, "answers": len(found)},
        )


def _failure(form: str, draw: Draw, labels: Sequence[str]) -> str | None:
    """Why an answer to a prompt form cannot be read; None where it can."""
    record = draw_record(draw)
    if form == "verifier_rating":
        scale = load_prompt(form).scale
        assert scale is not None
        rating = parse_rating(record["text"], *scale, cut=was_cut(record))
        return str(rating.failure) if rating.failure else None
    if form == "label":
        said = record["text"].strip().strip(".\"'*`").casefold()
        return None if said in {label.casefold() for label in labels} else "no_label"
    return read_draw(record, labels).failure


def _quoted(text: str) -> str:
    shown = " ".join(text.split())
    return f"'{shown if len(shown) <= _QUOTED else shown[: _QUOTED - 3] + '...'}'"
