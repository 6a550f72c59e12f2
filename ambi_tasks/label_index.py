"""The labelled utterances of a corpus, built once and then opened from disk.

Reading and labelling 200,000 utterances takes a while, and a run of eight tasks would do it eight
times. The result is kept under `AMBI_CACHE` as an Arrow file that is mapped, not loaded. Its name
is a hash of everything that it depends on: the label files' sizes and times, the options, the label
rule and the code that read them. So an index is never out of date, only unused.
"""

import hashlib
import inspect
import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.arrow_writer import ArrowWriter
from tqdm import tqdm

import ambi_tasks.corpora
import ambi_tasks.labels
from ambi_tasks.corpora import Corpus, Utterance
from ambi_tasks.labels import DropReason, LabelRule, entropy_bits, soft_label, strata

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_SILENT, _KNOWN_SILENT = "silent", "known_silent"
_ROWS, _SUMMARY = "rows", "summary.json"


@dataclass(frozen=True, slots=True)
class LabelIndex:
    """The utterances of a corpus that have a soft label.

    Attributes:
        rows: One row per utterance, see `documents.Selection.documents`.
        dropped: Utterances that are no document, by reason: those of `labels.DropReason`, and
            `known_silent` for the clips that hold no sound in every copy of the corpus.
        manifest_sha256: See `documents.Selection`, of all rows.
    """

    rows: datasets.Dataset
    dropped: dict[str, int]
    manifest_sha256: str


def cache_folder() -> Path:
    """Where indexes lie: `AMBI_CACHE`, or a folder in the user's cache."""
    return Path(os.environ.get("AMBI_CACHE") or "~/.cache/ambi_tasks").expanduser() / "indexes"


def label_index(
    corpus: Corpus, root: Path, options: Mapping[str, str], rule: LabelRule
) -> LabelIndex:
    """Open the index of a corpus, after building it if need be.

    Args:
        corpus: What to read.
        root: Where it lies.
        options: What of it.
        rule: How votes become labels.

    Raises:
        UserError: A label file is missing or malformed.
    """
    if corpus.label_files is None:
        with tempfile.TemporaryDirectory() as folder:
            return _open(
                _build(corpus, root, options, rule, Path(folder) / "index"), in_memory=True
            )
    path = cache_folder() / f"{corpus.name}-{_identity(corpus, root, options, rule)}"
    if path.is_dir():
        try:
            return _open(path)
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            aside = path.with_name(f"{path.name}.broken-{os.getpid()}")
            path.rename(aside)
            _log.warning("The index %s cannot be read (%s); it is built again.", aside, error)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".building-") as folder:
        built = _build(corpus, root, options, rule, Path(folder) / "index")
        try:
            built.rename(path)
        except OSError:  # another process was first; its index is the same
            if not path.is_dir():
                raise
    return _open(path)


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
        "folders": sorted(path.name for path in root.iterdir()),  # the audio's, for one
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
    silent = {name for names in corpus.known_faults.get(_SILENT, ()) for name in names}
    utterances = corpus.read(root, **options)
    for utterance in tqdm(utterances, desc=f"Reading {corpus.title}", unit=" utterances"):
        if utterance.id in silent:  # there is nothing to hear, so there is nothing to predict
            dropped[_KNOWN_SILENT] += 1
            continue
        row = _row(utterance, rule)
        if isinstance(row, DropReason):
            dropped[row.value] += 1
            continue
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
    }
    (folder / _SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
    return folder


def _open(folder: Path, *, in_memory: bool = False) -> LabelIndex:
    summary = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
    if summary["rows"]:
        rows = datasets.load_from_disk(str(folder / _ROWS), keep_in_memory=in_memory)
    else:
        rows = datasets.Dataset.from_dict({})
    return LabelIndex(rows, summary["dropped"], summary["manifest_sha256"])


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
