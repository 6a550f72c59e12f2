"""What the tasks of one run will ask of their model, known before the first answer is paid for.

The runner asks for one kind of request after the other, and tells a model nothing of those that
come later. So the tasks of a run share one object, and their draws refer to it: when the first of
them reaches a model, all tasks have said what they need.
"""

from typing import ClassVar, Literal

from lm_eval.api.instance import Instance

Need = Literal["read_out", "verdict"]
"""Log-likelihoods of given answers: of the labels by the model, of yes and no by its verifier."""


class RunNeeds:
    """The needs of the tasks of one run, which are made one after the other, and then built.

    Attributes:
        stated: By the tasks whose requests are built, by their `id`.
    """

    _latest: ClassVar["RunNeeds | None"] = None

    def __init__(self) -> None:
        self.stated: dict[int, Need | None] = {}

    @classmethod
    def join(cls) -> "RunNeeds":
        """Those of a task that is being made: shared with the tasks that were made before it.

        Once requests have been built, the next task to be made is of another run.
        """
        if cls._latest is None or cls._latest.stated:
            cls._latest = cls()
        return cls._latest

    def state(self, task: object, need: Need | None) -> None:
        """Say what a task needs whose requests are being built."""
        if id(task) in self.stated:  # the same tasks again: another run
            self.stated.clear()
        self.stated[id(task)] = need

    def __contains__(self, need: Need) -> bool:
        return need in self.stated.values()

    def __reduce__(self) -> tuple[type["RunNeeds"], tuple[()]]:
        return RunNeeds, ()  # what `--cache_requests` keeps says nothing of the next run


class DrawInstance(Instance):  # type: ignore[misc] # the harness is untyped
    """A request for draws.

    Attributes:
        needs: Of the run that it is part of.
    """

    needs: RunNeeds
