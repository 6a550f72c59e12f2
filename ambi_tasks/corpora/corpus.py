"""What a corpus is: where it lies, how it is read, and by which rule its votes become labels."""

import difflib
import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, Vote


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance as its corpus has it.

    Attributes:
        id: The corpus's own name of it.
        clip: Its sound.
        votes: One entry per annotator, without the speaker's report on themself.
        speaker: Who speaks; draws of one speaker are not independent.
    """

    id: str
    clip: Clip
    votes: tuple[Vote, ...]
    speaker: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus and how to read it.

    Attributes:
        name: Short name, as in task names and in `<name>_root`.
        title: Name for people.
        source: One clause: where to get it.
        licence: Its licence, in a few words.
        label_rule: The default rule from votes to classes.
        read: Yields the utterances under a root folder; raises UserError with file and line.
        bundled_root: Where the corpus lies if it comes with the package, else None.
    """

    name: str
    title: str
    source: str
    licence: str
    label_rule: LabelRule
    read: Callable[[Path], Iterator[Utterance]]
    bundled_root: Path | None = None

    @property
    def root_variable(self) -> str:
        """The environment variable that names the user's copy."""
        return f"{self.name.upper()}_ROOT"

    def root(self, metadata: Mapping[str, Any]) -> Path:
        """Find the user's copy.

        Args:
            metadata: The run's `--metadata`; its `<name>_root` goes before the environment.

        Raises:
            UserError: It is not named, or not a folder.
        """
        option = f"{self.name}_root"
        named = metadata.get(option) or os.environ.get(self.root_variable)
        if not named:
            if self.bundled_root is not None:
                return self.bundled_root
            raise UserError(
                f"{self.title} was not found: set {self.root_variable} (or --metadata "
                f'\'{{"{option}": "..."}}\') to the folder of your copy; {self.source}.'
            )
        root = Path(str(named)).expanduser()
        if not root.is_dir():
            raise UserError(
                f"{self.title} was not found: {root} ({self.root_variable} or {option}) "
                f"is not a folder; {self.source}."
            )
        return root


@cache
def all_corpora() -> dict[str, Corpus]:
    """Every corpus by name: each module of this package that holds a `CORPUS`."""
    package = importlib.import_module("ambi_tasks.corpora")
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    found = [module.CORPUS for module in modules if hasattr(module, "CORPUS")]
    return {corpus.name: corpus for corpus in found}


def get_corpus(name: str) -> Corpus:
    """Look a corpus up.

    Raises:
        UserError: There is none of that name.
    """
    corpora = all_corpora()
    if name not in corpora:
        near = difflib.get_close_matches(name, corpora, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(sorted(corpora))}."
        raise UserError(f"There is no corpus '{name}'; {hint}")
    return corpora[name]
