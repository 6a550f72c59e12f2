"""What N answers to one question cost, four ways: `python benchmarks/engine.py`.

* separate requests, as the harness's repeats make them: clip, prompt and answer anew each time;
* `generate(num_return_sequences=N)`, which copies the clip's features before the encoder;
* our engine;
* the limit: encoder and prompt once, then N rows in a loop written by hand for this one case, with
  the cache of transformers and no stop, no reading ahead, no bookkeeping.

All draw as many tokens from the same model on the same clips. The sides take turns in each round,
and of the rounds each side's least counts. Random weights: time does not depend on what they say.
"""

import argparse
import gc
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile
import torch
from transformers import (
    Qwen2AudioConfig,
    Qwen2AudioEncoderConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen2Config,
    WhisperFeatureExtractor,
)

from ambi_tasks.audio import SAMPLING_RATE, Clip, load_waveform
from ambi_tasks.demo.tiny_model import build_tokenizer, render_chat
from model_adapters.backend import Decoding, DrawOrder, Turn
from model_adapters.huggingface.engine import Engine
from model_adapters.huggingface.families import family_of

QUESTION = (
    "Listen to the clip. Ten people were asked which emotion the speaker expresses. What share of "
    "them chose anger, disgust, fear, happiness, sadness and a neutral state? Answer in JSON, one "
    "number for each."
)


@dataclass(frozen=True)
class Geometry:
    """The shape of a Qwen2-Audio: its encoder and its language model."""

    encoder: dict[str, int]
    decoder: dict[str, int]
    vocabulary: int | None = None


def _geometry(
    encoder: tuple[int, ...], decoder: tuple[int, ...], vocabulary: int | None = None
) -> Geometry:
    """From width, width of the feed-forward layers, layers, heads (and heads of keys)."""
    names = ("d_model", "encoder_ffn_dim", "encoder_layers", "encoder_attention_heads")
    text = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    return Geometry(
        dict(zip(names, encoder, strict=True)),
        dict(zip((*text, "num_key_value_heads"), decoder, strict=True)),
        vocabulary,
    )


GEOMETRIES = {
    "tiny": _geometry((32, 64, 2, 4), (64, 128, 2, 4, 2)),
    "mid": _geometry((384, 1536, 4, 6), (512, 1408, 6, 8, 4)),
    "ratio": _geometry((256, 1024, 6, 4), (768, 2048, 8, 12, 12)),
    "qwen2-audio-7b": _geometry((1280, 5120, 32, 20), (4096, 11008, 32, 32, 32), 156_032),
}
"""The share of the encoder in `ratio` is that of Qwen2-Audio-7B."""


