"""The one model class of the harness: it turns requests into pools of draws and asks a backend.

Requests that ask the same (same sound, same words, same decoding) are one pool: the repeats of a
request are its draws 0, 1, 2, ..., and tasks that ask the same share them.
"""

import hashlib
import inspect
import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CacheHook
from lm_eval.utils import simple_parse_args_string
from tqdm import tqdm

from ambi_tasks.audio import Clip, clip_sha256
from ambi_tasks.errors import UserError
from model_adapters.backend import Answer, Backend, Conversation, Decoding, DrawOrder, Turn
from model_adapters.draw_store import DrawStore, store_path
from model_adapters.draws import Draw

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_HARNESS_DECODING = {"max_gen_toks": "max_new_tokens", "until": "stop"}
_DECODING_FIELDS = set(Decoding.__dataclass_fields__)


@dataclass(slots=True)
class _Pool:
    """Draws of one conversation under one decoding."""

    conversation: Conversation
    decoding: Decoding
    clip_sha256: str | None
    wanted: set[int] = field(default_factory=set)
    draws: dict[int, Draw] = field(default_factory=dict)


class AudioLM(LM):  # type: ignore[misc] # the harness is untyped
    """An audio-language model, as the harness sees it.

    Subclasses made by `harness.model_class` know their adapter; a backend that exists already is
    given to `AudioLM(backend)`.
    """

    MULTIMODAL = True
    adapter: ClassVar[str] = "custom"
    backend_class: ClassVar[type[Backend] | None] = None

    def __init__(
        self, backend: Backend | None = None, *, keep_draws: bool = True, **settings: Any
    ) -> None:
        """Make the backend, which does not load its weights yet.

        Args:
            backend: A backend that exists already; without it the adapter's is made.
            keep_draws: Keep finished draws between runs, where the backend has a fingerprint.
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
        self._draws = Counter[str]()

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
        pools: dict[str, _Pool] = {}
        numbered = tqdm(_numbered(requests), desc="Requests", leave=False, disable=disable_tqdm)
        places = [_place(pools, request, number) for request, number in numbered]  # hashes clips
        self._fill(pools, disable_tqdm=disable_tqdm)
        return [pools[key].draws[index] for key, index in places]

    def _fill(self, pools: dict[str, _Pool], *, disable_tqdm: bool) -> None:
        store = self._open_store()
        if store:
            _take_finished(pools, store)
        orders = [
            DrawOrder(pool.conversation, pool.decoding, tuple(sorted(missing)), key)
            for key, pool in pools.items()
            if (missing := pool.wanted - set(pool.draws))
        ]
        wanted = sum(len(pool.wanted) for pool in pools.values())
        missing_draws = sum(len(order.indices) for order in orders)
        self._draws.update(asked=wanted, stored=wanted - missing_draws, drawn=missing_draws)
        if missing_draws < wanted:
            stored = wanted - missing_draws
            _log.info("%s: %d of %d draws were kept by earlier runs.", self.adapter, stored, wanted)
        self._check_capabilities(orders)
        if orders:
            self._draw(orders, pools, store, disable_tqdm=disable_tqdm)
        if store:
            store.close()

    def _draw(
        self,
        orders: Sequence[DrawOrder],
        pools: dict[str, _Pool],
        store: DrawStore | None,
        *,
        disable_tqdm: bool,
    ) -> None:
        total = sum(len(order.indices) for order in orders)
        draws = self.backend.draw(orders)  # loads the weights, with a bar of its own
        with tqdm(total=total, desc="Draws", unit="draw", disable=disable_tqdm) as bar:
            for position, index, answer in draws:
                key = orders[position].key
                if store:
                    store.keep(key, index, answer)
                pools[key].draws[index] = _draw(answer, index, pools[key])
                bar.update()

    def _open_store(self) -> DrawStore | None:
        fingerprint = self.backend.fingerprint() if self._keep_draws else None
        if fingerprint is None:
            return None
        try:
            return DrawStore(store_path(), fingerprint)
        except OSError as error:
            raise UserError(
                f"Draws cannot be kept at {store_path()} ({error.strerror}); set AMBI_CACHE to a "
                f"folder that can be written, or switch it off by --model_args keep_draws=False."
            ) from error

    def _check_capabilities(self, orders: Sequence[DrawOrder]) -> None:
        can = self.backend.capabilities
        for order in orders:
            clips = sum(len(turn.clips) for turn in order.conversation)
            if can.clips is not None and clips > can.clips:
                raise UserError(f"{self.adapter}: at most {can.clips} clip(s) per question.")
            if order.conversation[0].role == "system" and not can.system_turn:
                raise UserError(f"{self.adapter}: this model takes no --system_instruction.")
            if order.decoding.do_sample and not can.sampling:
                raise UserError(f"{self.adapter}: this model does not sample.")

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Score given continuations, see `Backend.log_likelihood`."""
        return [
            self.backend.log_likelihood(_conversation(request)[0], [request.args[1]])[0]
            for request in tqdm(requests, desc="Scores", unit="score", disable=disable_tqdm)
        ]

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
        return {"adapter": self.adapter, **self.backend.describe(), "draws": dict(self._draws)}

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


