"""Adapters by name: ours, and those of other packages by entry point or decorator."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TypeVar

from ambi_tasks.errors import UserError, nearest
from model_adapters.backend import Backend

ENTRY_POINT_GROUP = "ambi_tasks.adapters"

_ADAPTERS: dict[str, type[Backend]] = {}
_BackendType = TypeVar("_BackendType", bound=type[Backend])


def register_adapter(name: str) -> Callable[[_BackendType], _BackendType]:
    """Make a backend class known under the name that follows `--model`.

    A package that is to be found without being imported declares the same name as an entry point of
    the group `ambi_tasks.adapters`.
    """

    def register(backend: _BackendType) -> _BackendType:
        _ADAPTERS[name] = backend
        return backend

    return register


def adapter_names() -> list[str]:
    """All names, without importing an adapter."""
    return sorted({*_ADAPTERS, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})


def get_adapter(name: str) -> type[Backend]:
    """Look an adapter up and import it.

    Raises:
        UserError: There is none of that name, or it is no `Backend`.
    """
    if name in _ADAPTERS:
        return _ADAPTERS[name]
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            backend = point.load()
            if not (isinstance(backend, type) and issubclass(backend, Backend)):
                raise UserError(f"The adapter '{name}' ({point.value}) is no subclass of Backend.")
            return _ADAPTERS.setdefault(name, backend)
    raise UserError(f"There is no adapter '{name}'; {nearest(name, adapter_names())}")