def build(geometry: Geometry, device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """A model with random weights, and its processor."""
    tokenizer = build_tokenizer()
    features = WhisperFeatureExtractor(
        feature_size=128, sampling_rate=SAMPLING_RATE, chunk_length=30, return_attention_mask=True
    )
    vocabulary = geometry.vocabulary or len(tokenizer)
    config = Qwen2AudioConfig(
        audio_config=Qwen2AudioEncoderConfig(
            num_mel_bins=128, max_source_positions=1500, **geometry.encoder
        ),
        text_config=Qwen2Config(
            vocab_size=vocabulary, tie_word_embeddings=False, **geometry.decoder
        ),
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model = Qwen2AudioForConditionalGeneration(config).eval()
    torch.set_default_dtype(torch.float32)
    # No token of the vocabulary: all sides write answers of the same length.
    model.generation_config.eos_token_id = vocabulary
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model, Qwen2AudioProcessor(features, tokenizer)


def make_clips(folder: Path, count: int, seconds: float, first: int = 0) -> list[Clip]:
    """Noise of so many seconds, seeded by the clips' numbers from `first` on."""
    clips = []
    for number in range(first, first + count):
        samples = np.random.default_rng(number).normal(0, 0.1, round(seconds * SAMPLING_RATE))
        path = folder / f"{number}.wav"
        soundfile.write(path, samples, SAMPLING_RATE)
        clips.append(Clip(str(path)))
    return clips


class Sides:
    """The four ways; each takes N and makes all draws."""

    def __init__(self, model: Any, processor: Any, clips: list[Clip], tokens: int) -> None:
        self.model, self.processor, self.clips, self.tokens = model, processor, clips, tokens
        self.text = render_chat(processor, QUESTION)
        self.sampling = {"do_sample": True, "top_k": 0, "max_new_tokens": tokens}
        self.engine = Engine(model, processor, family_of("qwen2_audio"), 1, "refuse")

    def _inputs(self, clip: Clip) -> Any:
        inputs = self.processor(
            text=self.text,
            audio=[load_waveform(clip)],
            sampling_rate=SAMPLING_RATE,
            return_tensors="pt",
        )
        return inputs.to(self.model.device, self.model.dtype)

    def separate(self, n: int) -> None:
        """One request a draw."""
        for clip in self.clips:
            for _ in range(n):
                self.model.generate(**self._inputs(clip), **self.sampling)

    def returned(self, n: int) -> None:
        """One request a clip."""
        for clip in self.clips:
            self.model.generate(**self._inputs(clip), **self.sampling, num_return_sequences=n)

    def ours(self, n: int) -> None:
        """Our engine, all clips at once."""
        self.engine._batch_size = n  # noqa: SLF001
        decoding = Decoding(do_sample=True, max_new_tokens=self.tokens)
        orders = [
            DrawOrder((Turn("user", QUESTION, (clip,)),), decoding, tuple(range(n)), str(clip))
            for clip in self.clips
        ]
        found = list(self.engine.draw(orders))
        assert (
            sum(answer.tokens or 0 for _, _, answer in found) == n * len(self.clips) * self.tokens
        )

    def limit(self, n: int) -> None:
        """No framework."""
        for clip in self.clips:
            inputs = self._inputs(clip)
            length = inputs["input_ids"].shape[1]
            output = self.model(**inputs, use_cache=True, logits_to_keep=1)
            name = "cache" if "cache" in output else "past_key_values"
            named = {name: output[name]}
            output[name].batch_repeat_interleave(n)
            logits = output.logits[:, -1].repeat_interleave(n, 0)
            written = []
            for step in range(self.tokens):
                token = torch.multinomial(logits.float().softmax(-1), 1)
                written.append(token)
                if step + 1 < self.tokens:
                    position = torch.full_like(token, length + step)
                    logits = self.model(input_ids=token, position_ids=position, **named).logits[
                        :, -1
                    ]
            self.processor.tokenizer.batch_decode(torch.cat(written, dim=1))


@contextmanager
def peak_memory(device: str) -> Iterator[Callable[[], float]]:
    """Watch memory; what it gives says by how many MiB it rose at most.

    On a CPU the process's resident memory is read every 2 ms.
    """
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield lambda: (torch.cuda.max_memory_allocated() - before) / 2**20
        return
    process = psutil.Process()
    start = process.memory_info().rss
    most = [start]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: (most[0] - start) / 2**20
    finally:
        done.set()
        thread.join()


@torch.inference_mode()
def timed(side: Callable[[int], None], n: int, device: str) -> tuple[float, float]:
    """Seconds, and MiB at the peak."""
    gc.collect()
    with peak_memory(device) as risen:
        start = time.perf_counter()
        side(n)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - start, risen()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Time N draws of one question, four ways.")
    parser.add_argument("--geometry", nargs="+", choices=GEOMETRIES, default=["tiny", "mid"])
    parser.add_argument("--draws", nargs="+", type=int, default=[1, 4, 8, 16, 32])
    parser.add_argument("--tokens", type=int, default=32, help="of an answer")
    parser.add_argument("--seconds", type=float, default=9.4, help="of a clip")
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="of which the least counts")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16", "float16"))
    options = parser.parse_args()
    where = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    print(
        f"{where}, {torch.get_num_threads()} threads, {options.dtype}; {options.clips} clips of "
        f"{options.seconds} s, {options.tokens} tokens an answer; least of {options.rounds} rounds"
    )
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(Path(folder), options.clips, options.seconds)
        for name in options.geometry:
            model, processor = build(
                GEOMETRIES[name], options.device, getattr(torch, options.dtype)
            )
            sides = Sides(model, processor, clips, options.tokens)
            run_geometry(name, sides, options)


def run_geometry(name: str, sides: Sides, options: argparse.Namespace) -> None:
    """Measure one model and print its table."""
    ways = {
        "separate": sides.separate,
        "num_return": sides.returned,
        "ours": sides.ours,
        "limit": sides.limit,
    }
    millions = sum(parameter.numel() for parameter in sides.model.parameters()) / 1e6
    print(f"\n{name}: {millions:.1f} M parameters")
    print(
        f"{'':5}{'seconds':^38} |{'times ours':^22} | ours / | tokens/s |{'MiB':^27}\n"
        f"{'N':>5}{'separate':>9}{'num_return':>11}{'ours':>9}{'limit':>9} |{'separate':>10}"
        f"{'num_return':>12} |  limit |     ours |{'num_return':>11}{'ours':>8}{'limit':>8}"
    )
    for way in ways.values():
        timed(way, 1, options.device)  # warms up
    for n in options.draws:
        rounds = [
            {way: timed(run, n, options.device) for way, run in ways.items()}
            for _ in range(options.rounds)
        ]
        least = {way: min(one[way][0] for one in rounds) for way in ways}
        memory = {way: max(one[way][1] for one in rounds) for way in ways}
        speed = n * options.clips * options.tokens / least["ours"]
        ratio = {way: seconds / least["ours"] for way, seconds in least.items()}
        print(
            f"{n:5d}{least['separate']:9.2f}{least['num_return']:11.2f}{least['ours']:9.2f}"
            f"{least['limit']:9.2f} |{ratio['separate']:10.1f}{ratio['num_return']:12.1f} |"
            f"{1 / ratio['limit']:7.2f} |{speed:9.0f} |{memory['num_return']:11.0f}"
            f"{memory['ours']:8.0f}{memory['limit']:8.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
