"""What a model is given to hear: clips, and in place of each what sounds otherwise."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from ambi_tasks.audio import SAMPLING_RATE, Clip, Waveform, load_waveform
from ambi_tasks.corpora import get_corpus
from ambi_tasks.errors import UserError

CLIP = "clip"
DEMO_CLIPS = 8
FEWEST_CLIPS = 5
"""With fewer, no change could be told from chance, see `change.change`."""

_LOUDEST = 0.99
_FULL_SCALE = 32_768
_FORMATS = {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}


def _silence(waveforms: Sequence[Waveform], number: int) -> Waveform:
    return np.zeros_like(waveforms[number])


def _other_clip(waveforms: Sequence[Waveform], number: int) -> Waveform:
    """The next clip, cut or repeated to the same length: length alone must not give it away."""
    return np.resize(waveforms[(number + 1) % len(waveforms)], waveforms[number].shape)


def _noise(waveforms: Sequence[Waveform], number: int) -> Waveform:
    """White noise as loud as the clip."""
    own = waveforms[number]
    loudness = float(np.sqrt(np.mean(np.square(own, dtype=np.float64))))
    noise = np.random.default_rng(number).normal(0.0, loudness, own.size)
    return np.clip(noise, -_LOUDEST, _LOUDEST).astype(np.float32)


def _reversed(waveforms: Sequence[Waveform], number: int) -> Waveform:
    return waveforms[number][::-1]


CHANGES: dict[str, Callable[[Sequence[Waveform], int], Waveform]] = {
    "silence": _silence,
    "other_clip": _other_clip,
    "noise": _noise,
    "reversed": _reversed,
}
"""What a clip is replaced by, of the same length."""


def demo_clips() -> list[Clip]:
    """Clips of the demo corpus, evenly spread over it."""
    corpus = get_corpus("demo")
    root = corpus.bundled_root
    assert root is not None
    clips = {utterance.id: utterance.clip for utterance in corpus.read(root)}
    names = sorted(clips)
    return [clips[names[place * len(names) // DEMO_CLIPS]] for place in range(DEMO_CLIPS)]


def clips_in(folder: Path) -> list[Clip]:
    """The audio files of a folder, by name.

    Raises:
        UserError: It is no folder, or holds too few.
    """
    if not folder.is_dir():
        raise UserError(f"--clips: {folder} is not a folder.")
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _FORMATS]
    if len(files) < FEWEST_CLIPS:
        raise UserError(
            f"--clips: {folder} holds {len(files)} audio files, but with fewer than {FEWEST_CLIPS} "
            f"clips no change can be told from chance."
        )
    return [Clip(str(path)) for path in files]


def make_stimuli(clips: Sequence[Clip], folder: Path) -> dict[str, list[Clip]]:
    """Write what replaces each clip.

    Args:
        clips: The clips.
        folder: Where the files go.

    Returns:
        The clips themselves as `clip`, and of each of `CHANGES` what replaces them, in their order.

    Raises:
        UserError: A clip cannot be read, or is silent.
    """
    waveforms = [load_waveform(clip) for clip in clips]
    for clip, waveform in zip(clips, waveforms, strict=True):
        if not waveform.any():
            raise UserError(f"{clip}: is silent, so that nothing can be heard in it.")
    stimuli = {CLIP: list(clips)}
    for name, replace in CHANGES.items():
        stimuli[name] = []
        for number in range(len(clips)):
            path = folder / f"{name}_{number}.wav"
            # Whole numbers: a file of floats would hold the time, and so be another clip each time.
            samples = np.clip(
                np.round(replace(waveforms, number) * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1
            )
            soundfile.write(path, samples.astype(np.int16), SAMPLING_RATE)
            stimuli[name].append(Clip(str(path)))
    return stimuli
