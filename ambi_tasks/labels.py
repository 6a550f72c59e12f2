"""Votes and a label rule -> a soft label, with a named reason where there is none.

A *vote* is what one annotator ticked; a *soft label* is the distribution of the votes over the
classes of the task. The rule that leads from one to the other is explicit and goes into the
results: two scores compare only where it agrees.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Literal, NamedTuple, get_args

import numpy as np

from ambi_tasks.errors import UserError


class Vote(NamedTuple):
    """What one annotator ticked for one utterance, in the corpus's own words.

    Attributes:
        labels: The ticked labels, in the order of the file; several where the corpus allows it.
        rater: The annotator's name, empty where the corpus does not give one.
    """

    labels: tuple[str, ...]
    rater: str = ""


class DropReason(str, Enum):
    """Why an utterance has no soft label; the values stand in the results."""

    NO_VOTES = "no_votes"
    OUT_OF_SET = "out_of_set"
    TOO_FEW_VOTES = "too_few_votes"


KNOWN_SILENT = "known_silent"
"""The reason beside those of `DropReason`: the clip holds no sound in every copy of the corpus."""

MultiTick = Literal["split", "sum", "first"]
OutOfSet = Literal["drop_vote", "other_class", "drop_utterance"]


@dataclass(frozen=True, slots=True)
class LabelRule:
    """How individual votes become a distribution over classes.

    Attributes:
        classes: The classes of the task, in the order of every distribution.
        merge: Corpus label -> class, for labels that count as a class of another name.
        multi_tick: An annotator with several ticks inside the classes: `split` shares a mass of 1
            among them, `sum` gives each a mass of 1, `first` counts the first tick alone (and the
            annotator not at all where that one lies outside the classes).
        out_of_set: Ticks outside the classes: `drop_vote` ignores the tick, `other_class` counts it
            for the class `other`, `drop_utterance` gives the utterance up.
        min_votes: Annotators that must be left for the utterance to be kept.

    Raises:
        UserError: A field contradicts another one.
    """

    classes: tuple[str, ...]
    merge: dict[str, str] = field(default_factory=dict)
    multi_tick: MultiTick = "split"
    out_of_set: OutOfSet = "drop_vote"
    min_votes: int = 1

    def __post_init__(self) -> None:
        _check_types(self)
        _check_classes(self.classes)
        if strangers := sorted(set(self.merge.values()) - set(self.classes)):
            raise UserError(
                f"The label rule merges into {strangers}, which are not among its classes."
            )
        if emptied := sorted(set(self.merge) & set(self.classes)):
            raise UserError(
                f"The label rule merges {emptied} into another class, so they cannot be classes."
            )
        _check_policy("multi_tick", self.multi_tick, get_args(MultiTick))
        _check_policy("out_of_set", self.out_of_set, get_args(OutOfSet))
        if self.out_of_set == "other_class" and "other" not in self.classes:
            raise UserError(
                "The label rule's out_of_set 'other_class' needs a class named 'other'."
            )
        if self.min_votes < 1:
            raise UserError(f"The label rule's min_votes must be at least 1, not {self.min_votes}.")


def _check_types(rule: LabelRule) -> None:
    """Refuse what JSON and YAML let through: a rule may come from a user's `--metadata`."""
    names = [*rule.classes] if isinstance(rule.classes, tuple | list) else [None]
    if not all(isinstance(name, str) for name in names):
        raise UserError(
            f"The label rule's classes are a list of words like ['happy', 'sad'], "
            f"not {rule.classes!r}."
        )
    merge: object = rule.merge
    if not isinstance(merge, Mapping) or not all(
        isinstance(word, str) for pair in merge.items() for word in pair
    ):
        raise UserError(
            f"The label rule's merge is a mapping of words like {{'excited': 'happy'}}, "
            f"not {merge!r}."
        )
    if isinstance(rule.min_votes, bool) or not isinstance(rule.min_votes, int):
        raise UserError(f"The label rule's min_votes is a whole number, not {rule.min_votes!r}.")


