r"""From the text of an answer to a distribution over the labels, or to a named failure.

A wrong reading is worse than a failure, so nothing here guesses. One small reader takes what models
write (JSON, Python dicts, trailing commas, comments, bare keys) and stops at the first thing that
it does not know; libraries that repair JSON read on, and turn `0.4 or 0.5` into 0.4. Whatever is
taken in a broader sense than the text's own is noted as a `Repair`.

The answer comes last: of several objects that name a label, the last one decides, also when it is
unusable, since the one before it may be an example or a draft.

>>> parse_answer('Sure! {"happy": "75%", "sad": "25%"}', ["sad", "happy"]).distribution
(0.25, 0.75)
>>> parse_answer('{"happy": 0.75, "sa', ["sad", "happy"]).failure.value
'truncated'
"""

from ambi_tasks.answers.candidates import after_reasoning, is_refusal
from ambi_tasks.answers.outcome import Answer, Failure, Repair
from ambi_tasks.answers.parse import MAX_SEARCHED, parse_answer

__all__ = [
    "MAX_SEARCHED",
    "Answer",
    "Failure",
    "Repair",
    "after_reasoning",
    "is_refusal",
    "parse_answer",
]
