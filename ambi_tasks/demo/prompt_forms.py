"""What the demo model is trained to answer: forms of prompts, each with its target answers.

A form writes a prompt and the answer to it from the votes on a clip. To teach the model another
one (reasoning before the answer, a verifier's score, yes or no), add an entry to `PROMPT_FORMS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from ambi_tasks.demo.speech import EMOTIONS, Floats
from ambi_tasks.prompts import load_prompt

GRID_STEPS = 20
"""Probabilities are written in steps of one by this."""

PSEUDO_VOTES = 0.25
"""Added to the votes for each emotion, since nobody's vote does not mean that nobody would."""

CREMA_D_LABELS = ("anger", "disgust", "fear", "happy", "neutral", "sad")

_SYNONYMS = {"anger": "angry", "happiness": "happy", "sadness": "sad"}
_NEVER_VOTED = (
    *("disgust", "fear", "surprise", "frustrated", "excited", "contempt", "bored", "calm", "other"),
)

LABEL_INVENTORY = (*EMOTIONS, *_SYNONYMS, *_NEVER_VOTED)
"""Every label that the model meets in training."""

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


@dataclass(frozen=True, slots=True)
class Example:
    """What a form makes a prompt and an answer of.

    Attributes:
        labels: The labels that the prompt offers, in its order.
        votes: Votes per emotion of `EMOTIONS`, (K,); None for sound without speech.
        bootstrap_raters: Annotators drawn anew from the votes for the target, so that drawn
            answers differ as annotators do.
    """

    labels: tuple[str, ...]
    votes: Floats | None
    bootstrap_raters: int


class Dialogue(NamedTuple):
    """One turn of the user, whose clip comes first, and the answer to it."""

    prompt: str
    answer: str


class PromptForm(NamedTuple):
    """One way of asking.

    Attributes:
        name: Its name.
        weight: Its share of the training examples, relative to the others'.
        write: Writes the prompt and the target answer.
    """

    name: str
    weight: float
    write: Callable[[Example, np.random.Generator], Dialogue]


def emotion_of(label: str) -> str | None:
    """The emotion of `EMOTIONS` that a label means, None where nobody ever votes for it."""
    emotion = _SYNONYMS.get(label, label)
    return emotion if emotion in EMOTIONS else None


def expected_distribution(labels: Sequence[str], votes: Floats | None) -> Floats:
    """The distribution over the offered labels that votes on the four emotions stand for.

    Labels that nobody votes for get 0; where no label is left, or without speech, all are equal.

    Args:
        labels: The offered labels, (L,).
        votes: Votes per emotion, (K,), or None.

    Returns:
        Probabilities in the order of the labels, (L,).
    """
    emotions = [emotion_of(label) for label in labels]
    if votes is None or not any(emotions):
        return np.full(len(labels), 1 / len(labels))
    masses = dict(zip(EMOTIONS, votes + PSEUDO_VOTES, strict=True))
    shares = np.array([masses[emotion] if emotion else 0.0 for emotion in emotions])
    distribution: Floats = shares / shares.sum()
    return distribution


def round_to_grid(distribution: Floats, steps: int = GRID_STEPS) -> Floats:
    """Round to multiples of one by `steps` that still sum to 1, by the largest remainders.

    Args:
        distribution: Probabilities that sum to 1, (L,).
        steps: Steps between 0 and 1.

    Returns:
        The rounded probabilities, (L,).
    """
    exact = distribution * steps
    rounded = np.floor(exact + 1e-9)
    missing = round(steps - float(rounded.sum()))
    rounded[np.argsort(rounded - exact, kind="stable")[:missing]] += 1
    on_grid: Floats = rounded / steps
    return on_grid


def json_answer(labels: Sequence[str], distribution: Floats) -> str:
    """The answer that the direct prompt asks for, with two digits.

    Args:
        labels: The labels in the order of the prompt, (L,).
        distribution: Their probabilities, (L,).
    """
    pairs = zip(labels, distribution, strict=True)
    return "{" + ", ".join(f'"{label}": {share:.2f}' for label, share in pairs) + "}"


