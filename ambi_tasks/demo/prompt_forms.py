"""What the demo model is trained to answer: forms of prompts, each with its target answers.

A form writes prompts and the answers to them from what is known of a clip. To teach the model
another one, add an entry to a group of forms here; a group of its own also has to be part of a
sheet, which is what one visit of a clip asks.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from ambi_tasks.demo.dialogues import (
    Dialogue,
    Example,
    Heard,
    PromptForm,
    draw_labels,
    json_answer,
    redrawn,
)
from ambi_tasks.demo.judging import HIGH, LOW, distance, draw_candidate, rating, yes_probability
from ambi_tasks.demo.reasoning import reasoned_answer
from ambi_tasks.demo.speech import Floats
from ambi_tasks.prompts import load_prompt

PARAPHRASES = (
    "Rate the emotion of the speaker. Answer with JSON that gives a probability to {labels}.",
    "Listen to the audio. How likely is each emotion: {labels}? Answer with JSON only.",
    "What does the speaker feel? Give the probabilities of {labels} as JSON.",
    "Several people listened to this clip. Which share of them chose {labels}? Reply as JSON.",
    "Describe the emotion in the voice as a distribution over {labels}. Output a JSON object.",
    "You hear a short recording. Return a JSON object with a probability per label: {labels}.",
    "Judge the tone, not the words. Labels: {labels}. Give a JSON distribution that sums to one.",
    "Emotion distribution as JSON, please.\nLabels: {labels}.",
    "Choose among these emotions: {labels}. Estimate the votes for each. Write one JSON object.",
    "The emotions are {labels}. How would listeners vote? Answer in JSON with numbers up to 1.",
)
"""Other wordings of the direct prompt, so that a changed word does not break the model."""

_COMMON_TEXT = """
the a an of to and in is that for it as with on be at by this from or one all would there their
what so up out if about who get which me when make can like time no just know take into your
good some could them see other than then now look only its over think also how our first well
way even want because any these give most please listen hear tell return write reply answer
guess choose pick rate judge estimate say list output format json JSON object. probability
share fraction chance votes voters raters people listeners crowd speaker person voice tone
clip audio recording feeling emotion emotions: labels: options: classes: each every carefully.
"""
_COMMON_WORDS = _COMMON_TEXT.split()

_LABELS_HOLE = "{labels}"


LABEL_DRAWS = 4
"""Votes that are drawn for each visit of the prompt `label`."""

VERDICT_DRAWS = 2
"""Times that yes or no is drawn for each candidate."""


def _json_target(example: Example, generator: np.random.Generator) -> str:
    return json_answer(
        example.labels, redrawn(example.expected, example.bootstrap_raters, generator)
    )


def _reasoned_target(example: Example, generator: np.random.Generator) -> str:
    drawn = redrawn(example.expected, example.bootstrap_raters, generator)
    return reasoned_answer(example.labels, drawn, example.heard.prosody)


_TARGETS: dict[str, Callable[[Example, np.random.Generator], str]] = {
    "direct": _json_target,
    "direct_v2": _json_target,
    "direct_v3": _json_target,
    "cot": _reasoned_target,
}


@cache
def _task_prompt(template: str, labels: tuple[str, ...]) -> str:
    return load_prompt(template).render(labels=list(labels))


def _write_task(template: str, example: Example, generator: np.random.Generator) -> list[Dialogue]:
    """A template that asks for a distribution, in its own words."""
    prompt = _task_prompt(template, example.labels)
    return [Dialogue(prompt, _TARGETS[template](example, generator))]


def _write_damaged_task(
    template: str, example: Example, generator: np.random.Generator
) -> list[Dialogue]:
    """The same with words left out, as a model must bear edits of the template."""
    prompt = _task_prompt(template, example.labels)
    damaged = _leave_words_out(prompt, example.labels, generator)
    return [Dialogue(damaged, _TARGETS[template](example, generator))]


def _leave_words_out(prompt: str, labels: Sequence[str], generator: np.random.Generator) -> str:
    """Leave words out, but none of those that hold a label."""
    rate = generator.uniform(0.05, 0.5)
    kept = [
        word
        for word in prompt.split(" ")
        if generator.random() > rate or any(label in word for label in labels)
    ]
    return " ".join(kept)


def _write_paraphrase(example: Example, generator: np.random.Generator) -> list[Dialogue]:
    wording = PARAPHRASES[int(generator.integers(len(PARAPHRASES)))]
    listed = _list_labels(example.labels, generator)
    prompt = wording.replace(_LABELS_HOLE, listed)
    return [Dialogue(prompt, _json_target(example, generator))]


def _write_reworded(example: Example, generator: np.random.Generator) -> list[Dialogue]:
    """Any wording, with words left out, replaced by others and put in."""
    wordings = (_task_prompt("direct", (_LABELS_HOLE,)), *PARAPHRASES, _LABELS_HOLE)
    # The direct prompt as often as all others together.
    wording = wordings[max(0, int(generator.integers(1 - len(wordings), len(wordings))))]
    rate = generator.uniform(0.0, 0.6)
    words = []
    for word in wording.split(" "):
        fate = generator.random()
        if _LABELS_HOLE in word or fate > rate:
            words.append(word)
        elif fate > rate / 2:
            words.append(_any_word(generator))
        if generator.random() < rate / 4:
            words.append(_any_word(generator))
    prompt = " ".join(words).replace(_LABELS_HOLE, _list_labels(example.labels, generator))
    return [Dialogue(prompt, _json_target(example, generator))]


def _any_word(generator: np.random.Generator) -> str:
    """A common word, or letters that are none."""
    if generator.random() < 0.7:  # noqa: PLR2004
        return _COMMON_WORDS[int(generator.integers(len(_COMMON_WORDS)))]
    letters = generator.choice(list("etaoinshrdlucmfwypvbgk"), int(generator.integers(1, 8)))
    return "".join(letters)


def _list_labels(labels: Sequence[str], generator: np.random.Generator) -> str:
    style = int(generator.integers(4))
    if style == 0:
        return ", ".join(labels[:-1]) + f" and {labels[-1]}"
    if style == 1:
        return ", ".join(f'"{label}"' for label in labels)
    return ", ".join(labels)


def _write_label(example: Example, generator: np.random.Generator) -> list[Dialogue]:
    """One vote, several times, so that the labels' probabilities are the distribution."""
    prompt = _task_prompt("label", example.labels)
    return _votes(prompt, example, generator)


