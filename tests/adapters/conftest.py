"""A tiny random Qwen2-Audio and a few clips, all made here."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ambi_tasks.audio import SAMPLING_RATE, Clip
from ambi_tasks.demo.tiny_model import ModelSize, build_model, build_processor
from model_adapters.backend import Decoding, DrawOrder, Turn

TINY = ModelSize(width=32, encoder_layers=1, decoder_layers=2, heads=2, mel_bins=80, seconds=4)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint folder with random weights, large enough to tell clips and prompts apart."""
    folder = tmp_path_factory.mktemp("tiny_qwen2_audio")
    processor = build_processor(TINY)
    torch.manual_seed(0)
    model = build_model(TINY, processor.tokenizer)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
    # A checkpoint's own sampling defaults must not reach our draws.
    model.generation_config.do_sample = True
    model.generation_config.top_k = 2
    model.generation_config.repetition_penalty = 5.0
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Clip]:
    """Writes a wav of a tone with noise, or of silence (`pitch` 0)."""
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str, pitch: float, seconds: float, rate: int = SAMPLING_RATE) -> Clip:
        time = np.arange(round(seconds * rate)) / rate
        noise = np.random.default_rng(int(pitch)).normal(0, 0.02, time.size)
        tone = 0.3 * np.sin(2 * np.pi * pitch * time) + noise if pitch else np.zeros(time.size)
        path = Path(folder) / f"{name}.wav"
        soundfile.write(path, tone, rate)
        return Clip(str(path))

    return make


@pytest.fixture(scope="session")
def clips(make_clip: Callable[..., Clip]) -> list[Clip]:
    """Three clips of different lengths and pitches."""
    return [make_clip("low", 120, 1.0), make_clip("mid", 240, 1.7), make_clip("high", 480, 2.6)]


@pytest.fixture(scope="session")
def orders(clips: list[Clip]) -> list[DrawOrder]:
    """Greedy orders, one a clip."""
    return [order(clip) for clip in clips]


def order(
    clip: Clip, decoding: Decoding | None = None, draws: int = 1, text: str = "How do they feel?"
) -> DrawOrder:
    """An order about one clip."""
    decoding = decoding or Decoding(max_new_tokens=12)
    return DrawOrder(
        (Turn("user", text, (clip,)),), decoding, tuple(range(draws)), Path(clip.path).stem
    )
