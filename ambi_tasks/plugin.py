"""How an unmodified `lm_eval` finds the tasks and models, with no flag.

lm-eval 0.4.13 discovers no plug-ins. The wheel therefore holds `ambi_tasks_plugin.pth`, a line that
every interpreter of the environment runs at its start. It imports nothing: it puts a finder in
front of `sys.meta_path` that waits for two modules of the harness and then calls `find_spec` below.
When the harness's model registry is imported, our names are registered; when its task manager is,
our folder joins the paths that are searched. `AMBI_TASKS_PLUGIN=0` switches it off. `install` does
the same from within a program, and `python -m ambi_tasks` for the command line.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from ambi_tasks.errors import UserError


def tasks_path() -> str:
    """The folder of our task files, for `lm_eval --include_path`."""
    return str(Path(__file__).parent / "tasks")


class _Finder:
    """What `install` puts in front of `sys.meta_path`."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        """See the function `find_spec`."""
        del target
        return find_spec(name, path)


def install() -> None:
    """Set the hooks up in this interpreter; call it before the harness is imported."""
    hooked = [getattr(finder, "__name__", "") for finder in sys.meta_path]
    if not {"AmbiTasksHook", _Finder.__name__} & set(hooked):
        sys.meta_path.insert(0, _Finder)


def find_spec(name: str, path: Sequence[str] | None = None) -> ModuleSpec | None:
    """Find one of the harness's two modules, with our hook behind its execution.

    Args:
        name: `lm_eval.models` or `lm_eval.tasks.manager`; others are not ours to find.
        path: The parent package's search path.
    """
    hook = _HOOKS.get(name)
    spec = PathFinder.find_spec(name, path) if hook else None
    if hook and spec is not None and spec.loader is not None:
        _run_after(spec.loader, hook)
    return spec


def _run_after(loader: Any, hook: Callable[[ModuleType], None]) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        try:
            hook(module)
        except Exception as error:
            sys.stderr.write(f"ambi_tasks: the plug-in could not be set up ({error!r}).\n")

    loader.exec_module = exec_module


def register_models(models: ModuleType) -> None:
    """Register every adapter with the harness, by a name that is resolved when it is asked for."""
    del models
    # The harness is imported by its user alone, never by the start-up hook.
    from lm_eval.api.registry import model_registry  # noqa: PLC0415

    from model_adapters.registry import adapter_names  # noqa: PLC0415

    for name in adapter_names():
        if name not in model_registry:  # a harness that reads our entry points was here first
            model_registry.register(name, target=f"model_adapters.harness:{name}")


def add_tasks(manager: ModuleType) -> None:
    """Let the harness's task manager search our folder, before the user's own paths."""
    initialise = manager.TaskManager.__init__
    signature = inspect.signature(initialise)

    @functools.wraps(initialise)
    def extended(*args: Any, **kwargs: Any) -> None:
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        given = call.arguments["include_path"] or []
        paths = list(given) if isinstance(given, (list, tuple)) else [given]
        if call.arguments["include_defaults"] and tasks_path() not in map(str, paths):
            call.arguments["include_path"] = [tasks_path(), *paths]
        initialise(*call.args, **call.kwargs)

    manager.TaskManager.__init__ = extended
    _explain_user_errors()


def _explain_user_errors() -> None:
    """Show a user's mistake as one sentence; `AMBI_TRACEBACK=1` shows the traceback instead."""
    show = sys.excepthook

    def explain(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, UserError) and os.environ.get("AMBI_TRACEBACK", "0") == "0":
            sys.stderr.write(f"error: {error}\n")
        else:
            show(kind, error, traceback)

    sys.excepthook = explain


_HOOKS = {"lm_eval.models": register_models, "lm_eval.tasks.manager": add_tasks}