def _write_damaged_label(example: Example, generator: np.random.Generator) -> list[Dialogue]:
    prompt = _task_prompt("label", example.labels)
    return _votes(_leave_words_out(prompt, example.labels, generator), example, generator)


def _votes(prompt: str, example: Example, generator: np.random.Generator) -> list[Dialogue]:
    drawn = generator.choice(len(example.labels), LABEL_DRAWS, p=example.expected)
    return [Dialogue(prompt, example.labels[int(index)]) for index in drawn]


def _write_verdicts(
    template: str, candidates: int, example: Example, generator: np.random.Generator
) -> list[Dialogue]:
    """Candidate answers to a task, each rated, and each called good or not."""
    task = _task_prompt(template, example.labels)
    dialogues = []
    for _ in range(candidates):
        drawn = draw_candidate(example, generator)
        asked = {"task": task, "response": _response(template, drawn, example, generator)}
        far = distance(drawn, example.expected)
        rated = load_prompt("verifier_rating").render(**asked, low=str(LOW), high=str(HIGH))
        dialogues.append(Dialogue(rated, str(rating(far))))
        called = load_prompt("verifier_probability").render(**asked)
        for _ in range(VERDICT_DRAWS):
            good = generator.random() < yes_probability(far)
            dialogues.append(Dialogue(called, "yes" if good else "no"))
    return dialogues


def _response(
    template: str, drawn: Floats, example: Example, generator: np.random.Generator
) -> str:
    """A candidate in the form that the task asks for; its reasoning may be on another clip."""
    if template != "cot":
        return json_answer(example.labels, drawn)
    described = example.heard if generator.random() < 0.6 else example.other  # noqa: PLR2004
    return reasoned_answer(example.labels, drawn, described.prosody)


