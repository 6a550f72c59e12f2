"""What a corpus is: where it lies, how it is read, and by which rule its votes become labels."""

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError, nearest
from ambi_tasks.labels import LabelRule, Vote

ENTRY_POINT_GROUP = "ambi_tasks.corpora"

_OTHER = "other"  # the class of votes outside the others; a corpus need not have the word


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance as its corpus has it.

    Attributes:
        id: The corpus's own name of it.
        clip: Its sound.
        votes: One entry per annotator, without the speaker's report on themself.
        speaker: Who speaks; utterances of one speaker are not independent.
        attributes: What else the corpus says and a breakdown may want, the same names throughout.
        transcript: The words, where the corpus ships them. The corpora's licences forbid to hand
            them on: they are in no document, index, log or result.
    """

    id: str
    clip: Clip
    votes: tuple[Vote, ...]
    speaker: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    transcript: str = field(default="", repr=False)  # not printed, lest a message hold it


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus and how to read it.

    Attributes:
        name: Short name, as in task names and in `<name>_root`.
        title: Name for people.
        source: One clause: where to get it.
        licence: Its licence, in a few words.
        label_rule: The default rule from votes to classes.
        read: Yields the utterances under a root folder, with the options as keyword arguments;
            raises UserError with file and line.
        options: What the user may choose by `--metadata` (part, modality, table, ...): the values
            of each option, the default first.
        presets: Named label rules beside the default one, each of a publication.
        label_files: The files under a root that `read` reads; where their sizes and times are as
            before, an index that was built from them is used again. None for no index.
        expected_utterances: How many a complete copy holds by the default options, None where that
            depends on the release.
        release_sizes: Of releases whose size is known, where it depends on the release: how many
            utterances there are by the default options, the latest release last.
        known_faults: Faults of the release itself, in every copy: a kind of
            `ambi_tasks.corpus_check` -> the utterances of each case.
        bundled_root: Where the corpus lies if it comes with the package, else None.
        open_licence: Whether anybody may have the votes, and read what a model says of a clip.
        vocabulary: The corpus's own words for emotions, as its votes have them; a label rule that
            the user gives may use no other. Empty where they are not known, so that nothing is
            checked.
    """

    name: str
    title: str
    source: str
    licence: str
    label_rule: LabelRule
    read: Callable[..., Iterator[Utterance]]
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    presets: Mapping[str, LabelRule] = field(default_factory=dict)
    label_files: Callable[[Path], list[Path]] | None = None
    expected_utterances: int | None = None
    release_sizes: Mapping[str, int] = field(default_factory=dict)
    known_faults: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    bundled_root: Path | None = None
    open_licence: bool = False
    vocabulary: tuple[str, ...] = ()

    @property
    def root_variable(self) -> str:
        """The environment variable that names the user's copy."""
        return f"{self.name.upper()}_ROOT"

    @property
    def silent(self) -> frozenset[str]:
        """Utterances without sound in every copy: nothing can be heard in them, so none counts."""
        return frozenset(name for names in self.known_faults.get("silent", ()) for name in names)

    @property
    def typical_utterances(self) -> int | None:
        """How many utterances to reckon with by the default options; None where nobody knows."""
        latest = list(self.release_sizes.values())[-1:]
        return self.expected_utterances or (latest[0] if latest else None)

    def root(self, metadata: Mapping[str, Any]) -> Path:
        """Find the user's copy.

        Args:
            metadata: The run's `--metadata`; its `<name>_root` goes before the environment.

        Raises:
            UserError: It is not named, or not a folder.
        """
        option = f"{self.name}_root"
        named = self._named_root(metadata)
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

    def has_copy(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a copy is named, or comes with the package; it need not be where it should."""
        return self.bundled_root is not None or bool(self._named_root(metadata))

    def _named_root(self, metadata: Mapping[str, Any]) -> Any:
        return metadata.get(f"{self.name}_root") or os.environ.get(self.root_variable)

    def chosen_options(self, metadata: Mapping[str, Any]) -> dict[str, str]:
        """The options as the run's `--metadata` choose them.

        Raises:
            UserError: A value is none of the option's.
        """
        chosen = {name: str(metadata.get(name, values[0])) for name, values in self.options.items()}
        for name, value in chosen.items():
            if value not in self.options[name]:
                known = ", ".join(self.options[name])
                raise UserError(
                    f"--metadata {name} for {self.title} is one of {known}; not '{value}'."
                )
        return chosen

    def chosen_rule(self, metadata: Mapping[str, Any]) -> LabelRule:
        """The label rule as the run's `--metadata` choose it.

        Args:
            metadata: Its `label_rule` is the name of a preset, or a mapping of the fields that
                differ; a `preset` among them says from which.

        Raises:
            UserError: There is no such preset or field, a field is of the wrong type, the fields
                contradict each other, or they use a word that the corpus does not.
        """
        asked = metadata.get("label_rule", "default")
        changes = dict(asked) if isinstance(asked, Mapping) else {"preset": asked}
        rules = {"default": self.label_rule, **self.presets}
        preset = str(changes.pop("preset", "default"))
        if preset not in rules:
            raise UserError(
                f"There is no label_rule '{preset}' for {self.title}; "
                f"there are: {', '.join(rules)}."
            )
        known = [one.name for one in fields(LabelRule)]
        if strangers := sorted(set(changes) - set(known)):
            raise UserError(
                f"A label_rule has no field '{strangers[0]}'; it has: {', '.join(known)}."
            )
        if isinstance(changes.get("classes"), list):
            changes["classes"] = tuple(changes["classes"])
        rule = LabelRule(**(asdict(rules[preset]) | changes))
        if changes:  # the corpus's own rules may be of a wider vocabulary than is declared
            self._check_words(rule)
        return rule

    def _check_words(self, rule: LabelRule) -> None:
        """Refuse words that no vote has: a mistyped class would get no votes, and a score."""
        made = {_OTHER, *rule.merge.values()}
        used = [*rule.merge, *(name for name in rule.classes if name not in made)]
        strangers = [word for word in used if word not in self.vocabulary]
        if self.vocabulary and strangers:
            raise UserError(
                f"The label_rule names '{strangers[0]}', but there is no '{strangers[0]}' in "
                f"{self.title}; {nearest(strangers[0], self.vocabulary)}"
            )


@cache
def _modules() -> tuple[ModuleType, ...]:
    package = importlib.import_module("ambi_tasks.corpora")
    return tuple(
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    )


@cache
def all_corpora() -> dict[str, Corpus]:
    """Every corpus by name.

    They are the modules of this package that hold a `CORPUS`, and the entry points of the group
    `ambi_tasks.corpora` of other packages.
    """
    found = [module.CORPUS for module in _modules() if hasattr(module, "CORPUS")]
    found += [point.load() for point in entry_points(group=ENTRY_POINT_GROUP)]
    return {corpus.name: corpus for corpus in found}


def get_corpus(name: str, metadata: Mapping[str, Any] | None = None) -> Corpus:
    """Look a corpus up.

    Args:
        name: Its name; or that of a module whose function `corpus_for` makes one of the metadata.
        metadata: The run's `--metadata`.

    Raises:
        UserError: There is none of that name.
    """
    for module in _modules():
        if module.__name__.endswith(f".{name}") and hasattr(module, "corpus_for"):
            made: Corpus = module.corpus_for(metadata or {})
            return made
    corpora = all_corpora()
    if name not in corpora:
        raise UserError(f"There is no corpus '{name}'; {nearest(name, corpora)}")
    return corpora[name]
