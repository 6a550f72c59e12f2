"""Simulated emotional speech: prosody, the rule that says how listeners vote on it, and a voice.

A clip is decided before it is heard: `draw_clips` draws a prosody, a text, a voice and the votes
from a seed, and `synthesize` lets espeak-ng speak it. So votes never depend on the synthesizer.
"""

import io
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ambi_tasks.audio import SAMPLING_RATE, Waveform
from ambi_tasks.demo.splits import Split, check_disjoint
from ambi_tasks.errors import UserError

EMOTIONS = ("neutral", "happy", "angry", "sad")
"""What the simulated annotators may vote for; the order of every distribution of the demo."""

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


class Prosody(NamedTuple):
    """How a clip is spoken, each dimension about in [-1, 1] with 0 for unremarkable speech.

    Attributes:
        pitch: Mean fundamental frequency, relative to the voice.
        rate: Speaking rate.
        energy: Loudness.
        pitch_range: Variation of the fundamental frequency.
    """

    pitch: float
    rate: float
    energy: float
    pitch_range: float


PROTOTYPES: Floats = np.array(
    [[0.0, 0.0, 0.0, -0.5], [0.8, 0.4, 0.3, 0.9], [-0.2, 0.8, 0.9, 0.2], [-0.6, -0.8, -0.8, -0.6]]
)
"""The typical prosody of each emotion, (K, 4)."""

# A listener cannot tell a high pitch from a high voice, so pitch counts less.
_CUE_WEIGHTS: Floats = np.array([0.6, 1.0, 1.0, 1.0])
# They make the four emotions about equally frequent.
_BIASES: Floats = np.array([-0.45, 0.05, 0.0, 0.35])
_RULE_TEMPERATURE = 0.7
_PROSODY_NOISE = 0.22
_PROSODY_LIMIT = 1.3
_MIXING_CONCENTRATION = 0.35
_INTENSITY = (0.8, 1.3)


def vote_distribution(prosody: Sequence[float]) -> Floats:
    """The emotion rule: which share of an endless crowd votes for each emotion.

    A softmax of the weighted squared distances to the prototypes, with a bias per emotion.

    Args:
        prosody: The four dimensions of `Prosody`.

    Returns:
        Probabilities in the order of `EMOTIONS`, (K,).
    """
    distances = (_CUE_WEIGHTS * (np.asarray(prosody) - PROTOTYPES) ** 2).sum(axis=1)
    scores = _BIASES - distances / _RULE_TEMPERATURE
    weights = np.exp(scores - scores.max())
    shares: Floats = weights / weights.sum()
    return shares


RATERS = tuple(f"r{number:02d}" for number in range(1, 13))
"""The names of the simulated annotators of the demo corpus."""

_ACCENTS = ("en-us", "en-gb", "en-gb-scotland")


@dataclass(frozen=True, slots=True)
class SimulatedClip:
    """A clip before it is spoken.

    Attributes:
        voice: Voice variant of espeak-ng, who is the speaker.
        accent: Voice of espeak-ng that the variant modifies.
        text: What is said.
        prosody: How it is said.
        votes: Votes per emotion, (K,).
    """

    voice: str
    accent: str
    text: str
    prosody: Prosody
    votes: tuple[int, ...]

    @property
    def truth(self) -> Floats:
        """What the rule says on this clip, (K,)."""
        return vote_distribution(self.prosody)

    @property
    def vote_shares(self) -> Floats:
        """Shares of the votes, (K,)."""
        return np.array(self.votes) / sum(self.votes)


