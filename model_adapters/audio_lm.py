"""The one model class of the harness: it turns requests into pools of draws and asks a backend.

Requests that ask the same (same sound, same words, same decoding) are one pool: the repeats of a
request are its draws 0, 1, 2, ..., and tasks that ask the same share them. A verifier's questions
are requests like others, to another `AudioLM` or to this one.
"""

import inspect
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Literal

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CacheHook
from lm_eval.utils import simple_parse_args_string
from tqdm import tqdm

from ambi_tasks.audio import Clip, clip_sha256
from ambi_tasks.doctor.record import summary_of
from ambi_tasks.errors import UserError
from ambi_tasks.prompts import load_prompt
from model_adapters.backend import (
    Answer,
    Backend,
    Conversation,
    Decoding,
    DrawOrder,
    Score,
    ScoreOrder,
    Turn,
)
from model_adapters.draw_store import DrawStore, Question, store_path
from model_adapters.draws import Draw, ScoredAnswer
from model_adapters.generation_settings import read_decoding
from model_adapters.processes import Processes, process_count
from model_adapters.registry import get_adapter

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_HARNESS_SETTINGS = ("batch_size", "max_batch_size", "device")
_TRANSCRIPT_TOKENS = 440  # most that Whisper writes of its 30 s
_ATTACHMENTS = {"audio", "system", "needs_log_likelihood"}

Verdict = str | tuple[float, float] | None
"""On a candidate: a text, or the log-likelihoods of yes and of no; None where it was not asked."""


@dataclass(slots=True)
class _Pool:
    """Draws of one conversation under one decoding."""

    question: Question
    conversation: Conversation
    decoding: Decoding
    clip_sha256: str | None
    wanted: set[int] = field(default_factory=set)
    draws: dict[int, Draw] = field(default_factory=dict)


@dataclass(slots=True)
class _ScorePool:
    """Given answers to one conversation, to be scored; a dict keeps them in order."""

    question: Question
    conversation: Conversation
    scores: dict[str, Score | None] = field(default_factory=dict)


_Question = tuple[int, int, tuple[str, dict[str, Any], Mapping[str, Any]]]
"""A verifier's question: its row and column among the verdicts, and the arguments of a request."""


_MADE = {"draws": "drawn", "verdicts": "drawn", "transcripts": "drawn", "scores": "scored"}