def _place(pools: dict[str, _Pool], request: Instance, number: int) -> tuple[str, int]:
    """Put a request into its pool.

    Returns:
        The pool's key and the draw's index there.
    """
    conversation, hashes = _conversation(request)
    decoding = _decoding(request.args[1])
    index = number if decoding.do_sample else 0  # greedy answers do not differ
    key = _key(conversation, hashes, decoding)
    pool = pools.setdefault(key, _Pool(conversation, decoding, hashes[0] if hashes else None))
    pool.wanted.add(index)
    return key, index


def _conversation(request: Instance) -> tuple[Conversation, list[str]]:
    """Read a request's (text, settings, {"audio": [...], "system": ...}).

    Returns:
        The conversation, and the hash of each of its clips.
    """
    attachments = request.args[2] if len(request.args) > 2 else {}  # noqa: PLR2004
    if strangers := sorted(set(attachments) - {"audio", "system"}):
        raise UserError(f"These adapters take audio; a task gave '{strangers[0]}' as well.")
    clips = tuple(_clip(reference) for reference in attachments.get("audio", []))
    user = Turn("user", request.args[0], clips)
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


def _decoding(settings: dict[str, Any]) -> Decoding:
    """Read the harness's generation settings.

    Raises:
        UserError: A setting is unknown or out of its range.
    """
    named = {_HARNESS_DECODING.get(name, name): value for name, value in settings.items()}
    if unknown := sorted(set(named) - _DECODING_FIELDS):
        known = sorted(_DECODING_FIELDS - {"max_new_tokens", "stop"} | set(_HARNESS_DECODING))
        raise UserError(
            f"--gen_kwargs has no '{unknown[0]}' for these adapters; it has: {', '.join(known)}."
        )
    checked = {name: _checked(name, value) for name, value in named.items()}
    if checked.get("temperature") == 0:
        checked |= {"do_sample": False}
    if not checked.get("do_sample"):  # what shapes samples alone must not split greedy pools
        checked = {name: checked[name] for name in ("max_new_tokens", "stop") if name in checked}
    return Decoding(**checked)


def _checked(name: str, value: Any) -> Any:
    """Bring a setting to its type, so that 1 and 1.0 are the same pool of draws.

    Raises:
        UserError: It is of another type, or out of its range.
    """
    if name == "stop":
        strings = [value] if isinstance(value, str) else value or []
        if not (isinstance(strings, (list, tuple)) and all(isinstance(s, str) for s in strings)):
            raise UserError(
                f"--gen_kwargs until must be a string or a list of them, not {value!r}."
            )
        return tuple(strings)
    if name == "do_sample":
        if not isinstance(value, bool):
            raise UserError(f"--gen_kwargs do_sample must be True or False, not {value!r}.")
        return value
    kind, holds, wanted = _RANGES[name]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and kind(value) == value and holds(value)):
        shown = {ours: theirs for theirs, ours in _HARNESS_DECODING.items()}.get(name, name)
        raise UserError(f"--gen_kwargs {shown} must be {wanted}, not {value!r}.")
    return kind(value)


_RANGES: dict[str, tuple[type, Callable[[float], bool], str]] = {
    "temperature": (float, lambda x: x >= 0, "a number, 0 for greedy answers"),
    "top_p": (float, lambda x: 0 < x <= 1, "a number in (0, 1]"),
    "top_k": (int, lambda x: x >= 0, "a whole number, 0 for all"),
    "min_p": (float, lambda x: 0 <= x < 1, "a number in [0, 1)"),
    "max_new_tokens": (int, lambda x: x >= 1, "a whole number above 0"),
    "seed": (int, lambda _: True, "a whole number"),
}


def _key(conversation: Conversation, clip_hashes: Sequence[str], decoding: Decoding) -> str:
    """Hash what is asked, by content: where the clip lies does not matter."""
    content = {
        "turns": [[turn.role, turn.text, len(turn.clips)] for turn in conversation],
        "clips": list(clip_hashes),
        "decoding": asdict(decoding),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _take_finished(pools: dict[str, _Pool], store: DrawStore) -> None:
    for key, pool in pools.items():
        for index, answer in store.finished(key, pool.wanted).items():
            pool.draws[index] = _draw(answer, index, pool)


def _draw(answer: Answer, index: int, pool: _Pool) -> Draw:
    return Draw(
        answer.text,
        draw_index=index,
        seed=pool.decoding.seed,
        log_likelihood=answer.log_likelihood,
        tokens=answer.tokens,
        finish_reason=answer.finish_reason,
        clip_sha256=pool.clip_sha256,
    )