def draw_labels(generator: np.random.Generator) -> tuple[str, ...]:
    """Draw what a prompt offers: mostly the demo's labels, else CREMA-D's, else any mixture."""
    kind = generator.random()
    if kind < 0.62:  # noqa: PLR2004
        return EMOTIONS
    if kind < 0.76:  # noqa: PLR2004
        return CREMA_D_LABELS
    if kind < 0.84:  # noqa: PLR2004
        return _shuffled(EMOTIONS, generator)
    if kind < 0.87:  # noqa: PLR2004
        return _shuffled(CREMA_D_LABELS, generator)
    return _draw_label_subset(generator)


def _shuffled(labels: Sequence[str], generator: np.random.Generator) -> tuple[str, ...]:
    return tuple(labels[int(index)] for index in generator.permutation(len(labels)))


def _draw_label_subset(generator: np.random.Generator) -> tuple[str, ...]:
    """Two to nine labels of the inventory, no two of one meaning."""
    wanted = int(generator.integers(2, 10))
    chosen: dict[str, str] = {}
    for label in _shuffled(LABEL_INVENTORY, generator):
        chosen.setdefault(emotion_of(label) or label, label)
    return tuple(chosen.values())[:wanted]


def _target_answer(example: Example, generator: np.random.Generator) -> str:
    expected = expected_distribution(example.labels, example.votes)
    drawn = generator.multinomial(example.bootstrap_raters, expected) / example.bootstrap_raters
    return json_answer(example.labels, round_to_grid(drawn))


@cache
def _direct_prompt(labels: tuple[str, ...]) -> str:
    return load_prompt("direct").render(labels=list(labels))


def _write_direct(example: Example, generator: np.random.Generator) -> Dialogue:
    return Dialogue(_direct_prompt(example.labels), _target_answer(example, generator))


def _write_damaged_direct(example: Example, generator: np.random.Generator) -> Dialogue:
    """The direct prompt with words left out, as a model must bear edits of the template."""
    prompt = _direct_prompt((_LABELS_HOLE,))
    rate = generator.uniform(0.05, 0.5)
    kept = [word for word in prompt.split(" ") if _LABELS_HOLE in word or generator.random() > rate]
    prompt = " ".join(kept).replace(_LABELS_HOLE, ", ".join(example.labels))
    return Dialogue(prompt, _target_answer(example, generator))


def _write_paraphrase(example: Example, generator: np.random.Generator) -> Dialogue:
    wording = PARAPHRASES[int(generator.integers(len(PARAPHRASES)))]
    listed = _list_labels(example.labels, generator)
    return Dialogue(wording.replace(_LABELS_HOLE, listed), _target_answer(example, generator))


def _write_reworded(example: Example, generator: np.random.Generator) -> Dialogue:
    """Any wording, with words left out, replaced by others and put in."""
    wordings = (_direct_prompt((_LABELS_HOLE,)), *PARAPHRASES, _LABELS_HOLE)
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
    return Dialogue(prompt, _target_answer(example, generator))


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


PROMPT_FORMS = (
    PromptForm("direct", 0.6, _write_direct),
    PromptForm("direct, words left out", 0.15, _write_damaged_direct),
    PromptForm("direct, other words", 0.25, _write_paraphrase),
)
"""The forms that the model is trained on."""


REWORDED_FORMS = (
    PromptForm("direct", 0.4, _write_direct),
    PromptForm("direct, words replaced", 0.6, _write_reworded),
)
"""The forms of the last stage, in which the model learns not to lean on particular words."""


def write_dialogue(
    votes: Floats | None,
    bootstrap_raters: int,
    generator: np.random.Generator,
    forms: Sequence[PromptForm] = PROMPT_FORMS,
) -> Dialogue:
    """Draw a form and labels, and write a prompt with its target answer.

    Args:
        votes: Votes per emotion, (K,); None for sound without speech.
        bootstrap_raters: See `Example`.
        generator: Source of randomness.
        forms: The forms to draw from.
    """
    weights = np.array([form.weight for form in forms])
    form = forms[int(generator.choice(len(forms), p=weights / weights.sum()))]
    return form.write(Example(draw_labels(generator), votes, bootstrap_raters), generator)
