"""What a dialogue of the training is made of: labels, a target distribution, and its answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ambi_tasks.demo.speech import EMOTIONS, Floats

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


class Heard(NamedTuple):
    """What is known of a clip.

    Attributes:
        prosody: The dimensions of `speech.Prosody`, (4,); None for sound without speech.
        votes: Votes per emotion of `EMOTIONS`, (K,); None for sound without speech.
    """

    prosody: Floats | None
    votes: Floats | None


@dataclass(frozen=True, slots=True)
class Example:
    """What a form makes prompts and answers of.

    Attributes:
        labels: The labels that the prompt offers, in its order.
        heard: The clip that is asked about.
        other: Another clip, for answers that are wrong in a likely way.
        bootstrap_raters: Annotators drawn anew from the votes for the target, so that drawn
            answers differ as annotators do.
    """

    labels: tuple[str, ...]
    heard: Heard
    other: Heard
    bootstrap_raters: int

    @property
    def expected(self) -> Floats:
        """The distribution over the labels that the clip's votes stand for, (L,)."""
        return expected_distribution(self.labels, self.heard.votes)


class Dialogue(NamedTuple):
    """One turn of the user, whose clip comes first, and the answer to it."""

    prompt: str
    answer: str


class PromptForm(NamedTuple):
    """One way of asking.

    Attributes:
        name: Its name.
        weight: Its share, relative to the forms that stand beside it.
        write: Writes prompts and their target answers. Several of them are cheap where the prompts
            begin alike, since the training reads what they share once.
    """

    name: str
    weight: float
    write: Callable[[Example, np.random.Generator], list[Dialogue]]


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


def redrawn(distribution: Floats, raters: int, generator: np.random.Generator) -> Floats:
    """The votes of so many new annotators, as shares on the grid, (L,)."""
    return round_to_grid(generator.multinomial(raters, distribution) / raters)


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
