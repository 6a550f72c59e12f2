"""What a copy of a corpus holds: an overview, a check for damage, and one utterance in full.

Nothing here prints; `ambi_tasks.cli.corpora` does.
"""

import difflib
import os
import re
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from ambi_tasks.audio import SAMPLING_RATE, Clip, audio_fault, clip_sha256, load_waveform
from ambi_tasks.corpora import Corpus, Utterance
from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.corpora.git import git_output
from ambi_tasks.corpora.reader_warnings import reader_warnings
from ambi_tasks.corpora.release import release_of
from ambi_tasks.errors import UserError
from ambi_tasks.label_index import label_index
from ambi_tasks.labels import (
    DropReason,
    LabelRule,
    SoftLabel,
    Vote,
    entropy_bits,
    soft_label,
    strata,
)

_SILENCE = 1e-4  # about three steps of 16-bit audio: dither, or nothing at all
_POINTER = re.compile(rb"version https://git-lfs.*?^oid sha256:([0-9a-f]{64})$", re.M | re.S)
_POINTER_MAX_BYTES = 1024  # by the specification of Git LFS
_SMOOTHED_MIN_UTTERANCES = 10
_SMOOTHED_MIN_SHARE = 0.5
_NEAREST_CANDIDATES = 10_000  # on either side; difflib compares some ten thousand names a second

Progress = Callable[[int, int], None]
"""Called with the audio files done and their total."""


class Kind(str, Enum):
    """What was found; the values are those of `Corpus.known_faults`."""

    LABELS = "labels"
    UTTERANCES = "utterances"
    DOUBLED_ID = "doubled_id"
    DOUBLED_RATER = "doubled_rater"
    SMOOTHED = "smoothed"
    MISSING = "missing"
    LFS_STUB = "lfs_stub"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    NOT_FINITE = "not_finite"
    SILENT = "silent"
    IDENTICAL = "identical"
    CHECKSUM = "checksum"
    LEFT_OUT = "left_out"
    NO_LABEL = "no_label"
    SAMPLING_RATE = "sampling_rate"
    CHANNELS = "channels"


MEANING = {
    Kind.LABELS: "labels that do not parse; nothing behind this line was checked",
    Kind.UTTERANCES: "not the number of utterances of a complete copy",
    Kind.DOUBLED_ID: "utterances that occur twice",
    Kind.DOUBLED_RATER: "utterances on which one annotator votes twice",
    Kind.SMOOTHED: "soft labels that look smoothed rather than counted",
    Kind.MISSING: "audio files missing",
    Kind.LFS_STUB: "Git LFS stubs, not audio (run `git lfs pull` in the corpus)",
    Kind.EMPTY: "no samples",
    Kind.TRUNCATED: "audio files cut off",
    Kind.UNREADABLE: "audio that cannot be read",
    Kind.NOT_FINITE: "samples that are not finite numbers",
    Kind.SILENT: "silent clips",
    Kind.IDENTICAL: "groups of utterances with identical bytes of audio",
    Kind.CHECKSUM: "audio files whose sha256 is not the one in the clone's HEAD",
    Kind.LEFT_OUT: "lines left out by the reader",
    Kind.NO_LABEL: "utterances without a soft label by the label rule",
    Kind.SAMPLING_RATE: f"clips that are resampled to {SAMPLING_RATE:,} Hz",
    Kind.CHANNELS: "clips whose channels are averaged",
}
"""In words, behind a count."""

# `ambi_tasks.audio` says what is wrong in a clause; these words tell the clauses apart.
_KIND_OF_CLAUSE = (
    ("is missing", Kind.MISSING),
    ("Git LFS stub", Kind.LFS_STUB),
    ("is empty", Kind.EMPTY),
    ("holds no samples", Kind.EMPTY),
    ("too short to hold", Kind.EMPTY),
    ("cut off", Kind.TRUNCATED),
    ("not finite", Kind.NOT_FINITE),
)


_NOTES = (Kind.DOUBLED_RATER, Kind.LEFT_OUT, Kind.NO_LABEL, Kind.SAMPLING_RATE, Kind.CHANNELS)


