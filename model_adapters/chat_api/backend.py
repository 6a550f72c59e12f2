"""`alm_api`: settings, and questions that go to an endpoint."""

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar

import ambi_tasks
from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from model_adapters.backend import Backend, Capabilities, Conversation, DrawOrder, ScoreOrder
from model_adapters.chat_api.client import Client, Load, Settings
from model_adapters.chat_api.estimate import Estimate, Need, text_tokens
from model_adapters.chat_api.faults import StopError
from model_adapters.chat_api.providers import (
    SHUT_DOWN,
    base_model,
    get_provider,
    read_offers,
    read_price,
)
from model_adapters.chat_api.record import Record
from model_adapters.chat_api.settings import read_amount, read_count, read_key, read_urls
from model_adapters.chat_api.sound import transport
from model_adapters.chat_api.stream import Emit, Job, bounded, stream
from model_adapters.chat_api.wire import Dialect
from model_adapters.chat_api.work import Drawn, DrawTask, Scored, Work
from model_adapters.registry import register_adapter

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

ASKED = 1
"""Counts up when the same order is asked in other words: draws of before are then not taken."""

_Found = TypeVar("_Found")


@register_adapter("alm_api")
class ChatApiBackend(Backend):
    """An audio-language model behind an endpoint that speaks OpenAI's Chat Completions."""

    def __init__(
        self,
        *,
        model: str | None = None,
        provider: str | None = None,
        base_url: str | None = None,
        key_variable: str | None = None,
        offers: str | None = None,
        num_concurrent: int = 8,
        max_retries: int = 8,
        timeout: float = 120.0,
        max_requests: int | None = None,
        max_cost: float | None = None,
        price: str | None = None,
        reasoning_effort: str | None = None,
        max_seconds: float | None = None,
        audio_folder: str | None = None,
        audio_url: str | None = None,
        dry_run: bool = False,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
        device: str | None = None,
    ) -> None:
        """Check the settings; nothing is sent.

        Args:
            model: The model, by the provider's name.
            provider: Of `providers.PROVIDERS`; openai, or compatible where a URL is given.
            base_url: The endpoint, or several with `;` or `|` between them.
            key_variable: The environment variable that holds the key, if not the provider's.
            offers: What the server can do, of `providers.OFFERS`, in place of what its provider
                can.
            num_concurrent: Most requests at once.
            max_retries: Most times that a request is tried again.
            timeout: Seconds that an attempt may take.
            max_requests: Most requests to send.
            max_cost: Most US dollars to spend.
            price: US dollars for a million tokens, `text;audio;answers`.
            reasoning_effort: Handed on.
            max_seconds: Longest clip.
            audio_folder: A folder that the server sees, so that its clips go by address.
            audio_url: That folder's address for the server.
            dry_run: Say what would be asked, and end.
            batch_size: Only for the harness's sake.
            max_batch_size: Only for the harness's sake.
            device: Only for the harness's sake.

        Raises:
            UserError: A value is wrong, or there is no key.
        """
        del batch_size, max_batch_size, device
        if model is None:
            raise UserError(
                "alm_api: name a model, such as --model_args model=gpt-audio or "
                "model=gemini-2.5-pro,provider=gemini."
            )
        self._model = str(model)
        # A URL of the user's own never gets OpenAI's key unless that is asked for.
        self._provider = get_provider(provider or ("compatible" if base_url else "openai"))
        self._offers = self._provider.offers if offers is None else read_offers(str(offers))
        self._record = Record()
        self._dry_run = bool(dry_run)
        self._warned: set[str] = set()
        key_name = key_variable or self._provider.key_variable
        self._settings = Settings(
            model=self._model,
            urls=read_urls(base_url or self._provider.base_url),
            key=read_key(key_name, needed=self._provider.key_needed and not self._dry_run),
            key_variable=key_name,
            num_concurrent=read_count("num_concurrent", num_concurrent, least=1) or 1,
            max_retries=read_count("max_retries", max_retries, least=0) or 0,
            timeout=read_amount("timeout", timeout) or 120.0,
            max_requests=read_count("max_requests", max_requests, least=0),
            max_cost=read_amount("max_cost", max_cost),
            price=read_price(price, self._model),
        )
        self._dialect = Dialect(
            model=self._model,
            provider=self._provider,
            offers=self._offers,
            transport=transport(
                self._provider,
                model=self._model,
                max_seconds=read_amount("max_seconds", max_seconds),
                audio_folder=audio_folder,
                audio_url=audio_url,
                offers=self._offers,
            ),
            reasoning_effort=reasoning_effort,
        )
        self._check_budget()
        self._tell_of_its_end()

    def _check_budget(self) -> None:
        known = self._settings.price is not None and self._provider.audio_tokens is not None
        if self._settings.max_cost is not None and not known:
            raise UserError(
                f"--model_args max_cost: what '{self._model}' costs is not known "
                f"(provider={self._provider.name}); limit max_requests, or, for openai and gemini, "
                f"give price=text;audio;answers in US dollars for a million tokens."
            )

    def _tell_of_its_end(self) -> None:
        if self._provider.name == "openai" and (end := SHUT_DOWN.get(base_model(self._model))):
            _log.warning(
                "alm_api: OpenAI has announced the end of %s for %s; its successor is "
                "gpt-audio-1.5.",
                *(self._model, end),
            )

    @property
    def model_name(self) -> str:
        """What the user named."""
        return self._model

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override] # they follow from `offers`
        """What the provider offers."""
        return Capabilities(
            sampling=True,
            beams="beams" in self._offers,
            draw_log_likelihood="logprobs" in self._offers,
            log_likelihood=bool({"logprobs", "prompt_logprobs"} & self._offers),
            clips=None,
            repeatable=False,
        )

    def fingerprint(self) -> str:
        """See `Backend.fingerprint`: what is asked, of which model; the endpoint does not matter.

        Models behind an endpoint change; the hash can only hold the name that was asked for. A
        name with a date is safer, and `keep_draws=False` draws anew.
        """
        content = {
            "asked": ASKED,
            "provider": self._provider.name,
            "model": self._model,
            "log_probabilities": "logprobs" in self._offers,
            "prompt_log_probabilities": "prompt_logprobs" in self._offers,
            "reasoning_effort": self._dialect.reasoning_effort,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """What the results record about the model, and about the requests of this run."""
        return {
            "model_name": self.model_name,
            "provider": self._provider.name,
            "endpoints": list(self._settings.urls),
            "offers": sorted(self._offers),
            "num_concurrent": self._settings.num_concurrent,
            "reasoning_effort": self._dialect.reasoning_effort,
            **self._record.describe(self._settings.price),
            "ambi_tasks_version": ambi_tasks.__version__,
            "openai_version": version("openai"),
        }

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[Drawn]:
        """Check all orders, then ask for draws, see `Backend.draw`."""
        for order in orders:
            self._dialect.check(order.decoding)
        seconds = self._measured([order.conversation for order in orders])
        needs: list[Need] = []
        tasks: list[DrawTask] = []
        for position, order in _by_clip(orders):
            for indices in self._runs(order):
                answers = max(len(indices), order.decoding.num_beams)
                output = answers * order.decoding.max_new_tokens
                needs.append(_need(order.conversation, seconds, output))
                load = self._load(order.conversation, needs[-1])
                tasks.append(DrawTask(position, order, indices, load))
        self._announce(needs)
        return self._told(self._draws(tasks))

    def _runs(self, order: DrawOrder) -> Iterator[tuple[int, ...]]:
        """Cut an order into what one request asks for: consecutive draws, or all beams."""
        if order.decoding.num_beams > 1:
            yield order.indices
            return
        several = "n" in self._offers and order.decoding.do_sample
        most = self._provider.most_draws if several else 1
        run: list[int] = []
        for index in order.indices:
            if run and (index != run[-1] + 1 or len(run) == most):
                yield tuple(run)
                run = []
            run.append(index)
        yield tuple(run)

    def _draws(self, tasks: Sequence[DrawTask]) -> Iterator[Drawn]:
        """Send the requests; see in the end whether draws differ."""

        def jobs(work: Work, emit: Emit[Drawn]) -> Iterator[Job]:
            for task in tasks:
                yield partial(work.draw, task, emit)

        sampled = {task.position for task in tasks if task.order.decoding.do_sample}
        texts: dict[int, list[str]] = defaultdict(list)
        for position, index, answer in self._streamed(jobs):
            if position in sampled:
                texts[position].append(answer.text)
            yield position, index, answer
        for pool in texts.values():
            if len(pool) > 1:
                self._record.pools.update(["all"] + ["alike"] * (len(set(pool)) == 1))

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[Scored]:
        """Score given answers, see `Backend.log_likelihoods`."""
        if not self.capabilities.log_likelihood:
            raise UserError(
                f"alm_api: provider={self._provider.name} gives no log-probabilities, which the "
                f"strategy tlr and verifiers with score=probability need; choose others (or say "
                f"offers=logprobs, if the server does give them)."
            )
        exact = "prompt_logprobs" in self._offers
        seconds = self._measured([order.conversation for order in orders])
        needs: list[Need] = []
        tasks: list[tuple[int, ScoreOrder, Load]] = []
        for position, order in _by_clip(orders):
            need = _need(order.conversation, seconds, 1)
            needs += [need] * (1 + len(order.continuations) if exact else 1)
            tasks.append((position, order, self._load(order.conversation, need)))
        self._announce(needs)

        def jobs(work: Work, emit: Emit[Scored]) -> Iterator[Job]:
            score = work.score_exactly if exact else work.score_by_rivals
            for position, order, load in tasks:
                yield partial(score, position, order, load, emit)

        return self._told(self._streamed(jobs))

    def _streamed(self, jobs: Callable[[Work, Emit[_Found]], Iterator[Job]]) -> Iterator[_Found]:
        """Do the jobs, all connections being closed in the end.

        Raises:
            UserError: The budget is used up, or the server does not answer; after all that was
                under way.
        """

        async def do(emit: Emit[_Found]) -> None:
            async with Client(self._settings, self._record) as client:
                work = Work(self._dialect, client, self._record)
                await bounded(jobs(work, emit), self._settings.num_concurrent)

        stopped = ""
        try:
            yield from stream(do)
        except StopError as stop:
            stopped = str(stop)
        if stopped:
            raise UserError(stopped)

    def _measured(self, conversations: Sequence[Conversation]) -> dict[Clip, float]:
        clips = [clip for one in conversations for turn in one for clip in turn.clips]
        return self._dialect.transport.check(clips)

    def _load(self, conversation: Conversation, need: Need) -> Load:
        rate = self._provider.audio_tokens
        audio = None if rate is None and need.seconds else (rate or 0.0) * need.seconds
        price = self._settings.price
        cost = price.cost(need.text_tokens, audio or 0.0, need.most_output) if price else 0.0
        return Load(_clip_name(conversation), audio, cost)

    def _announce(self, needs: Sequence[Need]) -> None:
        """Say what is about to be asked; a dry run ends with that.

        Raises:
            SystemExit: It is a dry run.
        """
        estimate = Estimate.of(self._model, needs, self._provider, self._settings.price)
        if not self._dry_run:
            _log.info("alm_api: %s", estimate)
            return
        print(
            f"alm_api, dry run, nothing was sent: {estimate} Questions that depend on answers "
            f"(a verifier's) and requests of another kind (tlr) are not counted."
        )
        raise SystemExit(0)

    def _told(self, found: Iterator[_Found]) -> Iterator[_Found]:
        """Hand on, and warn in the end of what makes results worse than they look."""
        yield from found
        for warning in self._record.warnings():
            if warning not in self._warned:
                self._warned.add(warning)
                _log.warning("alm_api: %s", warning)


def _need(conversation: Conversation, seconds: Mapping[Clip, float], most_output: float) -> Need:
    heard = sum(seconds[clip] for turn in conversation for clip in turn.clips)
    return Need(text_tokens(conversation), heard, most_output)


def _by_clip(orders: Sequence[Any]) -> list[tuple[int, Any]]:
    """The orders with their positions, those about one clip next to each other."""
    first: dict[str, int] = {}
    for position, order in enumerate(orders):
        first.setdefault(_clip_name(order.conversation), position)
    return sorted(enumerate(orders), key=lambda one: first[_clip_name(one[1].conversation)])


def _clip_name(conversation: Conversation) -> str:
    return " ".join(str(clip) for turn in conversation for clip in turn.clips)