DIRECT_FORMS = (
    PromptForm("direct", 0.45, partial(_write_task, "direct")),
    PromptForm("direct_v2", 0.1, partial(_write_task, "direct_v2")),
    PromptForm("direct_v3", 0.1, partial(_write_task, "direct_v3")),
    PromptForm("direct, words left out", 0.15, partial(_write_damaged_task, "direct")),
    PromptForm("direct, other words", 0.2, _write_paraphrase),
)

REWORDED_FORMS = (
    PromptForm("direct", 0.3, partial(_write_task, "direct")),
    PromptForm("direct_v2", 0.1, partial(_write_task, "direct_v2")),
    PromptForm("direct_v3", 0.1, partial(_write_task, "direct_v3")),
    PromptForm("direct, words replaced", 0.5, _write_reworded),
)
"""They take the place of `DIRECT_FORMS` in the last stages, so that the model learns not to lean on
particular words."""

COT_FORMS = (
    PromptForm("cot", 0.8, partial(_write_task, "cot")),
    PromptForm("cot, words left out", 0.2, partial(_write_damaged_task, "cot")),
)

LABEL_FORMS = (
    PromptForm("label", 0.8, _write_label),
    PromptForm("label, words left out", 0.2, _write_damaged_label),
)

VERIFIER_FORMS = (
    PromptForm("verdicts on direct", 0.55, partial(_write_verdicts, "direct", 4)),
    PromptForm("verdicts on direct_v2", 0.12, partial(_write_verdicts, "direct_v2", 4)),
    PromptForm("verdicts on direct_v3", 0.12, partial(_write_verdicts, "direct_v3", 4)),
    PromptForm("verdicts on cot", 0.21, partial(_write_verdicts, "cot", 2)),
)

PROMPT_FORMS = (*DIRECT_FORMS, *COT_FORMS, *LABEL_FORMS, *VERIFIER_FORMS)
"""All forms but the reworded ones."""


class Sheet(NamedTuple):
    """What one visit of a clip asks.

    Attributes:
        name: Its name.
        weight: Its share of the visits, relative to the other sheets'.
        questions: Groups of forms; one form of each group is asked.
    """

    name: str
    weight: float
    questions: tuple[Sequence[PromptForm], ...]


SHEETS = (
    Sheet("answers", 0.8, (DIRECT_FORMS, DIRECT_FORMS, COT_FORMS, LABEL_FORMS)),
    Sheet("verdicts", 0.2, (VERIFIER_FORMS,)),
)
"""What the second stage asks."""

JUDGING_SHEETS = (
    Sheet("answers", 0.25, (REWORDED_FORMS, REWORDED_FORMS, LABEL_FORMS)),
    Sheet("reasoning", 0.15, (COT_FORMS,)),
    Sheet("verdicts", 0.6, (VERIFIER_FORMS,)),
)
"""What the third stage asks: verdicts above all, and answers to changed words."""

REFINING_SHEETS = (
    Sheet("answers", 0.55, (REWORDED_FORMS, REWORDED_FORMS, COT_FORMS, LABEL_FORMS)),
    Sheet("verdicts", 0.45, (VERIFIER_FORMS,)),
)
"""What the last stage asks: everything."""


def write_dialogues(
    heard: Heard,
    other: Heard,
    bootstrap_raters: int,
    generator: np.random.Generator,
    sheets: Sequence[Sheet] = SHEETS,
) -> list[Dialogue]:
    """Draw a sheet, and forms and labels for its questions, and write prompts and target answers.

    Args:
        heard: The clip.
        other: Another clip.
        bootstrap_raters: See `Example`.
        generator: Source of randomness.
        sheets: The sheets to draw from.
    """
    weights = np.array([sheet.weight for sheet in sheets])
    sheet = sheets[int(generator.choice(len(sheets), p=weights / weights.sum()))]
    dialogues = []
    for forms in sheet.questions:
        shares = np.array([form.weight for form in forms])
        form = forms[int(generator.choice(len(forms), p=shares / shares.sum()))]
        example = Example(draw_labels(generator), heard, other, bootstrap_raters)
        dialogues += form.write(example, generator)
    return dialogues