class Severity(str, Enum):
    """How much a finding matters."""

    FAULT = "fault"
    KNOWN = "known"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that was found in a copy.

    Attributes:
        kind: What it is.
        severity: `known` is a fault of the release itself, in every copy of it.
        count: How many utterances, files, groups or lines it concerns.
        examples: All of them.
    """

    kind: Kind
    severity: Severity
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the check of a copy found.

    Attributes:
        root: Where the copy lies.
        options: What was chosen of the corpus.
        read: Utterances read.
        kept: Of those, the ones with a soft label by the label rule.
        votes: Annotators' votes on the utterances read, each of one annotator.
        decoded: Utterances whose audio was decoded.
        seconds: Their duration together.
        checksums: Audio files whose sha256 was known and compared.
        findings: Faults first.
    """

    root: Path
    options: Mapping[str, str]
    read: int
    kept: int
    votes: int
    decoded: int
    seconds: float
    checksums: int
    findings: tuple[Finding, ...]

    @property
    def faulty(self) -> bool:
        """Whether there is a fault that is not a known one."""
        return any(finding.severity is Severity.FAULT for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Sound:
    """What an utterance's audio turned out to be.

    Attributes:
        id: The utterance.
        path: Its file.
        fault: What is wrong with it, None if nothing is.
        clause: The fault in words.
        sha256: Of the whole file; empty where it could not be read.
        bytes_of: Equal for utterances that hear the same stretch of the same bytes; or empty.
        rate: Sampling rate of the file in Hz, 0 where it could not be read.
        channels: Of the file.
        frames: Of the file, as it announces them.
        seconds: Duration of the utterance.
    """

    id: str
    path: str
    fault: Kind | None = None
    clause: str = ""
    sha256: str = ""
    bytes_of: str = ""
    rate: int = 0
    channels: int = 0
    frames: int = 0
    seconds: float = 0.0


# --- overview ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Overview:
    """One corpus, and what is there of it.

    Attributes:
        corpus: The corpus.
        place: The copy's folder, who named it and its release, or how to name it.
        found: Whether there is a copy.
        read: Utterances read, None where there is no copy or it is broken.
        kept: Of those, the ones that a run by the default label rule has, were all audio there.
        trouble: Why a copy could not be read, in a clause; else empty.
    """

    corpus: Corpus
    place: str
    found: bool = False
    read: int | None = None
    kept: int | None = None
    trouble: str = ""


def overviews() -> Iterator[Overview]:
    """Look at every corpus in the order of the names, at its labels only."""
    for _, corpus in sorted(all_corpora().items()):
        yield overview(corpus)


def overview(corpus: Corpus) -> Overview:
    """Look at a corpus, at its labels only; a copy that is absent or broken raises nothing."""
    named = os.environ.get(corpus.root_variable)
    try:
        root = corpus.root({})
    except UserError:
        if named:
            return Overview(corpus, f"{named} ({corpus.root_variable}) is not a folder")
        return Overview(corpus, f"not found: set {corpus.root_variable} to its folder")
    release = release_of(root)
    place = f"{root} ({corpus.root_variable if named else 'bundled'})"
    place += f", {release}" if release else ""
    try:
        index = label_index(corpus, root, corpus.chosen_options({}), corpus.label_rule)
    except UserError as error:
        return Overview(corpus, place, found=True, trouble=str(error).rstrip("."))
    except Exception as error:  # a reader of another package must not hide the other corpora
        return Overview(corpus, place, found=True, trouble=f"the reader failed with {error!r}")
    kept = len(index.rows)
    read = kept + sum(index.dropped.values())
    return Overview(corpus, place, found=True, read=read, kept=kept)


class _Tally:
    """Soft labels by a rule, counted once for equal votes: large corpora repeat theirs."""

    def __init__(self, rule: LabelRule) -> None:
        self._rule = rule
        self._labels: dict[tuple[tuple[str, ...], ...], SoftLabel | DropReason] = {}

    def label(self, votes: Sequence[Vote]) -> SoftLabel | DropReason:
        key = tuple(sorted(tuple(vote.labels) for vote in votes))
        if key not in self._labels:
            self._labels[key] = soft_label(votes, self._rule)
        return self._labels[key]


# --- check ---------------------------------------------------------------------------------------


class _Case(NamedTuple):
    """One thing found: its kind, the utterances concerned, words for it, and what it counts."""

    kind: Kind
    ids: tuple[str, ...] = ()
    words: str = ""
    weight: int = 1


def check_corpus(
    corpus: Corpus, metadata: Mapping[str, Any], progress: Progress | None = None
) -> CheckReport:
    """Check a copy of a corpus, its labels and every sample of its audio.

    Args:
        corpus: Which.
        metadata: As of a run: `<name>_root`, the corpus's options, `label_rule`.
        progress: Called as the audio files are decoded.

    Raises:
        UserError: There is no copy, or the metadata are mistaken. What is wrong with the copy is a
            finding instead.
    """
    root, options = corpus.root(metadata), corpus.chosen_options(metadata)
    tally = _Tally(corpus.chosen_rule(metadata))
    utterances, reading = _read(corpus, root, options)
    labels = [tally.label(utterance.votes) for utterance in utterances]
    sounds = list(_inspect_all(utterances, progress))
    checksums = lfs_checksums(root, {sound.path for sound in sounds})
    cases = [
        *reading,
        *_label_cases(utterances, labels),
        *_sound_cases(sounds, root),
        *_checksum_cases(sounds, checksums),
    ]
    return CheckReport(
        root=root,
        options=options,
        read=len(utterances),
        kept=sum(isinstance(label, SoftLabel) for label in labels),
        votes=sum(bool(vote.labels) for utterance in utterances for vote in utterance.votes),
        decoded=sum(sound.seconds > 0 for sound in sounds),
        seconds=sum(sound.seconds for sound in sounds),
        checksums=len({sound.path for sound in sounds if sound.sha256} & set(checksums)),
        findings=_findings(cases, corpus.known_faults),
    )


def _findings(
    cases: Iterable[_Case], known_faults: Mapping[str, Collection[tuple[str, ...]]]
) -> tuple[Finding, ...]:
    """Group the cases by severity and kind, faults first."""
    known = {(kind, frozenset(ids)) for kind, groups in known_faults.items() for ids in groups}
    grouped: dict[tuple[Severity, Kind], list[_Case]] = defaultdict(list)
    for case in cases:
        severity = Severity.NOTE if case.kind in _NOTES else Severity.FAULT
        if (case.kind.value, frozenset(case.ids)) in known:
            severity = Severity.KNOWN
        grouped[severity, case.kind].append(case)
    return tuple(
        Finding(
            kind,
            severity,
            count=sum(case.weight for case in group),
            examples=tuple(case.words or " = ".join(case.ids) for case in group),
        )
        for severity in Severity
        for kind in Kind
        if (group := grouped.get((severity, kind)))
    )


# --- labels --------------------------------------------------------------------------------------


def _read(
    corpus: Corpus, root: Path, options: Mapping[str, str]
) -> tuple[list[Utterance], list[_Case]]:
    """Read as far as the labels parse, and say what kept the reader from more."""
    utterances: list[Utterance] = []
    cases: list[_Case] = []
    complete = corpus.expected_utterances if options == corpus.chosen_options({}) else None
    with reader_warnings() as left_out:
        try:
            utterances.extend(corpus.read(root, **options))
        except (UserError, OSError) as error:
            cases.append(_Case(Kind.LABELS, words=str(error)))
            complete = None  # the number of a reading that was broken off says nothing
    if complete is not None and complete != len(utterances):
        words = f"{len(utterances):,} read, {complete:,} expected"
        difference = abs(complete - len(utterances))
        cases.append(_Case(Kind.UTTERANCES, words=words, weight=difference))
    return utterances, cases + [_Case(Kind.LEFT_OUT, words=line) for line in left_out]


def _label_cases(
    utterances: Sequence[Utterance], labels: Sequence[SoftLabel | DropReason]
) -> Iterator[_Case]:
    for name, times in Counter(utterance.id for utterance in utterances).items():
        if times > 1:
            yield _Case(Kind.DOUBLED_ID, (name,))
    for utterance, label in zip(utterances, labels, strict=True):
        raters = Counter(vote.rater for vote in utterance.votes if vote.rater)
        if doubled := [rater for rater, votes in raters.items() if votes > 1]:
            words = f"{utterance.id} ({', '.join(doubled)})"
            yield _Case(Kind.DOUBLED_RATER, (utterance.id,), words)
        if isinstance(label, DropReason):
            yield _Case(Kind.NO_LABEL, (utterance.id,), f"{utterance.id} ({label.value})")
    distributions = [label.distribution for label in labels if isinstance(label, SoftLabel)]
    if floor := smoothing_floor(distributions):
        words = f"no class has less than a share of {floor:.4f}, in any utterance"
        yield _Case(Kind.SMOOTHED, words=words, weight=len(distributions))


def smoothing_floor(distributions: Sequence[Sequence[float]]) -> float | None:
    """Find the share that smoothing gave to every class.

    Counted votes leave classes without any; label smoothing leaves none, and gives those that had
    none the same small share in one utterance after the other.

    Args:
        distributions: Soft labels, (N, K).

    Returns:
        The share, or None if the soft labels look counted or are too few to tell.
    """
    smallest = [min(distribution) for distribution in distributions]
    if len(smallest) < _SMOOTHED_MIN_UTTERANCES or min(smallest) <= 0:
        return None
    floor = min(smallest)
    at_floor = sum(np.isclose(share, floor, rtol=0.02) for share in smallest)
    return floor if at_floor >= _SMOOTHED_MIN_SHARE * len(smallest) else None


# --- audio ---------------------------------------------------------------------------------------


def _inspect_all(utterances: Iterable[Utterance], progress: Progress | None) -> Iterator[Sound]:
    """Inspect every file once, on several threads: decoding and hashing leave Python alone."""
    by_path: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        by_path[utterance.clip.path].append(utterance)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for done, sounds in enumerate(pool.map(_inspect_file, by_path.values()), start=1):
            yield from sounds
            if progress:
                progress(done, len(by_path))


def _inspect_file(utterances: Sequence[Utterance]) -> list[Sound]:
    file = _open(utterances[0].clip.path)
    return [_inspect_clip(replace(file, id=one.id), one.clip) for one in utterances]


def _open(path: str) -> Sound:
    """Inspect what all stretches of a file share."""
    file = Sound("", path)
    if clause := audio_fault(Clip(path)):
        return replace(file, fault=_kind_of(clause), clause=clause)
    try:
        file = replace(file, sha256=clip_sha256(Clip(path)))
        with soundfile.SoundFile(path) as opened:
            return replace(
                file, rate=opened.samplerate, channels=opened.channels, frames=opened.frames
            )
    except (UserError, soundfile.SoundFileError, TypeError) as error:  # TypeError: no header
        clause = f"the audio file cannot be read ({error})"
        return replace(file, fault=Kind.UNREADABLE, clause=clause)


def _inspect_clip(sound: Sound, clip: Clip) -> Sound:
    """Decode an utterance's stretch of a file that was opened, as a model would hear it."""
    if sound.sha256:
        sound = replace(sound, bytes_of=f"{sound.sha256}[{clip.start or 0.0}:{clip.end}]")
    if sound.fault:
        return sound
    try:
        samples = load_waveform(clip, sound.rate)
    except UserError as error:
        clause = str(error).removeprefix(f"{clip}: ").removesuffix(".")
        return replace(sound, fault=_kind_of(clause), clause=clause)
    sound = replace(sound, seconds=len(samples) / sound.rate)
    if clip.start is None and clip.end is None and len(samples) < sound.frames:
        clause = "the audio file is cut off (its header announces more)"
        return replace(sound, fault=Kind.TRUNCATED, clause=clause)
    if np.abs(samples).max() < _SILENCE:
        clause = f"silent (no sample reaches {_SILENCE:g})"
        return replace(sound, fault=Kind.SILENT, clause=clause)
    return sound


def _kind_of(clause: str) -> Kind:
    return next((kind for words, kind in _KIND_OF_CLAUSE if words in clause), Kind.UNREADABLE)


def _sound_cases(sounds: Iterable[Sound], root: Path) -> Iterator[_Case]:
    same: dict[str, list[str]] = defaultdict(list)
    for sound in sounds:
        if sound.fault:
            # Where a file should lie says more than whose it is: often the folder is the mistake.
            words = os.path.relpath(sound.path, root) if sound.fault is Kind.MISSING else ""
            yield _Case(sound.fault, (sound.id,), words)
        if sound.rate not in (0, SAMPLING_RATE):
            yield _Case(Kind.SAMPLING_RATE, (sound.id,), f"{sound.id} ({sound.rate:,} Hz)")
        if sound.channels > 1:
            yield _Case(Kind.CHANNELS, (sound.id,), f"{sound.id} ({sound.channels} channels)")
        if sound.bytes_of and not sound.fault:
            same[sound.bytes_of].append(sound.id)
    for ids in same.values():
        if len(set(ids)) > 1:
            yield _Case(Kind.IDENTICAL, tuple(dict.fromkeys(ids)))


def _checksum_cases(sounds: Iterable[Sound], checksums: Mapping[str, str]) -> Iterator[_Case]:
    by_path = {sound.path: sound for sound in sounds if sound.sha256}
    for path, sound in by_path.items():
        if checksums.get(path, sound.sha256) != sound.sha256:
            yield _Case(Kind.CHECKSUM, (sound.id,))


def lfs_checksums(root: Path, paths: Collection[str]) -> dict[str, str]:
    """Ask git for the sha256 of files that are kept in Git LFS.

    Args:
        root: A folder, perhaps of a clone.
        paths: The files wanted; they lie below the root.

    Returns:
        The sha256 in hexadecimal of each of the paths that is an LFS pointer in the clone's HEAD;
        empty where the folder is in no clone or git is not installed.
    """
    listed = git_output(root, "ls-tree", "-r", "-z", "-l", "HEAD") or b""
    objects: dict[str, str] = {}
    for entry in listed.split(b"\0"):
        facts, _, name = entry.partition(b"\t")
        path = str(root / os.fsdecode(name))
        if path in paths:
            _, _, object_id, size = facts.split()
            if size.isdigit() and int(size) < _POINTER_MAX_BYTES:
                objects[path] = object_id.decode()
    content = git_output(root, "cat-file", "--batch", stdin="\n".join(objects.values())) or b""
    pointers = _batch(content)
    found = {path: _POINTER.match(pointers.get(one, b"")) for path, one in objects.items()}
    return {path: match[1].decode() for path, match in found.items() if match}


def _batch(output: bytes) -> dict[str, bytes]:
    """Split what `git cat-file --batch` prints: `<id> blob <size>`, the content, a line end."""
    contents: dict[str, bytes] = {}
    at = 0
    while (end := output.find(b"\n", at)) >= 0:
        object_id, _, size = output[at:end].partition(b" blob ")
        at = end + 1
        if size.isdigit():
            contents[object_id.decode()] = output[at : at + int(size)]
            at += int(size) + 1
    return contents


# --- one utterance -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Portrait:
    """All that a corpus has on one utterance.

    Attributes:
        utterance: As it was read.
        rule: From votes to classes.
        label: Its soft label, or why it has none.
        entropy: Of the soft label in bits, None where there is none.
        stratum: Among the utterances of the corpus, empty where there is no soft label, or no sound
            in any copy.
        sound: Its audio.
    """

    utterance: Utterance
    rule: LabelRule
    label: SoftLabel | DropReason
    entropy: float | None
    stratum: str
    sound: Sound


def portrait(corpus: Corpus, metadata: Mapping[str, Any], name: str) -> Portrait:
    """Look one utterance up.

    Args:
        corpus: Its corpus.
        metadata: As of a run: `<name>_root`, the corpus's options, `label_rule`.
        name: The corpus's name of the utterance.

    Raises:
        UserError: The corpus is absent or malformed, or has no such utterance.
    """
    rule, options = corpus.chosen_rule(metadata), corpus.chosen_options(metadata)
    utterances = {one.id: one for one in corpus.read(corpus.root(metadata), **options)}
    if name not in utterances:
        raise unknown_utterance(corpus, name, utterances)
    tally = _Tally(rule)
    labels = {one.id: tally.label(one.votes) for one in utterances.values()}
    entropies = {
        key: entropy_bits(label.distribution)
        for key, label in labels.items()
        if isinstance(label, SoftLabel)
    }
    heard = {key: entropy for key, entropy in entropies.items() if key not in corpus.silent}
    stratum = dict(zip(heard, strata(list(heard.values())), strict=True))
    (sound,) = _inspect_file([utterances[name]])
    return Portrait(
        utterance=utterances[name],
        rule=rule,
        label=labels[name],
        entropy=entropies.get(name),
        stratum=stratum.get(name, ""),
        sound=sound,
    )


def unknown_utterance(corpus: Corpus, name: str, known: Iterable[str]) -> UserError:
    """What to say where a corpus has no such utterance.

    Args:
        corpus: The corpus.
        name: What was asked for.
        known: The utterances that it has.
    """
    return UserError(f"{corpus.title} has no utterance '{name}'{_hint(name, known)}")


def _hint(name: str, known: Iterable[str]) -> str:
    stem = Path(name).stem.casefold()  # what was asked for may be a file's name, or in other case
    ordered = sorted(known)
    same = [one for one in ordered if one.casefold() == stem]
    at = bisect(ordered, name)
    around = ordered[max(0, at - _NEAREST_CANDIDATES) : at + _NEAREST_CANDIDATES]
    near = same or difflib.get_close_matches(name, around, n=1)
    return f"; did you mean '{near[0]}'?" if near else "."
