"""The labelled utterances of a corpus, built once and then opened from disk.

Reading and labelling 200,000 utterances takes a while, and a run of eight tasks would do it eight
times. The result is kept under `AMBI_CACHE` as an Arrow file that is mapped, not loaded. Its name
is a hash of everything that it depends on: the label files' sizes and times, the options, the label
rule and the code that read them. So an index is never out of date, only unused; but for the audio,
which may have moved, and then the index is built again in its place.
"""

import hashlib
import inspect
import json
import logging
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.arrow_writer import ArrowWriter
from tqdm import tqdm

import ambi_tasks.corpora
import ambi_tasks.labels
from ambi_tasks.cache import cache_root
from ambi_tasks.corpora import Corpus, Utterance
from ambi_tasks.corpora.reader_warnings import reader_warnings
from ambi_tasks.errors import UserError
from ambi_tasks.labels import (
    KNOWN_SILENT,
    DropReason,
    LabelRule,
    entropy_bits,
    soft_label,
    strata,
)

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_ROWS, _SUMMARY, _BUILDING = "rows", "summary.json", ".building-"
_LEFTOVER_AGE_S = 24 * 3600  # no build takes so long: its process ended before it


@dataclass(frozen=True, slots=True)
class LabelIndex:
    """The utterances of a corpus that have a soft label.

    Attributes:
        rows: One row per utterance, see `documents.Selection.documents`.
        dropped: Utterances that are no document, by reason: those of `labels.DropReason`, and
            `known_silent` for the clips that hold no sound in every copy of the corpus.
        manifest_sha256: See `documents.Selection`, of all rows.
        notes: What the reader left out of the labels, in sentences.
    """

    rows: datasets.Dataset
    dropped: dict[str, int]
    manifest_sha256: str
    notes: tuple[str, ...] = ()


def cache_folder() -> Path:
    """Where indexes lie."""
    return cache_root() / "indexes"


def label_index(
    corpus: Corpus, root: Path, options: Mapping[str, str], rule: LabelRule
) -> LabelIndex:
    """Open the index of a corpus, after building it if need be, and tell its notes.

    Args:
        corpus: What to read.
        root: Where it lies.
        options: What of it.
        rule: How votes become labels.

    Raises:
        UserError: A label file is missing or malformed, or the index cannot be written.
    """
    index = _index(corpus, root, options, rule)
    for note in index.notes:  # the reader is asked once, but every run should know
        _log.warning("%s", note)
    return index


def _index(corpus: Corpus, root: Path, options: Mapping[str, str], rule: LabelRule) -> LabelIndex:
    if corpus.label_files is None:
        with tempfile.TemporaryDirectory() as folder:
            return _open(
                _build(corpus, root, options, rule, Path(folder) / "index"), in_memory=True
            )
    path = cache_folder() / f"{corpus.name}-{_identity(corpus, root, options, rule)}"
    index = _kept(path)
    if index is not None and not _audio_moved(index, root):
        return index
    with _building_folder(path.parent) as folder:
        built = _build(corpus, root, options, rule, folder / "index")
        with _cache_faults():
            if index is not None:
                with suppress(FileNotFoundError):  # another process did
                    path.rename(folder / "before")
            _put(built, path)
    return _open(path)


def _kept(path: Path) -> LabelIndex | None:
    """Open an index, if it is there; one that cannot be read is set aside."""
    with _cache_faults():
        if not path.is_dir():
            return None
    try:
        return _open(path)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        aside = path.with_name(f"{path.name}.broken-{os.getpid()}")
        with _cache_faults():
            path.rename(aside)
        _log.warning("The index %s cannot be read (%s); it is built again.", aside, error)
        return None


def _audio_moved(index: LabelIndex, root: Path) -> bool:
    """Whether the audio's folder is gone, perhaps for one of another name in the same corpus."""
    if not len(index.rows) or not root.is_dir():
        return False
    return not Path(index.rows[0]["audio"]["path"]).parent.is_dir()


def _put(built: Path, path: Path) -> None:
    try:
        built.rename(path)
    except OSError:  # another process was first; its index is the same
        if not path.is_dir():
            raise


@contextmanager
def _building_folder(parent: Path) -> Iterator[Path]:
    """A folder beside the indexes that is removed in the end; what others left there goes too."""
    with ExitStack() as stack:
        with _cache_faults():
            parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(parent)
            temporary = tempfile.TemporaryDirectory(dir=parent, prefix=_BUILDING)
            folder = stack.enter_context(temporary)
        yield Path(folder)


