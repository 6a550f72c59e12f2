"""What concurrency gives `alm_api`: `python benchmarks/api_throughput.py`.

A server of our own answers each request after 200 ms, on loopback and in a process of its own. The
same questions (a clip of three seconds each) are asked one after the other, and then many at once;
nothing is kept between the two, and the server makes one draw of a request, so that requests are
what is counted. Both sides run in each round, and the least of each side's seconds counts.
"""

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from ambi_tasks.audio import SAMPLING_RATE, Clip
from model_adapters.backend import Decoding, DrawOrder, Turn
from model_adapters.chat_api import ChatApiBackend

_REPOSITORY = Path(__file__).parents[1]
_CLIP_SECONDS = 3
_PROMPT = "Estimate how the votes are shared among these emotions: happy, sad. " * 5


@contextmanager
def server(latency: float) -> Iterator[str]:
    """Run the tests' server; its URL."""
    command = [sys.executable, "-m", "tests.adapters.chat_api.server", "--latency", str(latency)]
    process = subprocess.Popen(command, cwd=_REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def write_clips(folder: Path, number: int) -> list[Clip]:
    """Noise, each clip another."""
    clips = []
    for seed in range(number):
        noise = np.random.default_rng(seed).normal(0, 0.1, _CLIP_SECONDS * SAMPLING_RATE)
        path = folder / f"{seed}.wav"
        soundfile.write(path, noise, SAMPLING_RATE)
        clips.append(Clip(str(path)))
    return clips


def seconds(url: str, clips: list[Clip], num_concurrent: int) -> tuple[float, float]:
    """Ask one question about each clip.

    Returns:
        Seconds by the clock, and seconds of computing.
    """
    backend = ChatApiBackend(model="tiny-audio", base_url=url, num_concurrent=num_concurrent)
    decoding = Decoding(do_sample=True, max_new_tokens=64)
    orders = [
        DrawOrder((Turn("user", _PROMPT, (clip,)),), decoding, (0,), clip.path) for clip in clips
    ]
    start, computing = time.perf_counter(), time.process_time()
    answers = sum(1 for _ in backend.draw(orders))
    taken = time.perf_counter() - start, time.process_time() - computing
    assert answers == len(orders)
    return taken


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Time concurrent requests against sequential.")
    parser.add_argument("--requests", type=int, default=320, help="on each side")
    parser.add_argument("--num-concurrent", type=int, default=32, help="as in --model_args")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds before an answer")
    parser.add_argument("--rounds", type=int, default=2, help="of which the least counts")
    options = parser.parse_args()
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, server(options.latency) as url:
        clips = write_clips(Path(folder), options.requests)
        seconds(url, clips[:8], 8)  # imports
        rounds = [
            (seconds(url, clips, 1), seconds(url, clips, options.num_concurrent))
            for _ in range(options.rounds)
        ]
    one, many = (min(side) for side in zip(*rounds, strict=True))
    print(f"{options.requests} requests, {options.latency * 1e3:.0f} ms each; seconds (computing):")
    print(f"  one at a time  {one[0]:8.2f} ({one[1]:.2f})")
    print(f"  {options.num_concurrent} at once     {many[0]:8.2f} ({many[1]:.2f})")
    print(f"ratio: {one[0] / many[0]:.1f}")


if __name__ == "__main__":
    main()
