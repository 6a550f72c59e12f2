"""The harness's generation settings (`--gen_kwargs`, a task's YAML) -> a `Decoding`, checked."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from ambi_tasks.errors import UserError
from model_adapters.backend import Decoding

_HARNESS_NAMES = {"max_gen_toks": "max_new_tokens", "until": "stop"}
_FIELDS = set(Decoding.__dataclass_fields__)


def read_decoding(settings: Mapping[str, Any]) -> Decoding:
    """Read the harness's generation settings.

    Raises:
        UserError: A setting is unknown or out of its range.
    """
    named = {_HARNESS_NAMES.get(name, name): value for name, value in settings.items()}
    if unknown := sorted(set(named) - _FIELDS):
        known = sorted(_FIELDS - {"max_new_tokens", "stop"} | set(_HARNESS_NAMES))
        raise UserError(
            f"--gen_kwargs has no '{unknown[0]}' for these adapters; it has: {', '.join(known)}."
        )
    checked = {name: _checked(name, value) for name, value in named.items()}
    if checked.get("temperature") == 0:
        checked |= {"do_sample": False}
    if not checked.get("do_sample"):  # what shapes samples alone must not split greedy pools
        kept = ("max_new_tokens", "stop", "num_beams", "repetition_penalty")
        checked = {name: checked[name] for name in kept if name in checked}
    elif checked.get("num_beams", 1) > 1:
        raise UserError("--gen_kwargs: beams (num_beams above 1) are not sampled (do_sample).")
    if checked.get("num_beams", 1) > 1 and any(checked.get("stop", ())):
        raise UserError("--gen_kwargs: beams (num_beams above 1) do not end at strings (until).")
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
        shown = {ours: theirs for theirs, ours in _HARNESS_NAMES.items()}.get(name, name)
        raise UserError(f"--gen_kwargs {shown} must be {wanted}, not {value!r}.")
    return kind(value)


_RANGES: dict[str, tuple[type, Callable[[float], bool], str]] = {
    "temperature": (float, lambda x: x >= 0, "a number, 0 for greedy answers"),
    "top_p": (float, lambda x: 0 < x <= 1, "a number in (0, 1]"),
    "top_k": (int, lambda x: x >= 0, "a whole number, 0 for all"),
    "min_p": (float, lambda x: 0 <= x < 1, "a number in [0, 1)"),
    "repetition_penalty": (float, lambda x: x > 0, "a number above 0, 1 for none"),
    "max_new_tokens": (int, lambda x: x >= 1, "a whole number above 0"),
    "num_beams": (int, lambda x: x >= 1, "a whole number above 0"),
    "seed": (int, lambda _: True, "a whole number"),
}