class _Tally(Counter[str]):
    """How many were asked for, shared, kept by earlier runs, made now; and what these took."""

    def record(self, kind: str) -> dict[str, float]:
        """The numbers by the names that results use."""
        names = {"asked": "asked", "shared": "shared", "stored": "stored", "made": _MADE[kind]}
        found: dict[str, float] = {
            shown: self[name] for name, shown in (names | {"tokens": "tokens"}).items()
        }
        return found | {"seconds": self["milliseconds"] / 1000}

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time that passes inside."""
        start = time.perf_counter()
        yield
        self["milliseconds"] += round(1000 * (time.perf_counter() - start))


def _added_up(everyone: Sequence[Mapping[str, _Tally]]) -> dict[str, _Tally]:
    """Tallies of several processes as one."""
    return {kind: _Tally(sum((one[kind] for one in everyone), Counter())) for kind in everyone[0]}


class AudioLM(LM):  # type: ignore[misc] # the harness is untyped
    """An audio-language model, as the harness sees it.

    Subclasses made by `harness.model_class` know their adapter; a backend that exists already is
    given to `AudioLM(backend)`.
    """

    MULTIMODAL = True
    adapter: ClassVar[str] = "custom"
    backend_class: ClassVar[type[Backend] | None] = None

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        keep_draws: bool = True,
        verifier: "str | AudioLM | None" = None,
        verifier_args: str | Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        """Make the backend, which does not load its weights yet.

        Args:
            backend: A backend that exists already; without it the adapter's is made.
            keep_draws: Keep finished draws between runs, where the backend has a fingerprint.
            verifier: The adapter that judges candidates, or a model; this model itself if None.
            verifier_args: The verifier's model_args: a mapping, or `name=value;name=value`.
            **settings: The user's `--model_args`, and what the harness adds.

        Raises:
            UserError: The adapter has no such setting, or refuses its value.
        """
        super().__init__()
        if backend is None:
            assert self.backend_class is not None
            _check_settings(self.adapter, self.backend_class, settings)
            backend = self.backend_class(**settings)
        self.backend = backend
        self._keep_draws = keep_draws
        self._tallies = {kind: _Tally() for kind in _MADE}
        self._totals = self._tallies  # of all processes
        self._verifier = self._make_verifier(verifier, verifier_args, keep_draws, settings)
        self._processes = Processes() if process_count() > 1 else None
        if self._processes:
            self._rank, self._world_size = self._processes.rank, process_count()
            self._device = self._processes.device

    def _make_verifier(
        self,
        verifier: "str | AudioLM | None",
        arguments: str | Mapping[str, Any] | None,
        keep_draws: bool,
        settings: Mapping[str, Any],
    ) -> "AudioLM":
        if isinstance(verifier, AudioLM):
            return verifier
        if verifier is None:
            if arguments is not None:
                raise UserError(f"{self.adapter}: verifier_args were given without a verifier.")
            return self
        return nested_model(
            verifier, get_adapter(verifier), {}, arguments, settings, keep_draws=keep_draws
        )

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: dict[str, Any] | None = None
    ) -> "AudioLM":
        """Make the model from `--model_args` as text."""
        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    @classmethod
    def create_from_arg_obj(
        cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None
    ) -> "AudioLM":
        """Make the model; what `--model_args` say goes before the harness's own options."""
        extra = {
            name: value for name, value in (additional_config or {}).items() if value is not None
        }
        return cls(**(extra | arg_dict))

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Draw answers.

        Args:
            requests: Instances, each as often as it is repeated.
            disable_tqdm: Show no progress bar.

        Returns:
            One `Draw` per request, in their order.
        """
        disable_tqdm = disable_tqdm or self.rank > 0
        if any(_attachments(request.args).get("needs_log_likelihood") for request in requests):
            self._check_gives_log_likelihoods()
        self._check_what_comes_later(requests)
        pools: dict[str, _Pool] = {}
        numbered = tqdm(_numbered(requests), desc="Requests", leave=False, disable=disable_tqdm)
        places = [_place(pools, request.args, number) for request, number in numbered]  # hashes
        return self._drawn("draws", pools, places, disable_tqdm=disable_tqdm)

    def _drawn(
        self,
        kind: Literal["draws", "verdicts", "transcripts"],
        pools: dict[str, _Pool],
        places: Sequence[tuple[str, int]],
        *,
        disable_tqdm: bool,
    ) -> list[str]:
        """Fill the pools, and hand out the draw at each place."""
        tally = _Tally(asked=len(places))
        with self._store() as store:
            if store:
                _take_finished(pools, store)
            tally["stored"] = sum(len(pool.draws) for pool in pools.values())
            tally["shared"] = len(places) - sum(len(pool.wanted) for pool in pools.values())
            self._draw(pools, store, kind, tally, disable_tqdm=disable_tqdm)
        self._count(kind, tally)
        return [pools[key].draws[index] for key, index in places]

    def _draw(
        self,
        pools: dict[str, _Pool],
        store: DrawStore | None,
        kind: str,
        tally: _Tally,
        *,
        disable_tqdm: bool,
    ) -> None:
        """Draw what the pools lack, and keep it at once."""
        orders = [
            DrawOrder(pool.conversation, pool.decoding, tuple(sorted(missing)), key)
            for key, pool in pools.items()
            if (missing := pool.wanted - set(pool.draws))
        ]
        self._check_capabilities(orders)
        if not orders:
            return
        total = sum(len(order.indices) for order in orders)
        draws = self.backend.draw(orders)  # loads the weights, with a bar of its own
        bar = tqdm(total=total, desc=kind.capitalize(), unit=kind[:-1], disable=disable_tqdm)
        with bar, tally.timed():
            for position, index, answer in draws:
                key = orders[position].key
                if store:
                    store.keep(pools[key].question, index, answer)
                pools[key].draws[index] = _draw(answer, index, pools[key])
                bar.update()
                tally.update(made=1, tokens=answer.tokens or 0)

    def _count(self, kind: str, tally: _Tally) -> None:
        self._tallies[kind].update(tally)
        _log.info(
            "%s: %d %s asked for: %d shared, %d kept by earlier runs, %d %s (%d tokens).",
            *(self.adapter, tally["asked"], kind, tally["shared"], tally["stored"]),
            *(tally["made"], _MADE[kind], tally["tokens"]),
        )

    @contextmanager
    def _store(self) -> Iterator[DrawStore | None]:
        store = self._open_store()
        try:
            yield store
        finally:
            if store:
                store.close()

    def _open_store(self) -> DrawStore | None:
        fingerprint = self.backend.fingerprint() if self._keep_draws else None
        if fingerprint is None:
            return None
        try:
            return DrawStore(store_path(), fingerprint, self.backend.model_name)
        except OSError as error:
            raise UserError(
                f"Draws cannot be kept at {store_path()} ({error.strerror}); set AMBI_CACHE to a "
                f"folder that can be written, or switch it off by --model_args keep_draws=False."
            ) from error

    def _check_what_comes_later(self, requests: Sequence[Instance]) -> None:
        """Refuse a run before its first draw over what it will ask for in the end.

        Raises:
            UserError: This model, or its verifier, does not score given answers.
        """
        runs = {id(run): run for one in requests if (run := getattr(one, "needs", None))}
        for run in runs.values():
            for need, model in (("read_out", self), ("verdict", self._verifier)):
                if need in run and not model.backend.capabilities.log_likelihood:
                    model.backend.log_likelihoods([])  # says why it cannot

    def _check_gives_log_likelihoods(self) -> None:
        if not self.backend.capabilities.draw_log_likelihood:
            raise UserError(
                f"{self.adapter}: this model's answers come without their log-likelihoods, by "
                f"which the strategies bon and wbon rank; choose other strategies."
            )

    def _check_capabilities(self, orders: Sequence[DrawOrder]) -> None:
        for order in orders:
            self._check_conversation(order.conversation)
            can = self.backend.capabilities
            if order.decoding.do_sample and not can.sampling:
                raise UserError(f"{self.adapter}: this model does not sample.")
            if order.decoding.num_beams > 1 and not can.beams:
                raise UserError(
                    f"{self.adapter}: this model has no beam search; rank sampled draws instead "
                    f'with --metadata \'{{"candidates": "sample"}}\', which the results say.'
                )
            if order.indices[-1] >= max(order.decoding.num_beams, 1) > 1:
                raise UserError(
                    f"--gen_kwargs num_beams={order.decoding.num_beams}: a task asks for "
                    f"{order.indices[-1] + 1} of so many beams; search with more of them."
                )

    def _check_conversation(self, conversation: Conversation) -> None:
        can = self.backend.capabilities
        clips = sum(len(turn.clips) for turn in conversation)
        if can.clips is not None and clips > can.clips:
            raise UserError(f"{self.adapter}: at most {can.clips} clip(s) per question.")
        if conversation[0].role == "system" and not can.system_turn:
            raise UserError(f"{self.adapter}: this model takes no --system_instruction.")

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Score given answers, see `Backend.log_likelihoods`.

        Returns:
            One `ScoredAnswer` per request, in their order.
        """
        asked = [(_conversation(request.args), request.args[1]) for request in requests]
        return self._scored(asked, disable_tqdm=disable_tqdm or self.rank > 0)

    def _scored(
        self,
        asked: Sequence[tuple[tuple[Conversation, list[str]], str]],
        *,
        disable_tqdm: bool,
    ) -> list[tuple[float, bool]]:
        """Score answers, all those to one question together."""
        pools: dict[str, _ScorePool] = {}
        places = []
        for (conversation, hashes), continuation in asked:
            one = question(conversation, hashes, None)
            pool = pools.setdefault(one.key, _ScorePool(one, conversation))
            pool.scores.setdefault(continuation)
            places.append((one.key, continuation))
        tally = _Tally(asked=len(places))
        tally["shared"] = len(places) - sum(len(pool.scores) for pool in pools.values())
        with self._store() as store:
            if store:
                for pool in pools.values():
                    pool.scores |= store.finished_scores(pool.question, pool.scores)
            found = [score for pool in pools.values() for score in pool.scores.values()]
            tally["stored"] = sum(score is not None for score in found)
            self._score(pools, store, tally, disable_tqdm=disable_tqdm)
        self._count("scores", tally)
        return [_scored_answer(pools[key].scores[text]) for key, text in places]

    def _score(
        self,
        pools: dict[str, _ScorePool],
        store: DrawStore | None,
        tally: _Tally,
        *,
        disable_tqdm: bool,
    ) -> None:
        """Score what the pools lack, and keep it at once."""
        missing = {
            key: tuple(text for text, score in pool.scores.items() if score is None)
            for key, pool in pools.items()
        }
        keys = [key for key, texts in missing.items() if texts]
        orders = [ScoreOrder(pools[key].conversation, missing[key]) for key in keys]
        for order in orders:
            self._check_conversation(order.conversation)
        if not orders:
            return
        found = self.backend.log_likelihoods(orders)  # loads the weights
        bar = tqdm(total=len(orders), desc="Scores", unit="question", disable=disable_tqdm)
        with bar, tally.timed():
            for position, scores in found:
                for text, score in zip(orders[position].continuations, scores, strict=True):
                    if store:
                        store.keep_score(pools[keys[position]].question, text, score)
                    pools[keys[position]].scores[text] = score
                    tally.update(made=1, tokens=score.tokens)
                bar.update()

    def verify(self, requests: list[Instance], disable_tqdm: bool = False) -> list[list[Verdict]]:
        """Let the verifier judge candidates, see `ambi_tasks.verification.VerifyInstance`.

        Returns:
            Per request its verdicts, aligned to its questions: a `Draw`, or the log-likelihoods of
            yes and of no; None where there was no question.
        """
        judge = self._verifier._judge  # noqa: SLF001 - an object of this class
        hidden = disable_tqdm or self.rank > 0
        return judge([request.args for request in requests], disable_tqdm=hidden)

    def _judge(
        self, asked: Sequence[tuple[Any, ...]], *, disable_tqdm: bool
    ) -> list[list[Verdict]]:
        """Answer questions about candidates: in words, or by the probabilities of two answers."""
        verdicts: list[list[Verdict]] = [[None] * len(questions) for questions, _, _ in asked]
        written: list[_Question] = []
        scored: list[_Question] = []
        for row, (questions, how, attachments) in enumerate(asked):
            for column, question in enumerate(questions):
                if question is not None:
                    one = (row, column, (question, how, attachments))
                    (scored if "answers" in how else written).append(one)
        pools: dict[str, _Pool] = {}
        if written:
            places = [_place(pools, arguments, 0) for _, _, arguments in written]
            texts = self._drawn("verdicts", pools, places, disable_tqdm=disable_tqdm)
            for (row, column, _), text in zip(written, texts, strict=True):
                verdicts[row][column] = text
        if scored:
            both = [
                (_conversation(arguments), answer)
                for _, _, arguments in scored
                for answer in arguments[1]["answers"]
            ]
            found = [value for value, _ in self._scored(both, disable_tqdm=disable_tqdm)]
            pairs = zip(found[::2], found[1::2], strict=True)
            for (row, column, _), pair in zip(scored, pairs, strict=True):
                verdicts[row][column] = pair
        return verdicts

    def transcribe(self, clips: Sequence[Clip]) -> list[str]:
        """Let the model write down what is said, for `alm_cascade`; kept between runs like draws.

        Args:
            clips: Each of them once.

        Returns:
            A transcript for each, empty where no word was understood.
        """
        asked = load_prompt("transcribe").render()
        decoding = {"max_gen_toks": _TRANSCRIPT_TOKENS}
        pools: dict[str, _Pool] = {}
        places = [_place(pools, (asked, decoding, {"audio": [one.mapping()]}), 0) for one in clips]
        texts = self._drawn("transcripts", pools, places, disable_tqdm=self.rank > 0)
        return [" ".join(text.split()) for text in texts]

    def all_gather(self, tensor: Any) -> Any:
        """The tensors of all processes, for the harness."""
        return self._processes.all_gather(tensor) if self._processes else tensor

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any] | None:
        """What each process has, for the harness; None but in the process `dst`."""
        return self._processes.gather_object(obj, dst) if self._processes else [obj]

    def barrier(self) -> None:
        """Wait for the other processes, as the harness asks after each kind of request.

        All are here then, so it is the place to add up what they counted.
        """
        if self._processes:
            self._processes.wait()
            for model in {id(one): one for one in (self, self._verifier)}.values():
                everyone = self._processes.gather_object(model._tallies)  # noqa: SLF001 - of this class
                if everyone:
                    model._totals = _added_up(everyone)  # noqa: SLF001

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Not offered: perplexity of a text says nothing about audio."""
        del requests
        raise UserError(f"{self.adapter}: perplexity of plain text is not offered.")

    def set_cache_hook(self, cache_hook: CacheHook) -> None:
        """Refuse `--use_cache`.

        Its key is the request alone: neither the model nor what the clip's file holds. It would
        report one model's answers as another's.
        """
        del cache_hook
        raise UserError(
            f"{self.adapter}: --use_cache is not offered, since the harness's cache does not tell "
            f"models or changed clips apart; leave it out."
        )

    def get_model_info(self) -> dict[str, Any]:
        """What the results record about the model."""
        counts = {kind: tally.record(kind) for kind, tally in self._totals.items() if tally}
        info = {"adapter": self.adapter, **self.backend.describe(), **counts}
        info["processes"] = self.world_size
        info["doctor"] = summary_of(self.backend.fingerprint())
        if self._verifier is not self:
            info["verifier"] = self._verifier.get_model_info()
        return info

    @property
    def tokenizer_name(self) -> str:
        """Fingerprint for the harness's cache of requests; they do not depend on the tokenizer."""
        return self.backend.model_name.replace("/", "__")

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Join the texts: the backend applies the model's template, since it places the audio."""
        del add_generation_prompt
        return "\n\n".join(message["content"] for message in chat_history)