def draw_clips(split: Split, count: int, seed: int = 0) -> Iterator[SimulatedClip]:
    """Draw clips; voices and main emotions take turns, everything else is random.

    Args:
        split: Voices, texts and number of annotators.
        count: Number of clips.
        seed: Another seed gives other clips, the same seed the same ones.

    Yields:
        The clips, of which a larger `count` only adds more.
    """
    check_disjoint()
    generator = np.random.default_rng([seed, split.stream])
    for index in range(count):
        voice = split.voices[index % len(split.voices)]
        # Shifted once per round of the voices, so that no voice keeps to one emotion.
        main_emotion = (index + index // len(split.voices)) % len(EMOTIONS)
        yield _draw_clip(split, voice, main_emotion, generator)


def _draw_clip(
    split: Split, voice: str, main_emotion: int, generator: np.random.Generator
) -> SimulatedClip:
    prosody = _draw_prosody(main_emotion, generator)
    raters = int(generator.integers(split.raters[0], split.raters[1] + 1))
    votes = generator.multinomial(raters, vote_distribution(prosody))
    lead_ins = ("", "", *split.lead_ins)
    lead_in = lead_ins[int(generator.integers(len(lead_ins)))]
    sentence = split.sentences[int(generator.integers(len(split.sentences)))]
    accent = _ACCENTS[int(generator.integers(len(_ACCENTS)))]
    return SimulatedClip(voice, accent, lead_in + sentence, prosody, tuple(map(int, votes)))


def _draw_prosody(main_emotion: int, generator: np.random.Generator) -> Prosody:
    """Mostly one emotion, sometimes a blend on purpose, weakly or strongly expressed."""
    mixture = generator.dirichlet(np.full(len(EMOTIONS), _MIXING_CONCENTRATION))
    swap = [main_emotion, int(mixture.argmax())]
    mixture[swap] = mixture[swap[::-1]]
    intensity = generator.uniform(*_INTENSITY)
    noise = generator.normal(0, _PROSODY_NOISE, PROTOTYPES.shape[1])
    drawn = np.clip(intensity * (mixture @ PROTOTYPES) + noise, -_PROSODY_LIMIT, _PROSODY_LIMIT)
    return Prosody(*np.round(drawn, 4).tolist())


def require_espeak() -> str:
    """The path of espeak-ng.

    Raises:
        UserError: It is not installed.
    """
    path = shutil.which("espeak-ng")
    if path is None:
        raise UserError(
            "The demo's clips are spoken by espeak-ng, which is not on the PATH; "
            "install it, for instance with 'apt-get install espeak-ng'."
        )
    return path


def espeak_version() -> str:
    """Name and version of the synthesizer, e.g. `eSpeak NG 1.51`."""
    done = subprocess.run(  # noqa: S603 - the program is the one on the PATH
        [require_espeak(), "--version"], capture_output=True, check=True, text=True
    )
    return done.stdout.split("Data at")[0].replace(" text-to-speech:", "").strip()


def synthesize(clip: SimulatedClip) -> Waveform:
    """Let espeak-ng speak a clip.

    Pitch and rate are its options, the pitch range is SSML; loudness is set afterwards.

    Args:
        clip: What to say, and how.

    Returns:
        Samples at 16 kHz, (S,), with a little silence around the speech.

    Raises:
        UserError: espeak-ng is missing or fails.
    """
    pitch = round(float(np.clip(50 + 38 * clip.prosody.pitch, 0, 99)))
    words_per_minute = round(165 * float(np.exp(0.34 * clip.prosody.rate)))
    pitch_range = round(float(np.clip(100 + 80 * clip.prosody.pitch_range, 5, 220)))
    voice = f"{clip.accent}+{clip.voice}"
    ssml = f'<speak><prosody range="{pitch_range}%">{clip.text}</prosody></speak>'
    options = ["-m", "-v", voice, "-p", str(pitch), "-s", str(words_per_minute), "--stdout", ssml]
    done = subprocess.run(  # noqa: S603 - the program is the one on the PATH
        [require_espeak(), *options], capture_output=True, check=False
    )
    if done.returncode:
        message = done.stderr.decode(errors="replace").strip()
        raise UserError(f"espeak-ng failed on voice '{voice}': {message}")
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    speech = soxr.resample(samples, rate, SAMPLING_RATE).astype(np.float32)
    return _set_loudness(_trim(speech), decibels=-27 + 8 * clip.prosody.energy)


def _trim(speech: Waveform) -> Waveform:
    """Cut to 50 ms before and 100 ms after the speech."""
    voiced = np.flatnonzero(np.abs(speech) > 1e-3)  # noqa: PLR2004 - below every speech sound
    return speech[max(0, voiced[0] - SAMPLING_RATE // 20) : voiced[-1] + SAMPLING_RATE // 10]


def _set_loudness(speech: Waveform, decibels: float) -> Waveform:
    """Scale so that the root mean square of the speech, pauses left out, has this level."""
    active = speech[np.abs(speech) > 0.02 * np.abs(speech).max()]
    scaled = speech * (10 ** (decibels / 20) / np.sqrt(np.mean(active**2)))
    limited: Waveform = np.clip(scaled, -0.99, 0.99).astype(np.float32)
    return limited
