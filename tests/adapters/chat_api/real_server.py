"""Servers of others, each in a process of its own on loopback."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], port: int, environment: Mapping[str, str], log: Path, *, seconds: float
) -> Iterator[str]:
    """Start a server, wait until it answers, and end it behind the tests; its URL."""
    base = f"http://127.0.0.1:{port}/v1"
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", **environment}
    with log.open("w") as file:
        server = subprocess.Popen(
            command, env=variables, stdout=file, stderr=file, start_new_session=True
        )
        try:
            end = time.monotonic() + seconds
            while not _answers(base):
                if time.monotonic() > end or server.poll() is not None:
                    pytest.fail(f"{command[0]} did not start:\n{log.read_text()[-3000:]}")
                time.sleep(0.5)
            yield base
        finally:
            _end(server)


def _end(server: "subprocess.Popen[bytes]") -> None:
    """Ask it to end; if it does not, end it with all that it has started."""
    server.terminate()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(30)


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/models", timeout=5):
            return True
    except OSError:
        return False