def nested_model(
    adapter: str,
    backend: type[Backend],
    named: Mapping[str, Any],
    arguments: str | Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    *,
    keep_draws: bool = True,
) -> AudioLM:
    """Make a model that another one uses: a verifier, or a part of a cascade.

    Args:
        adapter: What messages and results call it.
        backend: Its class.
        named: Settings that follow from how it was named.
        arguments: Its own model_args: a mapping, or `name=value;name=value`.
        settings: Of the other one; what the harness gives every model (its `--device`, ...) holds
            for this one as well.
        keep_draws: See `AudioLM`.

    Raises:
        UserError: It has no such setting, or refuses its value.
    """
    given: dict[str, Any] = (
        dict(arguments)
        if isinstance(arguments, Mapping)
        else simple_parse_args_string(str(arguments or "").replace(";", ","))
    )
    known = inspect.signature(backend).parameters
    shared = {
        name: settings[name] for name in _HARNESS_SETTINGS if name in settings and name in known
    }
    kind = type(adapter, (AudioLM,), {"adapter": adapter, "backend_class": backend})
    made: AudioLM = kind(keep_draws=keep_draws, **(shared | dict(named) | given))
    return made


def _check_settings(adapter: str, backend: type[Backend], settings: dict[str, Any]) -> None:
    parameters = inspect.signature(backend).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    for name in settings:
        if name not in parameters:
            known = ", ".join(parameters)
            raise UserError(f"--model {adapter} has no model_args '{name}'; it takes: {known}.")


