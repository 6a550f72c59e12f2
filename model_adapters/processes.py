"""The processes of one run, as `accelerate launch` starts them; by default there is this one alone.

The harness gives each process every n-th document and gathers their results in the first one.
"""

import os
from typing import Any


def process_count() -> int:
    """How many processes were launched for this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """Which process of this machine it is, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


class Processes:
    """All processes of the run, of which this one joins the others when it is made.

    Attributes:
        rank: Which one this is, from 0.
        device: Where tensors must lie that are gathered.
    """

    def __init__(self) -> None:
        # Alone, a run needs neither of these libraries.
        import torch  # noqa: PLC0415
        from accelerate import Accelerator  # noqa: PLC0415

        # Where there is no accelerator it must be told, or it does not join the processes.
        self._accelerator = Accelerator(cpu=not torch.accelerator.is_available())
        self.rank: int = self._accelerator.process_index
        self.device: Any = self._accelerator.device

    def all_gather(self, tensor: Any) -> Any:
        """The tensors of all processes, one behind the other, in all of them."""
        return self._accelerator.gather(tensor)

    def gather_object(self, thing: Any, target: int = 0) -> list[Any] | None:
        """What each process has, in the order of their ranks.

        Args:
            thing: Anything that can be pickled.
            target: The process that gets them; the others get None.
        """
        import torch.distributed  # noqa: PLC0415

        found = [None] * process_count() if self.rank == target else None
        torch.distributed.gather_object(thing, found, target)
        return found

    def wait(self) -> None:
        """Wait for the others to come here as well."""
        self._accelerator.wait_for_everyone()
