"""The reasoning before an answer: what the voice is like, and what listeners would make of it."""

from collections.abc import Sequence

import numpy as np

from ambi_tasks.demo.dialogues import json_answer
from ambi_tasks.demo.speech import Floats

CUES = {
    "pitch": ("very low", "low", "medium", "high", "very high"),
    "pace": ("very slow", "slow", "medium", "fast", "very fast"),
    "loudness": ("very low", "low", "medium", "high", "very high"),
    "melody": ("flat", "even", "medium", "lively", "very lively"),
}
"""The words for the dimensions of `speech.Prosody`, from low to high."""

_CUE_BOUNDS = (-0.6, -0.2, 0.2, 0.6)
_SHARES = ((0.6, "mostly"), (0.3, "partly"), (0.1, "slightly"))
_AGREEMENT = ((0.8, "agree"), (0.5, "mostly agree"), (0.0, "disagree"))
_MOST_NAMED = 3


def describe_voice(prosody: Floats | None) -> str:
    """One sentence on pitch, pace, loudness and melody.

    Args:
        prosody: The dimensions of `speech.Prosody`, (4,); None without speech.
    """
    if prosody is None:
        return "There is no voice."
    levels = np.searchsorted(_CUE_BOUNDS, prosody, side="right")
    cues = [
        f"{name} is {words[level]}"
        for (name, words), level in zip(CUES.items(), levels, strict=True)
    ]
    return f"The {', the '.join(cues)}."


def describe_votes(labels: Sequence[str], distribution: Floats) -> str:
    """Two sentences: which emotions listeners would hear, at most three, and whether they agree.

    Args:
        labels: The labels, (L,).
        distribution: Their probabilities, (L,).
    """
    named = []
    for index in np.argsort(-distribution, kind="stable")[:_MOST_NAMED]:
        share = distribution[index] + 1e-9
        words = [word for least, word in _SHARES if share >= least]
        named += [f"{word} {labels[index]}" for word in words[:1]]
    largest = float(distribution.max()) + 1e-9
    agreement = next(word for least, word in _AGREEMENT if largest >= least)
    return f"Listeners would hear {', '.join(named)}. They would {agreement}."


def reasoned_answer(labels: Sequence[str], distribution: Floats, prosody: Floats | None) -> str:
    """The answer that the prompt `cot` asks for: the reasoning, then the object.

    Args:
        labels: The labels in the order of the prompt, (L,).
        distribution: Their probabilities, (L,).
        prosody: What the reasoning says of the voice, (4,); None without speech.
    """
    reasoning = f"{describe_voice(prosody)} {describe_votes(labels, distribution)}"
    return f"{reasoning}\n{json_answer(labels, distribution)}"
