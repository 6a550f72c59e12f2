"""The one exception for a mistake that the user can mend, and the end of many of its sentences."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user's; its message says in a sentence what is wrong, where, what to do.

    On the command line the message is shown without a traceback (see `ambi_tasks.plugin`).
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, or all of them."""
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.strip().casefold(), folded, n=1)
    if near:
        return f"did you mean '{folded[near[0]]}'?"
    return f"there are: {', '.join(sorted(folded.values()))}."
