"""What can go wrong with a request, told apart: try again, an answer withheld, or a sentence.

The key appears in none of these messages: what a server says is shown only after `redact`, and a
rejected key's message not at all, since servers repeat the key in it.
"""

import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import openai

from ambi_tasks.errors import UserError

_SHOWN_CHARACTERS = 300
_DELAY = re.compile(r'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')
_SECONDS = re.compile(r"\d+(\.\d+)?")
_FILTERS = ("content_filter", "content_policy", "safety", "prohibited_content", "blocklist")
_ONE_DRAW = ("multiple candidates", "only one candidate")  # in Google's words
_UNAUTHORISED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
_TRY_AGAIN = {408, 409, 425, _TOO_MANY}
_SERVER_FAULTS = 500
_BAD_REQUEST = {400, 422}

UNREACHABLE, OTHER = 1 / 3, 1 / 10
"""How far a fault condemns an endpoint among several: three in a row that cannot be reached, or ten
others, and it is taken out."""


class TryAgainError(Exception):
    """A fault that may pass.

    Attributes:
        reason: Its name, for the record.
        wait: Seconds that the server asks for; None where it does not say.
        blame: How far it condemns the endpoint.
        most: Most attempts where they are fewer than usual.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        wait: float | None = None,
        blame: float = OTHER,
        most: int | None = None,
    ) -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason, self.wait, self.blame, self.most = reason, wait, blame, most


class WithheldError(Exception):
    """The provider's content filter rejected the question."""


class SeveralRefusedError(Exception):
    """The server refuses several draws in one request."""


class StopError(Exception):
    """No further request is to be sent; those on their way are waited for.

    Its one argument is the sentence.
    """


@dataclass(frozen=True, slots=True)
class Asked:
    """Of whom something was asked.

    Attributes:
        model: The model.
        url: The endpoint.
        key_variable: Where the key is from.
        key: The key, never to be shown.
    """

    model: str
    url: str
    key_variable: str
    key: str | None = field(repr=False)


def redact(text: str, key: str | None) -> str:
    """Take the key out of a text, and shorten it.

    >>> redact("no model for sk-secret", "sk-secret")
    'no model for [key]'
    """
    text = " ".join(text.split())
    if key:
        text = text.replace(key, "[key]")
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + " ..."


def explain(error: openai.OpenAIError, asked: Asked) -> Exception:
    """Say what an error of the client means.

    Returns:
        One of this module's exceptions, or a `UserError`; to be raised outside of the handler of
        `error`, so that no traceback shows that.
    """
    if isinstance(error, openai.APITimeoutError):
        return TryAgainError("timeout")
    if isinstance(error, openai.APIConnectionError):
        return TryAgainError("connection", _cause(error), blame=UNREACHABLE)
    if isinstance(error, openai.APIStatusError):
        said = redact(_message(error.body) or str(error), asked.key)
        return (
            _hopeless(error, said, asked)
            or _passing(error, said)
            or _refused(error, said)
            or UserError(
                f"alm_api: {asked.url} does not take the request for '{asked.model}' (status "
                f"{error.status_code}): {said}"
            )
        )
    return TryAgainError("malformed", type(error).__name__)


def wait_asked(headers: Mapping[str, str], text: str = "") -> float | None:
    """Seconds that a server asks to be waited for, in its headers or (Gemini) in its answer.

    >>> wait_asked({"retry-after": "2"})
    2.0
    >>> wait_asked({}, '{"retryDelay": "34.5s"}')
    34.5
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        if _SECONDS.fullmatch(headers.get(name, "")):
            return float(headers[name]) * unit
    if date := email.utils.parsedate_tz(headers.get("retry-after", "")):
        return max(0.0, email.utils.mktime_tz(date) - time.time())
    found = _DELAY.search(text)
    return float(found[1]) if found else None


def _hopeless(error: openai.APIStatusError, said: str, asked: Asked) -> UserError | None:
    """Say what no further attempt mends. Google answers a wrong key with status 400."""
    status = error.status_code
    if status == _UNAUTHORISED or (status in _BAD_REQUEST and "api key" in said.lower()):
        return UserError(f"alm_api: {asked.url} does not accept the key in {asked.key_variable}.")
    if status == _FORBIDDEN:
        return UserError(
            f"alm_api: {asked.url} does not let the key in {asked.key_variable} do this: {said}"
        )
    if status == _NOT_FOUND:
        return UserError(
            f"alm_api: {asked.url} has no model '{asked.model}' (--model_args model=...), or is no "
            f"such endpoint: {said}"
        )
    if status == _TOO_MANY and "insufficient_quota" in json.dumps(error.body, default=str):
        return UserError(f"alm_api: the account at {asked.url} has no credit left: {said}")
    return None


def _passing(error: openai.APIStatusError, said: str) -> TryAgainError | None:
    status = error.status_code
    if status not in _TRY_AGAIN and status < _SERVER_FAULTS:
        return None
    wait = wait_asked(error.response.headers, error.response.text)
    if status == _TOO_MANY:
        return TryAgainError("rate_limit", said, wait=wait, blame=0.0)
    return TryAgainError(f"status_{status}", said, wait=wait)


def _refused(error: openai.APIStatusError, said: str) -> Exception | None:
    """A rejection of the words, or of several draws in one request."""
    if error.status_code not in _BAD_REQUEST:
        return None
    if _is_filter(error.body):
        return WithheldError(said)
    several = error.param == "n" or any(words in said.lower() for words in _ONE_DRAW)
    return SeveralRefusedError(said) if several else None


def _is_filter(body: Any) -> bool:
    """Whether a rejection is the content filter's: its code says so, or an inner one (Azure)."""
    if isinstance(body, dict):
        body = [body.get(name) for name in ("code", "type", "innererror")]
    codes = json.dumps(body, default=str).lower()
    return any(name in codes for name in _FILTERS)


def _message(body: Any) -> str:
    """What the server says, in the forms of OpenAI, vLLM and Google (a list of one)."""
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict):
        inner = body.get("error", body)
        return str(inner.get("message", "")) if isinstance(inner, dict) else str(inner)
    return ""


def _cause(error: BaseException) -> str:
    """The name of the innermost error, such as ConnectError or RemoteProtocolError."""
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__