def _remove_leftovers(parent: Path) -> None:
    for leftover in parent.glob(f"{_BUILDING}*"):
        with suppress(FileNotFoundError):  # its own process removes it in this moment
            if leftover.stat().st_mtime < time.time() - _LEFTOVER_AGE_S:
                shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _cache_faults() -> Iterator[None]:
    """Say in a sentence that the cache is at fault."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{cache_folder()}: no index can be written there ({error.strerror}); "
            f"set AMBI_CACHE to a folder that you may write to."
        ) from error


def _identity(corpus: Corpus, root: Path, options: Mapping[str, str], rule: LabelRule) -> str:
    assert corpus.label_files is not None
    files = [
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(corpus.label_files(root))
        if path.is_file()
    ]
    reader = inspect.getsourcefile(inspect.unwrap(corpus.read))
    ours = sorted(Path(ambi_tasks.corpora.__file__).parent.glob("*.py"))
    code = [str(file) for file in (*ours, ambi_tasks.labels.__file__, __file__, reader) if file]
    content = {
        "files": files,
        "options": dict(options),
        "rule": asdict(rule),
        "version": ambi_tasks.__version__,
        "code": [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in code],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _build(
    corpus: Corpus, root: Path, options: Mapping[str, str], rule: LabelRule, folder: Path
) -> Path:
    """Write the rows and a summary; rows pass through a file, and are never all in memory."""
    folder.mkdir(parents=True)
    dropped: Counter[str] = Counter()
    entropies: list[float] = []
    draft, writer = folder / "draft.arrow", None
    with reader_warnings() as notes:
        for utterance in _utterances(corpus, root, options):
            row = _row(utterance, rule)
            if utterance.id in corpus.silent:
                dropped[KNOWN_SILENT] += 1
            elif isinstance(row, DropReason):
                dropped[row.value] += 1
            else:
                entropies.append(row["entropy"])
                writer = writer or ArrowWriter(path=str(draft), features=_features(utterance))
                writer.write(row)
    rows = datasets.Dataset.from_dict({})
    if writer is not None:
        writer.finalize()
        drafted = datasets.Dataset.from_file(str(draft))
        rows = drafted.add_column("stratum", strata(entropies))  # known now that all entropies are
        with _without_progress_bars():
            rows.save_to_disk(str(folder / _ROWS))
        draft.unlink()
    summary = {
        "rows": len(entropies),
        "dropped": dict(dropped),
        "manifest_sha256": manifest_sha256(rows, rule),
        "notes": notes,
    }
    (folder / _SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
    return folder


def _utterances(corpus: Corpus, root: Path, options: Mapping[str, str]) -> Iterator[Utterance]:
    """Read a corpus, with a bar where somebody watches."""
    utterances = corpus.read(root, **options)
    yield from tqdm(utterances, desc=f"Reading {corpus.title}", unit=" utterances", disable=None)


def _summary(folder: Path) -> dict[str, Any]:
    """What is kept beside the rows.

    Raises:
        ValueError: It is not what was written.
    """
    summary = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
    types = {"rows": int, "dropped": dict, "manifest_sha256": str, "notes": list}
    if not isinstance(summary, dict) or not all(
        isinstance(summary.get(name), one) for name, one in types.items()
    ):
        raise ValueError(f"{_SUMMARY} lacks {', '.join(types)} of the right types")
    if not all(isinstance(count, int) for count in summary["dropped"].values()):
        raise ValueError(f"{_SUMMARY} has a count that is no number")
    return summary


def _open(folder: Path, *, in_memory: bool = False) -> LabelIndex:
    summary = _summary(folder)
    if summary["rows"]:
        rows = datasets.load_from_disk(str(folder / _ROWS), keep_in_memory=in_memory)
    else:
        rows = datasets.Dataset.from_dict({})
    notes = tuple(map(str, summary["notes"]))
    return LabelIndex(rows, summary["dropped"], summary["manifest_sha256"], notes)


def manifest_sha256(rows: datasets.Dataset, rule: LabelRule) -> str:
    """Hash utterance ids, votes and the label rule; the order of the rows does not matter."""
    votes = sorted(zip(rows["id"], rows["votes"], strict=True)) if len(rows) else []
    content = json.dumps({"votes": votes, "rule": asdict(rule)}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _row(utterance: Utterance, rule: LabelRule) -> dict[str, Any] | DropReason:
    label = soft_label(utterance.votes, rule)
    if isinstance(label, DropReason):
        return label
    return {
        "id": utterance.id,
        "audio": asdict(utterance.clip),
        "speaker": utterance.speaker,
        **({"attributes": dict(utterance.attributes)} if utterance.attributes else {}),
        "labels": list(rule.classes),
        "soft_label": list(label.distribution),
        "votes": list(label.masses),
        "annotators": label.annotators,
        "annotators_outside": sum(bool(vote.labels) for vote in utterance.votes) - label.annotators,
        "entropy": entropy_bits(label.distribution),
    }


def _features(utterance: Utterance) -> datasets.Features:
    text, number = datasets.Value("string"), datasets.Value("float64")
    attributes = dict.fromkeys(utterance.attributes, text)
    return datasets.Features(
        {
            "id": text,
            "audio": {"path": text, "start": number, "end": number},
            "speaker": text,
            **({"attributes": attributes} if attributes else {}),
            "labels": datasets.List(text),
            "soft_label": datasets.List(number),
            "votes": datasets.List(number),
            "annotators": datasets.Value("int64"),
            "annotators_outside": datasets.Value("int64"),
            "entropy": number,
        }
    )


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Hide the bar of a save that takes no time, unless bars are hidden anyway."""
    if datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