def _numbered(requests: Sequence[Instance]) -> list[tuple[Instance, int]]:
    """Number the repeats of each request; what the runner adds to fill a rank starts at 0 again."""
    seen: Counter[int] = Counter()
    numbered = []
    for request in requests:
        numbered.append((request, seen[id(request)] % (request.repeats or 1)))
        seen[id(request)] += 1
    return numbered


def _place(pools: dict[str, _Pool], arguments: Sequence[Any], number: int) -> tuple[str, int]:
    """Put a request into its pool.

    Returns:
        The pool's key and the draw's index there.
    """
    conversation, hashes = _conversation(arguments)
    decoding = read_decoding(arguments[1])
    several = decoding.do_sample or decoding.num_beams > 1
    index = number if several else 0  # greedy answers do not differ
    one = question(conversation, hashes, decoding)
    clip = hashes[0] if hashes else None
    pool = pools.setdefault(one.key, _Pool(one, conversation, decoding, clip))
    pool.wanted.add(index)
    return one.key, index


def _attachments(arguments: Sequence[Any]) -> Mapping[str, Any]:
    return arguments[2] if len(arguments) > 2 else {}  # noqa: PLR2004


def _conversation(arguments: Sequence[Any]) -> tuple[Conversation, list[str]]:
    """Read a request's (text, settings, {"audio": [...], "system": ...}).

    Returns:
        The conversation, and the hash of each of its clips.
    """
    attachments = _attachments(arguments)
    if strangers := sorted(set(attachments) - _ATTACHMENTS):
        raise UserError(f"These adapters take audio; a task gave '{strangers[0]}' as well.")
    clips = tuple(_clip(reference) for reference in attachments.get("audio", []))
    user = Turn("user", arguments[0], clips)
    system = attachments.get("system")
    turns = (Turn("system", system), user) if system else (user,)
    return turns, [_clip_sha256(clip) for clip in clips]


