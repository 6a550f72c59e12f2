"""Texts that look like keys, so that none gets onto the board by mistake."""

import re

_KINDS = (
    ("a token of Hugging Face", r"\bhf_[A-Za-z0-9]{20,}"),
    ("a key of OpenAI or Anthropic", r"\bsk-[A-Za-z0-9_-]{20,}"),
    ("a token of GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("a key of Google", r"\bAIza[A-Za-z0-9_-]{30,}"),
    ("a key of Amazon", r"\bAKIA[A-Z0-9]{16}\b"),
    ("a token of Slack", r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\."),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY"),
)
_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)


def find_secret(text: str) -> str | None:
    """What kind of key a text seems to hold; None where it holds none of a known kind.

    Args:
        text: Any.

    >>> find_secret("revision: hf_" + "a" * 34)
    'a token of Hugging Face'
    """
    return next((kind for kind, pattern in _PATTERNS if pattern.search(text)), None)
