r"""From a verifier's text to a rating on its scale, or to a named failure.

As in `answers`, a wrong reading is worse than a failure, so nothing here guesses. Verifiers write
about probabilities, shares of cues and second thoughts, all of them numbers. A number is the
rating only where the text says so, and it must be all that the sentence says of it:

* it follows a word for it: `Score: 8`, `"rating": 8`, `a score of 8`, `I'd give it an 8`;
* it is given out of the scale's top: `8/10`, `8 out of 10`;
* it is all of the last line, or all of the first where no other line is a number as well;
* the text begins with it and goes on to explain it: `8, because ...`.

Where several are given so, they must agree, but `final` and `overall` go before the others. What
else there is of numbers is left alone. A comma between digits is never read: `7,5` is seven and a
half here, and a list there.

>>> parse_rating("3 of the 4 cues fit. **Score: 8/10**", 0, 10).score
8.0
>>> parse_rating("Score: 7 or 8", 0, 10).failure.value
'ambiguous'
"""

from ambi_tasks.verdicts.outcome import Rating, RatingFailure
from ambi_tasks.verdicts.parse import MAX_LENGTH, parse_rating

__all__ = ["MAX_LENGTH", "Rating", "RatingFailure", "parse_rating"]
