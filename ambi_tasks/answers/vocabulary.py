"""The labels of a task, and the other words that name them."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

_MAX_KEY = 200  # longer keys are prose; it bounds the time that Unicode normalisation takes

# Inflections only: a synonym (calm for neutral, joy for happiness) may be another class elsewhere.
_WORD_FAMILIES = (
    ("happy", "happiness"),
    ("sad", "sadness"),
    ("angry", "anger", "angriness"),
    ("fear", "fearful", "fearfulness", "afraid", "scared"),
    ("disgust", "disgusted"),
    ("surprise", "surprised"),
    ("neutral", "neutrality", "neutral state"),
    ("excited", "excitement"),
    ("frustrated", "frustration"),
    ("contempt", "contemptuous"),
    ("joy", "joyful"),
    ("calm", "calmness"),
    ("bored", "boredom"),
    ("anxious", "anxiety"),
    ("disappointed", "disappointment"),
)
_AROUND_A_WORD = " \t\r\n\"'`*_.:\u2018\u2019\u201a\u201c\u201d\u201e"


class Vocabulary(NamedTuple):
    """What the labels of a task may be called.

    Attributes:
        labels: Normal form of a label -> its index.
        forms: Other words for the labels, none of them a label itself, likewise.
        size: How many labels there are.
    """

    labels: Mapping[str, int]
    forms: Mapping[str, int]
    size: int

    def find(self, key: str) -> int | None:
        """The index of the label that a key names; None for another word."""
        word = normal_form(key)
        return self.labels.get(word, self.forms.get(word))

    def is_form(self, key: str) -> bool:
        """Whether a key is another word for a label."""
        return normal_form(key) in self.forms

    def mentioned_in(self, text: str) -> bool:
        """Whether a text names any label, in whatever context."""
        folded = text.casefold()
        return any(word in folded for words in (self.labels, self.forms) for word in words)


@lru_cache(maxsize=64)
def vocabulary_of(labels: tuple[str, ...]) -> Vocabulary:
    """The vocabulary of some labels.

    Args:
        labels: In the order wanted.

    Raises:
        ValueError: A label is empty, or two labels are the same but for case and spacing.
    """
    words = {normal_form(label): index for index, label in enumerate(labels)}
    if not words or "" in words:
        raise ValueError(f"There must be labels, and none of them empty, but got {list(labels)}.")
    if len(words) < len(labels):
        raise ValueError(f"The labels must differ in more than case and spacing: {list(labels)}.")
    forms: dict[str, int] = {}
    for family in _WORD_FAMILIES:
        named = [word for word in family if word in words]
        # Two labels of one family: which of them a third form means is anybody's guess.
        if len(named) == 1:
            forms |= {word: words[named[0]] for word in family if word not in words}
    return Vocabulary(words, forms, len(labels))


def normal_form(word: str) -> str:
    """The word as it is compared; empty for what is too long to be a label."""
    if len(word) > _MAX_KEY:
        return ""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
    visible = "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")
    return re.sub(r"[\s_-]+", " ", visible).strip(_AROUND_A_WORD)
