"""A clip as it is sent: in line as 16 kHz mono WAV, or by an address that the server can read."""

import base64
import io
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import soundfile

from ambi_tasks.audio import SAMPLING_RATE, Clip, clip_seconds, load_waveform
from ambi_tasks.errors import UserError
from model_adapters.chat_api.providers import WINDOWS, Provider

_CLIPS_AT_HAND = 64  # encoded clips that are kept: those whose requests are on their way
_BYTES_PER_SECOND = SAMPLING_RATE * 2
_ENCODED = 4 / 3  # base64
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Transport:
    """How clips reach the server.

    Attributes:
        folder: Local folder whose files the server sees; None where clips are sent in line.
        url: Address of that folder for the server: `http://...` or `file:///...`.
        most_seconds: Longest clip in seconds; None where no limit is known.
        most_bytes: Largest request; None where no limit is known.
    """

    folder: Path | None = None
    url: str = ""
    most_seconds: float | None = None
    most_bytes: int | None = None

    def part(self, clip: Clip) -> Mapping[str, Any]:
        """The part of a message that holds a clip."""
        if self.folder is None:
            return _in_line(clip)
        relative = Path(clip.path).resolve().relative_to(self.folder)
        address = f"{self.url}/{urllib.parse.quote(relative.as_posix())}"
        return {"type": "audio_url", "audio_url": {"url": address}}

    def check(self, clips: Iterable[Clip]) -> dict[Clip, float]:
        """Measure clips by their files' headers, before anything is sent.

        Returns:
            The seconds of each.

        Raises:
            UserError: A clip is unreadable, longer or larger than can be sent, or has no address.
        """
        seconds = {clip: clip_seconds(clip) for clip in dict.fromkeys(clips)}
        if self.most_seconds is not None:
            _refuse(
                [clip for clip, length in seconds.items() if length > self.most_seconds],
                f"last longer than {self.most_seconds:g} s, which the model does not hear (another "
                f"limit: --model_args max_seconds=...)",
            )
        if self.folder is not None:
            _refuse(
                [clip for clip in seconds if not self._has_address(clip)],
                f"cannot be sent by address: that takes whole WAV files of {SAMPLING_RATE} Hz in "
                f"{self.folder}; leave audio_folder and audio_url out to send them in line",
            )
        elif self.most_bytes is not None:
            most = self.most_bytes / _ENCODED / _BYTES_PER_SECOND
            _refuse(
                [clip for clip, length in seconds.items() if length > most],
                f"do not fit into a request of {self.most_bytes:,} bytes",
            )
        return seconds

    def _has_address(self, clip: Clip) -> bool:
        """The server hears the file as it is: no stretch of it, and not resampled."""
        assert self.folder is not None
        if clip.start or clip.end is not None:
            return False
        if not Path(clip.path).resolve().is_relative_to(self.folder):
            return False
        header = soundfile.info(clip.path)
        return bool(header.samplerate == SAMPLING_RATE and header.format in ("WAV", "WAVEX"))


def transport(
    provider: Provider,
    *,
    model: str,
    max_seconds: float | None,
    audio_folder: str | None,
    audio_url: str | None,
    offers: frozenset[str],
) -> Transport:
    """Read the settings about audio.

    Raises:
        UserError: They do not go together.
    """
    window = next((w for part, w in WINDOWS.items() if part in model.lower()), None)
    limits = [one for one in (provider.most_seconds, window) if one is not None]
    longest = max_seconds if max_seconds is not None else min(limits, default=None)
    if (audio_folder is None) != (audio_url is None):
        raise UserError("--model_args audio_folder and audio_url are given together, or neither.")
    if audio_folder is None or audio_url is None:
        return Transport(most_seconds=longest, most_bytes=provider.most_bytes)
    if "audio_url" not in offers:
        raise UserError(
            f"--model_args audio_url: provider={provider.name} takes audio in line alone; leave it "
            f"out, or say offers=audio_url if the server does take it."
        )
    folder = Path(audio_folder).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"--model_args audio_folder: there is no folder {folder}.")
    return Transport(folder, audio_url.rstrip("/"), longest, provider.most_bytes)


def _refuse(clips: list[Clip], reason: str) -> None:
    if clips:
        shown = ", ".join(str(clip) for clip in clips[:_NAMED])
        more = f" and {len(clips) - _NAMED} more" if len(clips) > _NAMED else ""
        raise UserError(
            f"alm_api: {len(clips)} clip(s) {reason}: {shown}{more}. Otherwise leave them out by "
            f"lm_eval --samples."
        )


@lru_cache(maxsize=_CLIPS_AT_HAND)
def _in_line(clip: Clip) -> Mapping[str, Any]:
    file = io.BytesIO()
    soundfile.write(file, load_waveform(clip), SAMPLING_RATE, format="WAV", subtype="PCM_16")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
