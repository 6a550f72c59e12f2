"""The clips and batches that the demo model is trained on."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from tqdm import tqdm

from ambi_tasks.audio import SAMPLING_RATE, Clip, Waveform, load_waveform
from ambi_tasks.demo.prompt_forms import PROMPT_FORMS, PromptForm, write_dialogue
from ambi_tasks.demo.speech import Floats, SimulatedClip, require_espeak, synthesize
from ambi_tasks.demo.tiny_model import render_chat

IGNORED = -100
"""Target of the tokens that are not to be predicted."""

NON_SPEECH_SHARE = 0.04
"""Silence, noise and tones, relative to the number of spoken clips; nobody can tell an emotion."""

_FEATURE_CHUNK = 64
_PROMPT_HOLE = "<prompt>"
_CACHE_VERSION = 1  # raise it when synthesize() changes what it makes of a clip


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """A clip with what is known about it.

    Attributes:
        waveform: Samples at 16 kHz, (S,).
        prosody: The dimensions of `speech.Prosody`, (4,); None without speech.
        votes: Votes per emotion, (K,); None without speech.
    """

    waveform: Waveform
    prosody: Floats | None
    votes: Floats | None


def spoken_clips(drawn: Sequence[SimulatedClip], cache: Path) -> list[TrainingClip]:
    """Let espeak-ng speak clips, each one once: later calls read the files of the cache.

    Args:
        drawn: The clips.
        cache: Folder of the files.

    Raises:
        UserError: espeak-ng is missing or fails.
    """
    require_espeak()
    cache.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        speak = pool.map(lambda clip: _speak_once(clip, cache), drawn)
        waveforms = list(tqdm(speak, "speaking", total=len(drawn), unit="clip"))
    return [
        TrainingClip(waveform, np.array(clip.prosody), np.array(clip.votes, np.float64))
        for clip, waveform in zip(drawn, waveforms, strict=True)
    ]


def _speak_once(clip: SimulatedClip, cache: Path) -> Waveform:
    said = (_CACHE_VERSION, clip.voice, clip.accent, clip.text, tuple(clip.prosody))
    path = cache / f"{hashlib.sha256(repr(said).encode()).hexdigest()[:24]}.flac"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        soundfile.write(
            unfinished, synthesize(clip), SAMPLING_RATE, format="FLAC", subtype="PCM_16"
        )
        unfinished.replace(path)
    return load_waveform(Clip(str(path)))


def non_speech_clips(
    count: int, generator: np.random.Generator, longest: float
) -> list[TrainingClip]:
    """Make silence, white and brown noise, and tones, of any level and length.

    Args:
        count: Number of clips.
        generator: Source of randomness.
        longest: Longest duration in seconds.
    """
    return [
        TrainingClip(_non_speech(index % 4, generator, longest), None, None)
        for index in range(count)
    ]


def _non_speech(kind: int, generator: np.random.Generator, longest: float) -> Waveform:
    length = int(generator.uniform(0.4, longest) * SAMPLING_RATE)
    level = 10 ** (generator.uniform(-70, -12) / 20)
    if kind == 0:
        return np.zeros(length, np.float32)
    if kind == 1:
        sound = generator.normal(0, 1, length)
    elif kind == 2:  # noqa: PLR2004
        sound = np.cumsum(generator.normal(0, 1, length))
        sound -= sound.mean()
        sound /= sound.std() + 1e-9
    else:
        time = np.arange(length) / SAMPLING_RATE
        sound = np.sin(2 * np.pi * generator.uniform(60, 3000) * time)
    limited: Waveform = np.clip(level * sound, -0.99, 0.99).astype(np.float32)
    return limited


def tone_clips(count: int, generator: np.random.Generator) -> list[TrainingClip]:
    """Make tones with votes and a prosody, to try the training where espeak-ng is missing."""
    return [
        TrainingClip(
            _non_speech(3, generator, 1.5),
            generator.normal(0, 0.5, 4),
            generator.multinomial(10, np.full(4, 0.25)).astype(np.float64),
        )
        for _ in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples of similar length.

    Attributes:
        features: Log-mel features, cut to the longest clip, (B, M, T).
        feature_lengths: Frames of each clip, (B,).
        input_ids: Prompts and answers, padded on the right, (B, L).
        targets: The tokens of the answers, `IGNORED` elsewhere, (B, L).
        prosody: Dimensions of the prosody, NaN without speech, (B, 4).
    """

    features: torch.Tensor
    feature_lengths: torch.Tensor
    input_ids: torch.Tensor
    targets: torch.Tensor
    prosody: torch.Tensor


