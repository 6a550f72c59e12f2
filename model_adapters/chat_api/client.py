"""Requests to one or several endpoints: bounded, retried, within a budget, and recorded."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

import openai
import tenacity

from model_adapters.chat_api.faults import Asked, StopError, TryAgainError, explain
from model_adapters.chat_api.providers import Price
from model_adapters.chat_api.record import Record, Usage

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds: before attempt k + 1 one waits a random time of at most FIRST_WAIT * 2^k."""

LONGEST_ASKED = 600.0
"""Longer waits than this, in seconds, which a server asks for end the run."""

_ATTEMPTS_WITHOUT_ANSWER = 3  # where no endpoint has ever answered, it is not there
_MISLED = 3  # attempts at a request that is answered without an answer

Reply = dict[str, Any]
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Settings:
    """How requests are sent.

    Attributes:
        model: The model's name.
        urls: The endpoints.
        key: The key, None where none is needed. It is kept out of this object's text.
        key_variable: The environment variable that it is from.
        num_concurrent: Most requests at once.
        max_retries: Most times that a request is tried again.
        timeout: Seconds that an attempt may take.
        max_requests: Most requests that may be sent; None for any number.
        max_cost: Most US dollars that may be spent; None for any sum.
        price: What tokens cost; None where not known.
    """

    model: str
    urls: tuple[str, ...]
    key: str | None = field(repr=False)
    key_variable: str
    num_concurrent: int
    max_retries: int
    timeout: float
    max_requests: int | None = None
    max_cost: float | None = None
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a request is expected to take.

    Attributes:
        clip: Identity of what is heard: requests about one clip go to one endpoint.
        audio_tokens: Expected tokens of the audio; None where that is not known.
        most_cost: Most US dollars that it may cost, 0 where no price is known.
    """

    clip: str = ""
    audio_tokens: float | None = None
    most_cost: float = 0.0


@dataclass(slots=True)
class _Endpoint:
    """A server, and how it is doing.

    Attributes:
        url: Where it is.
        client: The connection pool.
        busy: Requests on their way.
        blame: Faults in a row, see `faults.UNREACHABLE`; at 1 it is taken out if there are others.
        rests_until: Nothing is sent before this time (`time.monotonic`).
        alive: Whether it has not been taken out.
    """

    url: str
    client: openai.AsyncOpenAI
    busy: int = 0
    blame: float = 0.0
    rests_until: float = 0.0
    alive: bool = True


class Client:
    """An asynchronous context: connections are opened on entry, re-used, and closed on exit."""

    def __init__(self, settings: Settings, record: Record) -> None:
        self._settings = settings
        self._record = record
        self._places = asyncio.Semaphore(settings.num_concurrent)
        self._budget = _Budget(settings, record)
        self._endpoints: list[_Endpoint] = []
        self._homes: dict[str, _Endpoint] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Client":
        for url in self._settings.urls:
            if url in self._record.taken_out:
                continue
            client = openai.AsyncOpenAI(
                api_key=self._settings.key or "none",
                base_url=url,
                max_retries=0,  # retries are ours
                timeout=self._settings.timeout,
            )
            await self._stack.enter_async_context(client)
            self._endpoints.append(_Endpoint(url, client))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def ask(
        self, body: Mapping[str, Any], load: Load, read: Callable[[Reply], _Found]
    ) -> _Found | None:
        """Send a request until it is answered.

        Args:
            body: The request.
            load: What it is expected to take.
            read: Reads an answer, which has choices. It may raise `TryAgainError`; where it fails
                over the answer's form, that was malformed.

        Returns:
            What was read; None where the server gave no choices, again and again.

        Raises:
            WithheldError: The content filter rejected it.
            SeveralRefusedError: The server does not make several draws of a request.
            StopError: The budget is used up, or too many attempts failed.
            UserError: Trying again is of no use.
        """
        attempts = tenacity.AsyncRetrying(
            sleep=asyncio.sleep,
            stop=self._gives_up,
            wait=_wait,
            retry=tenacity.retry_if_exception_type(TryAgainError),
            before_sleep=self._count_fault,
            reraise=True,
        )
        try:
            return await attempts(self._attempt, body, load, read)
        except TryAgainError as fault:
            self._record.faults[fault.reason] += 1
            if fault.most is not None:
                return None
            last = str(fault)
        raise StopError(
            f"alm_api: {' and '.join(self._settings.urls)} answered no attempt at a request for "
            f"'{self._settings.model}'; the last fault was: {last}. What was drawn before is kept: "
            f"repeat the command to go on."
        )

    async def _attempt(
        self, body: Mapping[str, Any], load: Load, read: Callable[[Reply], _Found]
    ) -> _Found:
        async with self._places:
            endpoint = await self._rested(load.clip)
            await self._budget.reserve(load.most_cost)
            endpoint.busy += 1
            try:
                reply = await self._send(endpoint, body)
                usage = Usage.read(reply, load.audio_tokens)
                self._record.add(reply, usage, self._settings.price)
            finally:
                endpoint.busy -= 1
                self._budget.settle(load.most_cost)
        endpoint.blame = 0.0
        if not isinstance(reply.get("choices"), list) or not reply["choices"]:
            raise TryAgainError("no_choices", blame=0.0, most=_MISLED)
        try:
            return read(reply)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            form = type(error).__name__
        raise TryAgainError("malformed", form)

    async def _send(self, endpoint: _Endpoint, body: Mapping[str, Any]) -> Reply:
        """Send once; what goes wrong becomes one of our exceptions, without the client's behind it.

        The client's errors hold the request, with the key in its headers.
        """
        fault: Exception
        # Not `chat.completions.create`, which walks through all of the body to check its types.
        request = endpoint.client.post("/chat/completions", cast_to=object, body=body)
        try:
            reply = await asyncio.wait_for(request, self._settings.timeout)
            if isinstance(reply, dict):
                return reply
            fault = TryAgainError("malformed", "no JSON object")
        except (asyncio.TimeoutError, TimeoutError):
            fault = TryAgainError("timeout")
        except ValueError as error:  # also of bytes that are no text
            fault = TryAgainError("malformed", type(error).__name__)
        except openai.OpenAIError as error:
            settings = self._settings
            fault = explain(
                error, Asked(settings.model, endpoint.url, settings.key_variable, settings.key)
            )
        self._blame(endpoint, fault)
        raise fault

    def _blame(self, endpoint: _Endpoint, fault: Exception) -> None:
        """Note what a fault says about its endpoint."""
        if not isinstance(fault, TryAgainError):
            return
        if fault.wait is not None:
            endpoint.rests_until = max(endpoint.rests_until, time.monotonic() + fault.wait)
        endpoint.blame += fault.blame
        others = [one for one in self._endpoints if one.alive and one is not endpoint]
        if endpoint.alive and others and endpoint.blame > 1 - 1e-9:
            endpoint.alive = False
            self._record.taken_out.append(endpoint.url)
            _log.warning(
                "alm_api: %s is taken out (%s); %d endpoint(s) go on.",
                *(endpoint.url, fault, len(others)),
            )

    async def _rested(self, clip: str) -> _Endpoint:
        """Choose the endpoint, and wait as long as it asked for."""
        while True:
            endpoint = self._choose(clip)
            seconds = endpoint.rests_until - time.monotonic()
            if seconds <= 0:
                self._homes[clip] = endpoint
                return endpoint
            if seconds > LONGEST_ASKED:
                raise StopError(
                    f"alm_api: {endpoint.url} asks for a pause of {seconds:.0f} s. What was drawn "
                    f"before is kept: repeat the command then to go on."
                )
            await asyncio.sleep(seconds)

    def _choose(self, clip: str) -> _Endpoint:
        """The endpoint that has the clip in its cache, unless another has far less to do."""
        now = time.monotonic()
        alive = [one for one in self._endpoints if one.alive]
        ready = [one for one in alive if one.rests_until <= now] or alive
        least = min(ready, key=lambda one: (max(one.rests_until, now), one.busy))
        home = self._homes.get(clip)
        if home is not None and home in ready and home.busy <= 2 * least.busy + 2:
            return home
        return least

    def _gives_up(self, state: tenacity.RetryCallState) -> bool:
        fault = _fault(state)
        most = fault.most or self._settings.max_retries + 1
        absent = fault.reason == "connection" and not self._record.answered
        if absent and len(self._settings.urls) == 1:
            most = min(most, _ATTEMPTS_WITHOUT_ANSWER)
        return state.attempt_number >= most

    def _count_fault(self, state: tenacity.RetryCallState) -> None:
        fault = _fault(state)
        self._record.faults[fault.reason] += 1
        if self._record.faults[fault.reason] == 1:
            _log.warning(
                "alm_api: a request failed and is tried again: %s. Results count the others.", fault
            )


class _Budget:
    """What may still be sent.

    Each request reserves the most that it may cost, so that the sum is never exceeded however many
    are on their way; a request that does not fit waits for others to cost less than they might.
    """

    def __init__(self, settings: Settings, record: Record) -> None:
        self._settings, self._record = settings, record
        self._reserved = 0.0
        self._pending = 0
        self._settled = asyncio.Event()

    async def reserve(self, most_cost: float) -> None:
        """Wait until a request may be sent, and count it.

        Raises:
            StopError: It may not.
        """
        settings, record = self._settings, self._record
        while True:
            if settings.max_requests is not None and record.sent >= settings.max_requests:
                raise _spent(f"max_requests={settings.max_requests}")
            spent = record.cost + self._reserved + most_cost
            if settings.max_cost is None or spent <= settings.max_cost:
                break
            if not self._pending:
                raise _spent(f"max_cost={settings.max_cost:g} ({record.cost:.4f} USD were spent)")
            self._settled.clear()
            await self._settled.wait()
        record.sent += 1
        self._pending += 1
        self._reserved += most_cost

    def settle(self, most_cost: float) -> None:
        """Give back what a request reserved; what it did cost is in the record."""
        self._pending -= 1
        self._reserved -= most_cost
        self._settled.set()


def _spent(limit: str) -> StopError:
    return StopError(
        f"alm_api: the budget {limit} does not allow for another request. What was drawn is kept: "
        f"repeat the command with a new budget to go on."
    )


_backoff: Callable[[tenacity.RetryCallState], float] = tenacity.wait_random_exponential(
    multiplier=FIRST_WAIT, max=LONGEST_WAIT
)


def _wait(state: tenacity.RetryCallState) -> float:
    """A random time that grows; what a server asks for is waited in `Client._rested`, by all."""
    return _backoff(state)


def _fault(state: tenacity.RetryCallState) -> TryAgainError:
    assert state.outcome is not None
    fault = state.outcome.exception()
    assert isinstance(fault, TryAgainError)
    return fault
