"""Clips: a light reference to a stretch of an audio file, decoded late and always the same way.

Documents and requests hold references, never samples, so that memory does not grow with the corpus.
"""

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ambi_tasks.cache import cache_root
from ambi_tasks.errors import UserError

SAMPLING_RATE = 16_000
"""Rate in Hz at which every corpus of the benchmark is heard."""

_SILENT_SECONDS = 2
_WAV_HEADER_BYTES = 44
_LFS_STUB_START = b"version https://git-lfs"
_UNKNOWN_LENGTH = 0x7FFF_F000  # or more: what programs announce that write to a pipe
_RIFF_SLACK_BYTES = 1024  # writers disagree whether padding and trailing chunks are in the length

Waveform = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of an audio file.

    Attributes:
        path: The file, in any format that libsndfile reads.
        start: Start in seconds, None for the file's beginning.
        end: End in seconds, None for the file's end.
    """

    path: str
    start: float | None = None
    end: float | None = None

    @classmethod
    def from_mapping(cls, reference: Mapping[str, Any]) -> "Clip":
        """Read the `path`, `start` and `end` of a document's or a request's audio field."""
        return cls(str(reference["path"]), reference.get("start"), reference.get("end"))

    def mapping(self) -> dict[str, Any]:
        """The reference as JSON-able data, for `from_mapping`."""
        return {"path": self.path, "start": self.start, "end": self.end}

    def __str__(self) -> str:
        if self.start is None and self.end is None:
            return self.path
        end = "" if self.end is None else f"{self.end:.3f}"
        return f"{self.path}[{self.start or 0.0:.3f}:{end}]"


class AudioArgument(dict[str, Any]):
    """The audio of a request: a small JSON-able mapping that decodes when it is asked for samples.

    Its items are `path`, `start` and `end`. `argument["array"]` and `argument["sampling_rate"]`
    serve models that expect what `datasets.Audio` gives.
    """

    def __missing__(self, key: str) -> Any:
        if key == "array":
            return load_waveform(Clip.from_mapping(self))
        if key == "sampling_rate":
            return SAMPLING_RATE
        raise KeyError(key)


def silent_clip() -> Clip:
    """Two seconds of silence, a file in the cache: a clip without content.

    Raises:
        UserError: The cache cannot be written.
    """
    path = cache_root() / "silence.wav"
    if path.is_file():
        return Clip(str(path))
    samples = np.zeros(_SILENT_SECONDS * SAMPLING_RATE, np.float32)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(unfinished, samples, SAMPLING_RATE, format="WAV", subtype="PCM_16")
        unfinished.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(
            f"A silent clip cannot be written to {path} ({error}); set AMBI_CACHE to a folder that "
            f"can be written."
        ) from error
    return Clip(str(path))


def load_waveform(clip: Clip, sampling_rate: int = SAMPLING_RATE) -> Waveform:
    """Decode a clip to mono float32.

    Channels are averaged; another rate is resampled by soxr at its default (high) quality.

    Args:
        clip: What to decode.
        sampling_rate: Wanted rate in Hz.

    Returns:
        Samples in about [-1, 1], (T,).

    Raises:
        UserError: The file is absent, unreadable or empty, the stretch is not in it, or it holds
            samples that are not finite.
    """
    with _opened(clip) as file:
        rate = file.samplerate
        first, last = _frames(clip, rate, file.frames)
        file.seek(first)
        samples = file.read(last - first, dtype="float32", always_2d=True)
    mono: Waveform = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise UserError(f"{clip}: holds samples that are not finite numbers.")
    if rate != sampling_rate:
        mono = np.asarray(soxr.resample(mono, rate, sampling_rate), dtype=np.float32)
    if mono.size == 0:
        raise UserError(f"{clip}: too short to hold a sample at {sampling_rate} Hz.")
    return mono


def clip_seconds(clip: Clip) -> float:
    """The duration of a clip in seconds, by its file's header.

    Raises:
        UserError: As for `load_waveform`, as far as the header tells.
    """
    with _opened(clip) as file:
        first, last = _frames(clip, file.samplerate, file.frames)
        return (last - first) / float(file.samplerate)


@contextmanager
def _opened(clip: Clip) -> Iterator[soundfile.SoundFile]:
    """Open a clip's file; what goes wrong in it becomes a sentence."""
    if fault := audio_fault(clip):
        raise UserError(f"{clip}: {fault}.")
    try:
        with soundfile.SoundFile(clip.path) as file:
            yield file
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: `.raw` has no header
        raise UserError(
            f"{clip}: cannot be decoded as audio ({error}); restore the file, or leave the "
            f"utterance out (lm_eval --samples)."
        ) from error


def _frames(clip: Clip, rate: int, frames: int) -> tuple[int, int]:
    """The clip's first frame and the one after its last; an end beyond the file's is the file's."""
    first = round((clip.start or 0.0) * rate)
    last = frames if clip.end is None else min(frames, round(clip.end * rate))
    if not 0 <= first < last:
        raise UserError(f"{clip}: holds no samples; the file lasts {frames / rate:.3f} s.")
    return first, last


def audio_fault(clip: Clip) -> str | None:
    """Say what is wrong with a clip's file, as far as its size and first bytes tell.

    Returns:
        None for a file that may hold audio, else a clause such as `the audio file is missing`.
    """
    path = Path(clip.path)
    try:
        with path.open("rb") as file:
            head = file.read(len(_LFS_STUB_START))
        size = path.stat().st_size
    except FileNotFoundError:
        return "the audio file is missing"
    except OSError as error:
        return f"the audio file cannot be read ({error.strerror})"
    if head == _LFS_STUB_START:
        return "a Git LFS stub, not audio (run `git lfs pull` in the corpus)"
    if size <= _WAV_HEADER_BYTES:
        return "the audio file is empty"
    # libsndfile reads what is there of a WAV file, and says nothing.
    if head.startswith(b"RIFF"):
        (announced,) = struct.unpack_from("<I", head, offset=4)
        if size + _RIFF_SLACK_BYTES < announced < _UNKNOWN_LENGTH:
            return "the audio file is cut off (its header announces more)"
    return None


def clip_sha256(clip: Clip) -> str:
    """Hash what a clip holds: the file's bytes and the stretch, not where the file lies.

    Equal hashes are equal sound, so that draws can be shared between paths and machines.

    Raises:
        UserError: The file cannot be read.
    """
    try:
        state = Path(clip.path).stat()
        digest = _file_sha256(clip.path, state.st_size, state.st_mtime_ns).copy()
    except OSError as error:
        raise UserError(f"{clip}: the audio file cannot be read ({error.strerror}).") from error
    start = float(clip.start or 0.0)
    end = None if clip.end is None else float(clip.end)
    if start or end is not None:
        digest.update(f"[{start}:{end}]".encode())
    return str(digest.hexdigest())


@lru_cache(maxsize=1_000)
def _file_sha256(path: str, size: int, changed: int) -> Any:
    """Hash a file once, however many stretches of it are clips; size and time tell a change."""
    del size, changed
    return hashlib.sha256(Path(path).read_bytes())