def _check_classes(classes: Sequence[str]) -> None:
    # An answer is read without regard to case, so classes that differ in it alone are one.
    if len(classes) < 2 or len({name.strip().casefold() for name in classes}) < len(classes):  # noqa: PLR2004
        raise UserError(
            f"A label rule needs two or more different classes, not {classes}; "
            f"name each once, upper and lower case being the same."
        )


def _check_policy(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UserError(f"The label rule's {name} is one of {', '.join(known)}; not '{value}'.")


@dataclass(frozen=True, slots=True)
class SoftLabel:
    """The votes of one utterance over the classes of a rule.

    Attributes:
        distribution: Shares of the votes, (K,), in the order of the rule's classes; they sum to 1.
        masses: Votes per class before normalisation, (K,).
        annotators: Annotators whose vote counts.
    """

    distribution: tuple[float, ...]
    masses: tuple[float, ...]
    annotators: int


def rule_summary(rule: LabelRule) -> str:
    """A label rule in a line, in the words of `--metadata`."""
    merged = [f"{label} -> {into}" for label, into in rule.merge.items()]
    policies = ("multi_tick", "out_of_set", "min_votes")
    return ", ".join(merged + [f"{policy}={getattr(rule, policy)}" for policy in policies])


def entropy_bits(distribution: Sequence[float]) -> float:
    """Shannon entropy in bits, in [0, log2 K]; 0 where all votes agree.

    The sum is exact up to one rounding, so the order of the classes does not matter: distributions
    that differ in it alone are equally ambiguous to the last bit, and share a stratum.

    Args:
        distribution: Probabilities that sum to 1, (K,).
    """
    return math.fsum(-p * math.log2(p) for p in distribution if p > 0) + 0.0  # + 0.0: never -0.0


def soft_label(votes: Sequence[Vote], rule: LabelRule) -> SoftLabel | DropReason:
    """Count votes by a rule.

    Shares are exact fractions until the end: the order of the votes changes no bit of the result.

    Args:
        votes: One entry per annotator.
        rule: Classes and policies.

    Returns:
        The soft label, or the reason why there is none.
    """
    if not any(vote.labels for vote in votes):
        return DropReason.NO_VOTES
    masses = dict.fromkeys(rule.classes, Fraction(0))
    annotators = 0
    for vote in votes:
        ticked = vote.labels[:1] if rule.multi_tick == "first" else vote.labels
        inside = [label for tick in ticked if (label := _class_of(tick, rule)) is not None]
        if len(inside) < len(ticked) and rule.out_of_set == "drop_utterance":
            return DropReason.OUT_OF_SET
        annotators += bool(inside)
        for label in inside:
            masses[label] += Fraction(1, len(inside)) if rule.multi_tick == "split" else 1
    if annotators == 0:
        return DropReason.OUT_OF_SET
    if annotators < rule.min_votes:
        return DropReason.TOO_FEW_VOTES
    total = sum(masses.values())
    return SoftLabel(
        distribution=tuple(float(mass / total) for mass in masses.values()),
        masses=tuple(float(mass) for mass in masses.values()),
        annotators=annotators,
    )


def _class_of(tick: str, rule: LabelRule) -> str | None:
    label = rule.merge.get(tick, tick)
    if label in rule.classes:
        return label
    return "other" if rule.out_of_set == "other_class" else None


def strata(entropies: Sequence[float]) -> list[str]:
    """Name each utterance's stratum of ambiguity.

    `unanimous` where the entropy is 0; the others fall into `low`, `medium` and `high` at the
    terciles of the non-unanimous entropies of the corpus. Equal entropies share a stratum, so the
    three need not be equally large.

    Args:
        entropies: Entropies of the votes in bits, (N,).

    Returns:
        One name per utterance, (N,).
    """
    mixed = [entropy for entropy in entropies if entropy > 0]
    cuts = np.quantile(mixed, [1 / 3, 2 / 3]) if mixed else np.zeros(2)
    names = ("low", "medium", "high")
    return [
        names[int(np.searchsorted(cuts, entropy))] if entropy > 0 else "unanimous"
        for entropy in entropies
    ]