def _clip(reference: Any) -> Clip:
    try:
        return Clip.from_mapping(reference)
    except (TypeError, KeyError) as error:
        raise UserError(
            "These adapters take audio by reference, {'path': ..., 'start': ..., 'end': ...}; the "
            f"task gave {type(reference).__name__}."
        ) from error


@lru_cache(maxsize=100_000)
def _clip_sha256(clip: Clip) -> str:
    return clip_sha256(clip)


def question(
    conversation: Conversation, clip_hashes: Sequence[str], decoding: Decoding | None
) -> Question:
    """What is asked, by content: where the clip lies does not matter.

    Args:
        conversation: What the model is shown.
        clip_hashes: The hash of each of its clips.
        decoding: How the answer is drawn; None where given answers are scored.
    """
    content = {
        "turns": [[turn.role, turn.text, len(turn.clips)] for turn in conversation],
        "clips": list(clip_hashes),
        "decoding": None if decoding is None else decoding.changes(),
    }
    return Question(json.dumps(content, sort_keys=True))


def _take_finished(pools: dict[str, _Pool], store: DrawStore) -> None:
    for pool in pools.values():
        for index, answer in store.finished(pool.question, pool.wanted).items():
            pool.draws[index] = _draw(answer, index, pool)


def _scored_answer(score: Score | None) -> ScoredAnswer:
    assert score is not None
    return ScoredAnswer(score.log_likelihood, score.greedy, score.tokens)


def _draw(answer: Answer, index: int, pool: _Pool) -> Draw:
    return Draw(
        answer.text,
        draw_index=index,
        seed=pool.decoding.seed,
        log_likelihood=answer.log_likelihood,
        tokens=answer.tokens,
        finish_reason=answer.finish_reason,
        sampling_log_likelihood=answer.sampling_log_likelihood,
        clip_sha256=pool.clip_sha256,
    )
