"""What a stranger may write into a submission: names, lines and links, each of a known alphabet.

Every alphabet is listed character by character, so that a verdict depends neither on the Unicode
tables of a Python version nor on what a browser makes of a character: marks of direction,
characters of no width, look-alikes of other scripts, control characters, angle brackets and
backticks are in none of them. A text that passed is still to be escaped where it is shown.
"""

import re
from typing import Annotated, TypeAlias

from pydantic import Field, StringConstraints

_NAME = r"[A-Za-z0-9]([A-Za-z0-9 ._+()-]*[A-Za-z0-9)+])?"
_FIELD = r"[a-z][a-z0-9_]*"
_LATIN = "\u00a1-\u00ac\u00ae-\u024f"  # without the space and the hyphen that cannot be seen
_PUNCTUATION = "\u2013\u2014\u2018\u2019\u201c\u201d\u2026"
_LINE = rf"[ -;=?-_a-~{_LATIN}{_PUNCTUATION}]*"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+"
_LINK = rf"https://{_HOST}(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/?#=&%+,:;@!$*-]*)?"
_CHECKPOINT = r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?"

Name: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{_NAME}$", max_length=96),
    Field(examples=["Qwen2-Audio 7B Instruct"]),
]
"""A name in ASCII: letters, digits, spaces and `._+()-`."""

Identifier: TypeAlias = Annotated[
    str, StringConstraints(pattern=f"^{_FIELD}$", max_length=64), Field(examples=["max_gen_toks"])
]
"""The name of a field, a metric, a strategy, a class: lower case, digits and `_`."""

Word: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+:/-]*$", max_length=128),
    Field(examples=["2.13.0+cu128"]),
]
"""A version, a revision, a value without spaces."""

Checkpoint: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{_CHECKPOINT}$", max_length=128),
    Field(examples=["Qwen/Qwen2-Audio-7B-Instruct"]),
]
"""A model's name on the Hugging Face hub; never a path."""

Line: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{_LINE}$", min_length=1, max_length=500),
    Field(examples=["Jane Doe, jane@example.org"]),
]
"""One line in Latin letters, without `<`, `>` and backticks."""

Link: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^{_LINK}$", max_length=300),
    Field(examples=["https://example.org/paper"]),
]
"""An address: https, a host with a dot, nobody's name or password before the host."""

Sha256: TypeAlias = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
"""A hash in lower-case hexadecimal."""


def folder_name(name: str) -> str:
    """A name as a folder's: what is not a letter, a digit, `.`, `_` or `-` becomes one `-`.

    Two underscores in a row never remain: they stand between organization and model.

    Args:
        name: A `Name`.

    >>> folder_name("Qwen2-Audio 7B (4 bit)")
    'Qwen2-Audio-7B-4-bit'
    """
    joined = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    return re.sub(r"_{2,}", "_", joined).strip("-._")


_LOOKS = str.maketrans(
    {"0": "o", "1": "l", "i": "l", "5": "s", "8": "b", **dict.fromkeys("-_. ()+")}
)


def looks(name: str) -> str:
    """What a name looks like at a glance: names that differ here do not look alike.

    Args:
        name: A `Name`, or a folder's.

    >>> looks("Qwen2-Audio") == looks("Qwen2_Aud1O"), looks("modern") == looks("modem")
    (True, True)
    """
    return name.casefold().translate(_LOOKS).replace("rn", "m").replace("vv", "w")
