"""What comes of reading an answer: a distribution with the liberties taken, or a named failure."""

from dataclasses import dataclass
from enum import Enum


class Failure(str, Enum):
    """Why an answer gives no distribution. The values go into logs and results: they are stable."""

    EMPTY = "empty"
    """Nothing but white space, or nothing after the reasoning."""
    UNFINISHED_REASONING = "unfinished_reasoning"
    """A reasoning tag was opened and never closed: the answer was not reached."""
    WITHHELD = "withheld"
    """Whoever runs the model withheld the answer (a content filter); its text is not looked at."""
    REFUSAL = "refusal"
    """No object, and the text says that the model cannot or will not answer."""
    NO_OBJECT = "no_object"
    """Neither an object nor a list that gives every label once."""
    TRUNCATED = "truncated"
    """The last object was opened and never closed."""
    MALFORMED = "malformed"
    """An object that cannot be read, or that can be read in two ways."""
    NOT_A_NUMBER = "not_a_number"
    """The value of a label is no finite number."""
    NEGATIVE = "negative"
    """The value of a label is below zero."""
    DUPLICATE_LABEL = "duplicate_label"
    """One label has two values that differ."""
    UNKNOWN_LABEL = "unknown_label"
    """A key that is no label has mass, or no key is a label."""
    MIXED_UNITS = "mixed_units"
    """Some values have a percent sign and others do not."""
    MISSING_LABEL = "missing_label"
    """A label is absent and the others do not sum to one."""
    ZERO_SUM = "zero_sum"
    """All values are zero."""
    BAD_SUM = "bad_sum"
    """The sum is too far from one (or from 100 %) to be a slip of the arithmetic."""
    OUT_OF_RANGE = "out_of_range"
    """The sum may pass, but one value is above one (or above 100 %)."""

    __str__ = str.__str__


class Repair(str, Enum):
    """A liberty taken in reading. The values go into logs and results: they are stable."""

    SURROUNDING_TEXT = "surrounding_text"
    """There is text, or reasoning, around the object."""
    CODE_FENCE = "code_fence"
    """The object stands in a Markdown fence."""
    SEVERAL_OBJECTS = "several_objects"
    """Several objects name a label; the last one was taken."""
    PYTHON_DICT = "python_dict"
    """Single quotes, tuples, True, False or None."""
    REPAIRED_JSON = "repaired_json"
    """Trailing or missing commas, comments, bare keys, curly quotes, full-width signs, `.5`."""
    NESTED = "nested"
    """The distribution stands inside another object or list."""
    LABEL_LIST = "label_list"
    """A list of label and number pairs in place of an object."""
    PLAIN_LIST = "plain_list"
    """Lines or items like `happy: 0.4`, without an object."""
    EXTRA_TEXT = "extra_text"
    """Fields that are no part of the distribution were ignored."""
    WORD_FORM = "word_form"
    """A key is another form of a label's word: happiness for happy."""
    REPEATED_LABEL = "repeated_label"
    """A label occurs more than once, always with the same value."""
    UNKNOWN_ZERO = "unknown_zero"
    """Keys that are no labels have the value zero, and were ignored."""
    QUOTED_NUMBER = "quoted_number"
    """A number is written as a string."""
    PERCENT = "percent"
    """The values are percentages."""
    UNLISTED_ZERO = "unlisted_zero"
    """Absent labels are zero: the others already sum to one."""
    RENORMALISED = "renormalised"
    """The sum was off by more than rounding, and the values were scaled."""

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Answer:
    """What one answer says.

    Attributes:
        distribution: One probability per label, in the labels' order, sum 1; None if it failed.
        failure: Why there is no distribution; None if there is one.
        repairs: The liberties taken, in the order in which `Repair` lists them.
    """

    distribution: tuple[float, ...] | None
    failure: Failure | None
    repairs: tuple[Repair, ...] = ()


class FailedError(Exception):
    """The answer gives no distribution, for the reason `failure`."""

    def __init__(self, failure: Failure):
        super().__init__(failure.value)
        self.failure = failure
