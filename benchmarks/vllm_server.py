"""Our engine against a vLLM server on the same model, clips and number of draws.

`python benchmarks/vllm_server.py --vllm-python VENV/bin/python` saves a model with random weights
(`benchmarks/engine.py`), serves it, and lets both sides answer in turns. The server gets one
request a clip for all of its draws (`n`), those of all clips at once; our engine gets them as
orders, and as large a batch. Each round has new clips, which neither side has heard, so that no
cache of the server's answers for it. Of the rounds each side's least counts.
"""

import argparse
import asyncio
import base64
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import openai
import torch
from engine import GEOMETRIES, QUESTION, build, make_clips

from ambi_tasks.audio import Clip
from model_adapters.backend import Decoding, DrawOrder, Turn
from model_adapters.huggingface import HuggingFaceBackend

_START_SECONDS = 300


@contextmanager
def server(python: str, model: Path, threads: int) -> Iterator[str]:
    """A server of the model on a free port of this machine; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "model", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", "float32", "--max-model-len", "2048", "--enforce-eager"]
    command += ["--block-size", "32"]
    quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    sized = {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    environment = {**os.environ, **quiet, **sized, "OMP_NUM_THREADS": str(threads)}
    environment["TORCHDYNAMO_DISABLE"] = "1"
    log = model / "server.log"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(_START_SECONDS):
        if process.poll() is not None:
            raise SystemExit(f"The server ended:\n{log.read_text(encoding='utf-8')[-3000:]}")
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - of this machine
                return
        except OSError:
            time.sleep(1)
    raise SystemExit(f"The server was not up after {_START_SECONDS} s.")


async def _ask(url: str, clips: list[Clip], n: int, tokens: int) -> int:
    """Ask for all draws at once; returns the number of tokens that came."""

    async def one(clip: Clip) -> int:
        data = base64.b64encode(Path(clip.path).read_bytes()).decode()
        audio = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
        content: Any = [audio, {"type": "text", "text": QUESTION}]
        answer = await client.chat.completions.create(
            model="model",
            messages=[{"role": "user", "content": content}],
            n=n,
            max_tokens=tokens,
            temperature=1.0,
            extra_body={"ignore_eos": True, "top_k": -1},
        )
        assert answer.usage is not None
        return answer.usage.completion_tokens

    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        return sum(await asyncio.gather(*map(one, clips)))


def _draw(backend: HuggingFaceBackend, clips: list[Clip], n: int, tokens: int) -> int:
    """Make all draws; returns the number of their tokens."""
    engine = backend._engine  # noqa: SLF001
    engine._batch_size = n * len(clips)  # noqa: SLF001
    engine._ends.clear()  # noqa: SLF001 - as the server is told by `ignore_eos`
    decoding = Decoding(do_sample=True, max_new_tokens=tokens)
    orders = [
        DrawOrder((Turn("user", QUESTION, (clip,)),), decoding, tuple(range(n)), str(clip))
        for clip in clips
    ]
    return sum(answer.tokens or 0 for _, _, answer in backend.draw(orders))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Our engine against a vLLM server.")
    parser.add_argument("--vllm-python", required=True, help="of an environment that has vLLM")
    parser.add_argument("--geometry", choices=GEOMETRIES, default="mid")
    parser.add_argument("--draws", nargs="+", type=int, default=[1, 8, 16, 32])
    parser.add_argument("--tokens", type=int, default=32, help="of an answer")
    parser.add_argument("--seconds", type=float, default=9.4, help="of a clip")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3, help="of which the least counts")
    options = parser.parse_args()
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, processor = build(GEOMETRIES[options.geometry], "cpu", torch.float32)
        model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
        model.save_pretrained(folder / "model")
        processor.save_pretrained(folder / "model")
        backend = HuggingFaceBackend(pretrained=str(folder / "model"), device="cpu")
        with server(options.vllm_python, folder / "model", threads) as url:
            print(
                f"{options.geometry}, {threads} threads, float32; {options.clips} clips of "
                f"{options.seconds} s, {options.tokens} tokens an answer\n"
                f"{'N':>5}{'vLLM s':>10}{'ours s':>10}{'vLLM/ours':>12}{'tokens/s: vLLM':>18}"
                f"{'ours':>8}"
            )
            numbers = count(step=options.clips)
            rounds = partial(_rounds, backend, url, folder, numbers, options)
            rounds(1)  # warms up
            for n in options.draws:
                least = rounds(n)
                tokens = n * options.clips * options.tokens
                print(
                    f"{n:5d}{least[0]:10.2f}{least[1]:10.2f}{least[0] / least[1]:12.2f}"
                    f"{tokens / least[0]:18.0f}{tokens / least[1]:8.0f}",
                    flush=True,
                )


def _rounds(
    backend: HuggingFaceBackend,
    url: str,
    folder: Path,
    numbers: Iterator[int],
    options: argparse.Namespace,
    n: int,
) -> tuple[float, float]:
    """The least seconds of the server, and of our engine; clips are numbered on."""
    found = []
    for first in islice(numbers, options.rounds):
        clips = make_clips(folder, options.clips, options.seconds, first)
        start = time.perf_counter()
        theirs = asyncio.run(_ask(url, clips, n, options.tokens))
        middle = time.perf_counter()
        ours = _draw(backend, clips, n, options.tokens)
        end = time.perf_counter()
        assert theirs == ours == n * len(clips) * options.tokens
        found.append((middle - start, end - middle))
    theirs_least, ours_least = (min(side) for side in zip(*found, strict=True))
    return theirs_least, ours_least


if __name__ == "__main__":
    main()
