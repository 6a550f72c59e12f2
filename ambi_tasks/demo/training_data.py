"""The clips and batches that the demo model is trained on."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from tqdm import tqdm

from ambi_tasks.audio import SAMPLING_RATE, Clip, Waveform, load_waveform
from ambi_tasks.demo.dialogues import Dialogue, Heard
from ambi_tasks.demo.prompt_forms import SHEETS, Sheet, write_dialogues
from ambi_tasks.demo.speech import Floats, SimulatedClip, require_espeak, synthesize
from ambi_tasks.demo.tiny_model import render_chat

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

    @property
    def heard(self) -> Heard:
        """What the forms of prompts need to know."""
        return Heard(self.prosody, self.votes)


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


class Packed(NamedTuple):
    """Dialogues about one clip as a tree: what their prompts share at the beginning is there once.

    Attributes:
        tokens: The tokens, each behind its parent, (L,).
        parents: Place of the token before each one, 0 for the first, (L,).
        depths: Place of each token in its own dialogue, (L,).
        answered: Whether a token is part of an answer, (L,).
    """

    tokens: list[int]
    parents: list[int]
    depths: list[int]
    answered: list[bool]

    def ancestors(self, length: int) -> npt.NDArray[np.bool_]:
        """Which tokens each one may look at: itself and those before it, (length, length)."""
        visible = np.eye(length, dtype=np.bool_)
        for place, parent in enumerate(self.parents):
            visible[place] |= visible[parent]
        return visible


def pack(dialogues: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Packed:
    """Make a tree of the tokens of prompts and answers; answers share nothing.

    Args:
        dialogues: Tokens of the prompt and of the answer, each; all begin with the same token.
    """
    packed = Packed([], [], [], [])
    known: dict[tuple[int, int], int] = {}
    for prompt, answer in dialogues:
        place = -1
        for depth, token in enumerate((*prompt, *answer)):
            parent, answered = place, depth >= len(prompt)
            found = None if answered else known.get((parent, token))
            if found is None:
                found = len(packed.tokens)
                packed.tokens.append(token)
                packed.parents.append(max(0, parent))
                packed.depths.append(depth)
                packed.answered.append(answered)
                if not answered:
                    known[parent, token] = found
            place = found
    return packed


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips of similar length, each with one or more dialogues.

    Attributes:
        features: Log-mel features, cut to the longest clip, (B, M, T).
        feature_lengths: Frames of each clip, (B,).
        input_ids: Tokens of the packed dialogues, padded on the right, (B, L).
        parents: See `Packed`, (B, L).
        positions: The depths of `Packed`, (B, L).
        answered: See `Packed`, (B, L).
        visible: Which tokens each one may look at, (B, L, L).
        prosody: Dimensions of the prosody, NaN without speech, (B, 4).
    """

    features: torch.Tensor
    feature_lengths: torch.Tensor
    input_ids: torch.Tensor
    parents: torch.Tensor
    positions: torch.Tensor
    answered: torch.Tensor
    visible: torch.Tensor
    prosody: torch.Tensor


