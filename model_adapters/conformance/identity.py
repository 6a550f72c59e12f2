"""What an adapter says of itself and of its model."""

import json
import os
import re

from model_adapters.backend import Capabilities
from model_adapters.conformance.check import NonconformingError, check, require
from model_adapters.conformance.subject import GREEDY, Subject, is_sentence

_HARNESS = ("batch_size", "max_batch_size", "device")
_SECRET_NAME = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"\bsk-[\w-]{16,}|\bBearer\s+\S{8,}|\bhf_\w{16,}|\bAIza[\w-]{20,}")
_SHORTEST_SECRET = 8


@check()
def constructor_takes_the_harness_s_settings(subject: Subject) -> None:
    """Keyword arguments alone, `batch_size`, `max_batch_size` and `device` among them."""
    parameters = subject.parameters.values()
    positional = [
        one.name for one in parameters if one.kind not in (one.KEYWORD_ONLY, one.VAR_KEYWORD)
    ]
    require(not positional, f"The constructor's arguments are by keyword; not {positional}.")
    anything = any(one.kind is one.VAR_KEYWORD for one in parameters)
    missing = [name for name in _HARNESS if name not in subject.parameters and not anything]
    require(not missing, f"The harness also gives {missing}, which the constructor does not take.")


@check()
def unknown_settings_are_refused(subject: Subject) -> None:
    """A misspelt argument ends in a sentence that names it."""
    said = subject.refusal(lambda: subject.make(no_such_setting=1))
    require(said is not None, "An argument that does not exist was accepted: a slip would be lost.")
    require(is_sentence(said), f"The refusal is not one sentence: {said!r}.")
    require("no_such_setting" in str(said), f"The refusal does not name the argument: {said!r}.")


@check()
def model_name_is_stable(subject: Subject) -> None:
    """One line, the same of every instance, before and after draws."""
    names = {subject.make().backend.model_name, subject.backend.model_name}
    subject.draw(subject.orders(GREEDY, clips=subject.clips[:1]))
    names.add(subject.backend.model_name)
    require(len(names) == 1, f"The model's name changes: {sorted(names)}.")
    (name,) = names
    require(name.strip() and "\n" not in name, f"{name!r} is no name.")


@check()
def fingerprint_is_stable(subject: Subject) -> None:
    """The same of every instance, whatever the batch size, before and after draws; or None."""
    prints = {
        subject.make().backend.fingerprint(),
        subject.make(batch_size=1).backend.fingerprint(),
    }
    prints.add(subject.backend.fingerprint())
    subject.draw(subject.orders(GREEDY, clips=subject.clips[:1]))
    prints.add(subject.backend.fingerprint())
    require(
        len(prints) == 1,
        f"The fingerprint changes ({sorted(map(str, prints))}): kept draws would not be found.",
    )
    (found,) = prints
    require(found is None or (isinstance(found, str) and found), f"{found!r} is no fingerprint.")
    plain = found is None or re.fullmatch(r"[\w.-]{1,200}", found)
    require(plain, f"A fingerprint names a file, so {found!r} must be letters and digits.")


@check()
def description_is_json(subject: Subject) -> None:
    """`describe()` can be written into the results, and names the model."""
    for when in ("before", "after"):
        described = subject.backend.describe()
        try:
            read = json.loads(json.dumps(described, allow_nan=False))
        except (TypeError, ValueError) as error:
            sentence = f"describe() {when} a draw is not JSON ({error})."
            raise NonconformingError(sentence) from error
        require(
            read.get("model_name") == subject.backend.model_name,
            f"describe() {when} a draw gives another model_name: {read.get('model_name')!r}.",
        )
        subject.draw(subject.orders(GREEDY, clips=subject.clips[:1]))


@check()
def nothing_secret_is_told(subject: Subject) -> None:
    """Neither name nor description holds a key, from the arguments or from the environment."""
    subject.draw(subject.orders(GREEDY, clips=subject.clips[:1]))
    backend = subject.backend
    told = json.dumps(backend.describe(), default=str) + backend.model_name
    given = {**os.environ, **{name: str(value) for name, value in subject.model_args.items()}}
    leaked = [
        name
        for name, value in given.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET and value in told
    ]
    require(not leaked, f"describe() tells the value of {', '.join(leaked)}.")
    require(not _SECRET_TEXT.search(told), "describe() holds what looks like a key.")


@check()
def capabilities_are_data(subject: Subject) -> None:
    """They are a `Capabilities`, and the same before and after draws."""
    before = subject.make().backend.capabilities
    require(isinstance(before, Capabilities), f"capabilities are {type(before).__name__}.")
    subject.draw(subject.orders(GREEDY, clips=subject.clips[:1]))
    after = subject.backend.capabilities
    require(before == after, f"The capabilities change: {before}, then {after}.")
