"""How a check is declared, and how it says what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass

from model_adapters.backend import Capabilities
from model_adapters.conformance.subject import Subject

Need = Callable[[Capabilities], bool]


class NonconformingError(AssertionError):
    """The adapter does not keep to something; the message says to what, and what it does."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that an adapter must keep to.

    Attributes:
        name: Its name.
        run: Raises `NonconformingError` where the adapter does not.
        applies: Whether it concerns an adapter of some capabilities.
    """

    name: str
    run: Callable[[Subject], None]
    applies: Need


CHECKS: dict[str, Check] = {}


def check(applies: Need = lambda _: True) -> Callable[[Callable[[Subject], None]], Check]:
    """Make a function a check; its docstring says what an adapter must keep to.

    Args:
        applies: Whether it concerns an adapter of some capabilities.
    """

    def register(run: Callable[[Subject], None]) -> Check:
        made = Check(run.__name__, run, applies)
        CHECKS[made.name] = made
        return made

    return register


def require(holds: object, sentence: str) -> None:
    """Go on where something holds.

    Raises:
        NonconformingError: It does not.
    """
    if not holds:
        raise NonconformingError(sentence)