class TrainingSet:
    """Clips as features, from which batches are drawn.

    Args:
        clips: The clips.
        processor: The processor of the model.
        bootstrap_raters: See `dialogues.Example`.
    """

    def __init__(
        self, clips: Sequence[TrainingClip], processor: Any, bootstrap_raters: int
    ) -> None:
        self.clips = clips
        self.processor = processor
        self.bootstrap_raters = bootstrap_raters
        self._features = extract_features([clip.waveform for clip in clips], processor)
        tokenizer = processor.tokenizer
        self._chat = render_chat(processor, _PROMPT_HOLE)
        self._window: int = processor.feature_extractor.nb_max_frames
        self._audio_id: int = tokenizer.convert_tokens_to_ids(processor.audio_token)

    def batches(
        self, size: int, generator: np.random.Generator, sheets: Sequence[Sheet] = SHEETS
    ) -> Iterator[Batch]:
        """Draw batches of similar length without end, in another order each time around.

        Args:
            size: Clips per batch.
            generator: Source of randomness.
            sheets: What is asked about the clips.
        """
        lengths = np.array([features.shape[1] for features in self._features])
        while True:
            # Sorted by length within a small tolerance that is new in each round.
            order = np.argsort(lengths + generator.uniform(0, 25, len(lengths)))
            blocks = [order[start : start + size] for start in range(0, len(order), size)]
            for index in generator.permutation(len(blocks)):
                yield self.batch(blocks[index], generator, sheets, augment=True)

    def batch(
        self,
        indices: npt.NDArray[np.int64],
        generator: np.random.Generator,
        sheets: Sequence[Sheet] = SHEETS,
        *,
        augment: bool,
    ) -> Batch:
        """Put clips together; what is asked, and the targets, are drawn anew each time.

        Args:
            indices: Which clips.
            generator: Source of randomness.
            sheets: What is asked about the clips; nothing where there is none.
            augment: Vary the features.
        """
        features = [self._features[index].astype(np.float32) for index in indices]
        if augment:
            features = [_augment(one, self._window, generator) for one in features]
        lengths = np.array([one.shape[1] for one in features])
        rows = [
            self._row(self.clips[index], int(length), generator, sheets)
            for index, length in zip(indices, lengths, strict=True)
        ]
        unknown = np.full(4, np.nan)
        prosody = [self.clips[index].prosody for index in indices]
        input_ids, parents, positions, answered, visible = _pad_rows(
            rows, self.processor.tokenizer.pad_token_id
        )
        return Batch(
            torch.from_numpy(_pad_features(features, self._window)),
            torch.from_numpy(lengths),
            input_ids,
            parents,
            positions,
            answered,
            visible,
            torch.from_numpy(
                np.stack([unknown if one is None else one for one in prosody]).astype(np.float32)
            ),
        )

    def _row(
        self,
        clip: TrainingClip,
        frames: int,
        generator: np.random.Generator,
        sheets: Sequence[Sheet],
    ) -> Packed:
        if not sheets:
            return Packed([], [], [], [])
        other = self.clips[int(generator.integers(len(self.clips)))]
        dialogues = write_dialogues(
            clip.heard, other.heard, self.bootstrap_raters, generator, sheets
        )
        return pack(self.tokens(dialogues, frames))

    def tokens(
        self, dialogues: Sequence[Dialogue], frames: int
    ) -> list[tuple[list[int], list[int]]]:
        """Prompts and answers as the model reads and writes them.

        Args:
            dialogues: The dialogues.
            frames: Frames of their clip's features.
        """
        tokenizer = self.processor.tokenizer
        chats = [self._chat.replace(_PROMPT_HOLE, dialogue.prompt) for dialogue in dialogues]
        prompts: list[list[int]] = tokenizer(chats).input_ids
        answers: list[list[int]] = tokenizer([one.answer for one in dialogues]).input_ids
        where = prompts[0].index(self._audio_id)
        audio = [self._audio_id] * audio_token_count(frames)
        return [
            (prompt[:where] + audio + prompt[where + 1 :], [*answer, tokenizer.eos_token_id])
            for prompt, answer in zip(prompts, answers, strict=True)
        ]


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


def _pad_rows(rows: Sequence[Packed], padding: int) -> tuple[torch.Tensor, ...]:
    """Tokens, parents, positions, what is part of an answer, and what is visible."""
    length = max(len(row.tokens) for row in rows)

    def column(values: Sequence[Sequence[int]], filling: int) -> torch.Tensor:
        padded = [[*one, *[filling] * (length - len(one))] for one in values]
        return torch.tensor(padded, dtype=torch.long)

    return (
        column([row.tokens for row in rows], padding),
        column([row.parents for row in rows], 0),
        column([row.depths for row in rows], 0),
        column([row.answered for row in rows], 0).bool(),
        torch.from_numpy(np.stack([row.ancestors(length) for row in rows])),
    )
