"""`--model_args`, read and checked one by one."""

import os
import re
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from ambi_tasks.errors import UserError


def read_urls(text: str | None) -> tuple[str, ...]:
    """Read the endpoints.

    Raises:
        UserError: One is no URL, or holds what may be a key; the message does not show it.
    """
    urls = [url.rstrip("/") for url in re.split(r"[;|\s]+", str(text or "")) if url]
    if not urls:
        raise UserError("--model_args provider=compatible needs base_url=http://.../v1.")
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(
                "--model_args base_url is one URL such as http://localhost:8000/v1, or several "
                "with ';' between them (in verifier_args with '|')."
            )
        if parts.username or parts.password or parts.query:
            raise UserError(
                "--model_args base_url holds a name, a password or a query, which results would "
                "show; put a key into an environment variable (key_variable=...)."
            )
    repeated = [url for url, count in Counter(urls).items() if count > 1]
    if repeated:
        raise UserError(f"--model_args base_url names {repeated[0]} more than once.")
    return tuple(urls)


def read_key(variable: str, *, needed: bool) -> str | None:
    """Read the key from an environment variable, None where there is none.

    Raises:
        UserError: There is none where one is needed, or it is not one.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        if needed:
            raise UserError(
                f"alm_api: there is no key; put it into the environment variable {variable}."
            )
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(f"alm_api: {variable} holds characters that are in no key.")
    return key


def read_count(name: str, value: Any, *, least: int) -> int | None:
    """Check a whole number, None where it is not set.

    Raises:
        UserError: It is not one, or too small.
    """
    if value is None:
        return None
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1
    if not (least <= number < float("inf") and number == int(number)):
        raise UserError(
            f"--model_args {name} must be a whole number of at least {least}, not {value!r}."
        )
    return int(number)


def read_amount(name: str, value: Any) -> float | None:
    """Check a positive number, None where it is not set.

    Raises:
        UserError: It is not one.
    """
    if value is None:
        return None
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
    if not 0 < number < float("inf"):
        raise UserError(f"--model_args {name} must be a number above 0, not {value!r}.")
    return float(number)