class TrainingSet:
    """Clips as features, from which batches are drawn.

    Args:
        clips: The clips.
        processor: The processor of the model.
        bootstrap_raters: See `prompt_forms.Example`.
    """

    def __init__(
        self, clips: Sequence[TrainingClip], processor: Any, bootstrap_raters: int
    ) -> None:
        self.clips = clips
        self.processor = processor
        self.bootstrap_raters = bootstrap_raters
        self.forms: Sequence[PromptForm] = PROMPT_FORMS
        self._features = extract_features([clip.waveform for clip in clips], processor)
        tokenizer = processor.tokenizer
        self._chat = render_chat(processor, _PROMPT_HOLE)
        self._window: int = processor.feature_extractor.nb_max_frames
        self._audio_id: int = tokenizer.convert_tokens_to_ids(processor.audio_token)

    def batches(self, size: int, generator: np.random.Generator) -> Iterator[Batch]:
        """Draw batches of similar length without end, in another order each time around.

        Args:
            size: Examples per batch.
            generator: Source of randomness.
        """
        lengths = np.array([features.shape[1] for features in self._features])
        while True:
            # Sorted by length within a small tolerance that is new in each round.
            order = np.argsort(lengths + generator.uniform(0, 25, len(lengths)))
            blocks = [order[start : start + size] for start in range(0, len(order), size)]
            for index in generator.permutation(len(blocks)):
                yield self.batch(blocks[index], generator, augment=True)

    def batch(
        self, indices: npt.NDArray[np.int64], generator: np.random.Generator, *, augment: bool
    ) -> Batch:
        """Put examples together; forms of the prompt and targets are drawn anew each time.

        Args:
            indices: Which clips.
            generator: Source of randomness.
            augment: Vary the features.
        """
        features = [self._features[index].astype(np.float32) for index in indices]
        if augment:
            features = [_augment(one, self._window, generator) for one in features]
        lengths = np.array([one.shape[1] for one in features])
        tokens = [
            self._tokens(self.clips[index], int(length), generator)
            for index, length in zip(indices, lengths, strict=True)
        ]
        unknown = np.full(4, np.nan)
        prosody = [self.clips[index].prosody for index in indices]
        return Batch(
            torch.from_numpy(_pad_features(features, self._window)),
            torch.from_numpy(lengths),
            *_pad_tokens(tokens, self.processor.tokenizer.pad_token_id),
            torch.from_numpy(
                np.stack([unknown if one is None else one for one in prosody]).astype(np.float32)
            ),
        )

    def _tokens(
        self, clip: TrainingClip, frames: int, generator: np.random.Generator
    ) -> tuple[list[int], list[int]]:
        dialogue = write_dialogue(clip.votes, self.bootstrap_raters, generator, self.forms)
        tokenizer = self.processor.tokenizer
        chat = self._chat.replace(_PROMPT_HOLE, dialogue.prompt)
        prompt: list[int] = tokenizer(chat).input_ids
        where = prompt.index(self._audio_id)
        audio = [self._audio_id] * audio_token_count(frames)
        answer: list[int] = tokenizer(dialogue.answer).input_ids
        return prompt[:where] + audio + prompt[where + 1 :], [*answer, tokenizer.eos_token_id]


def audio_token_count(frames: int) -> int:
    """Audio tokens that Qwen2-Audio makes of so many feature frames."""
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


def extract_features(
    waveforms: Sequence[Waveform], processor: Any
) -> list[npt.NDArray[np.float16]]:
    """Log-mel features of each clip without its padding, (M, T) each."""
    features: list[npt.NDArray[np.float16]] = []
    for start in tqdm(range(0, len(waveforms), _FEATURE_CHUNK), "features", unit="batch"):
        extracted = processor.feature_extractor(
            list(waveforms[start : start + _FEATURE_CHUNK]),
            sampling_rate=SAMPLING_RATE,
            return_attention_mask=True,
            padding="max_length",
            return_tensors="np",
        )
        lengths = extracted["attention_mask"].sum(axis=-1)
        features += [
            one[:, :length].astype(np.float16)
            for one, length in zip(extracted["input_features"], lengths, strict=True)
        ]
    return features


def _augment(
    features: npt.NDArray[np.float32], window: int, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Vary what is no cue: the start, the colour of the voice, noise, a missing band."""
    floor = features.min()
    bins = features.shape[0]
    colour = generator.normal(0, 0.07, 6)
    knots = np.linspace(0, 5, bins)
    equalizer = np.interp(knots, np.arange(6), colour - colour.mean()).astype(np.float32)[:, None]
    noise = np.float32(0.03) * generator.standard_normal(features.shape, np.float32)
    varied: npt.NDArray[np.float32] = np.maximum(features + equalizer + noise, floor)
    if generator.random() < 0.3:  # noqa: PLR2004
        low, width = int(generator.integers(0, bins - 12)), int(generator.integers(3, 12))
        varied[low : low + width] = floor
    if generator.random() < 0.5:  # noqa: PLR2004
        lead = np.full((bins, int(generator.integers(0, 40))), floor, np.float32)
        varied = np.concatenate([lead, varied], axis=1)[:, :window]
    return varied


def _pad_features(
    features: Sequence[npt.NDArray[np.float32]], window: int
) -> npt.NDArray[np.float32]:
    """Stack, with some frames of silence behind the longest, as the full window has."""
    frames = max(one.shape[1] for one in features)
    frames = min(window, frames + 4 + frames % 2)
    padded = np.stack(
        [
            np.pad(one, ((0, 0), (0, frames - one.shape[1])), constant_values=one.min())
            for one in features
        ]
    )
    return padded.astype(np.float32)


def _pad_tokens(
    tokens: Sequence[tuple[list[int], list[int]]], padding: int
) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(len(prompt) + len(answer) for prompt, answer in tokens)
    input_ids = torch.full((len(tokens), length), padding)
    targets = torch.full((len(tokens), length), IGNORED)
    for row, (prompt, answer) in enumerate(tokens):
        whole = torch.tensor(prompt + answer)
        input_ids[row, : len(whole)] = whole
        targets[row, len(prompt) : len(whole)] = whole[len(prompt) :]
    return input_ids, targets
