"""Finished draws outlive their run."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import Answer, DrawOrder
from model_adapters.draw_store import DrawStore, Question, store_path
from model_adapters.harness import model_class
from model_adapters.huggingface import HuggingFaceBackend
from model_adapters.scripted import ScriptedBackend
from tests.adapters.test_audio_lm import SAMPLED, clone, numbered, request


class Fingerprinted(ScriptedBackend):
    """A scripted backend that has a fingerprint and may die after some draws."""

    def __init__(self, name: str = "model", dies_after: int | None = None) -> None:
        super().__init__(numbered)
        self.name = name
        self.dies_after = dies_after

    def fingerprint(self) -> str:
        return self.name

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        for number, draw in enumerate(super().draw(orders)):
            if number == self.dies_after:
                raise KeyboardInterrupt
            yield draw

    @property
    def asked(self) -> list[tuple[int, ...]]:
        return [order.indices for order in self.orders]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ask(backend: ScriptedBackend, clip: Clip, repeats: int, **settings: Any) -> list[str]:
    lm = AudioLM(backend, **settings)
    return lm.generate_until(clone(request(clip, SAMPLED, repeats)), disable_tqdm=True)


def evidence(draws: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    return [(str(draw), vars(draw)) for draw in draws]


def test_a_run_that_died_goes_on_where_it_stopped(clips: list[Clip]) -> None:
    with pytest.raises(KeyboardInterrupt):
        ask(Fingerprinted(dies_after=3), clips[0], 5)
    again = Fingerprinted()
    found = ask(again, clips[0], 5)
    assert again.asked == [(3, 4)]
    assert evidence(found) == evidence(ask(Fingerprinted(), clips[0], 5, keep_draws=False))


def test_more_draws_extend_the_pool_and_none_ask_no_model(clips: list[Clip]) -> None:
    ask(Fingerprinted(), clips[0], 2)
    more, same = Fingerprinted(), Fingerprinted()
    ask(more, clips[0], 4)
    assert more.asked == [(2, 3)]
    lm = AudioLM(same)
    lm.generate_until(clone(request(clips[0], SAMPLED, 3)), disable_tqdm=True)
    assert same.asked == []
    counts = {"asked": 3, "shared": 0, "stored": 3, "drawn": 0, "tokens": 0}
    assert lm.get_model_info()["draws"] == counts


@pytest.mark.parametrize("other", ["model", "clip", "switched off", "no fingerprint"])
def test_what_differs_is_drawn_anew(clips: list[Clip], other: str) -> None:
    ask(Fingerprinted(), clips[0], 2)
    backend = ScriptedBackend(numbered) if other == "no fingerprint" else Fingerprinted()
    if other == "model":
        backend = Fingerprinted("another")
    ask(backend, clips[other == "clip"], 2, keep_draws=other != "switched off")
    assert [order.indices for order in backend.orders] == [(0, 1)]


def test_a_killed_process_loses_no_finished_draw(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from model_adapters.draw_store import DrawStore, Question\n"
        "from model_adapters.backend import Answer\n"
        "store = DrawStore(Path(sys.argv[1]), 'fingerprint', 'model')\n"
        "for index in range(1000):\n"
        "    answer = Answer(f'text {index}', -index / 3, index, 'length', -index / 7)\n"
        "    store.keep(Question('{}'), index, answer)\n"
        "    if index == 99: os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "draws.sqlite"
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -9
    found = DrawStore(path, "fingerprint", "model").finished(Question("{}"), range(1000))
    assert found == {n: Answer(f"text {n}", -n / 3, n, "length", -n / 7) for n in range(100)}


@pytest.mark.parametrize("content", [b"no database at all" * 99, b""])
def test_a_file_that_is_no_store_is_set_aside(clips: list[Clip], content: bytes) -> None:
    store_path().parent.mkdir(parents=True)
    if content:
        store_path().write_bytes(content)
    else:
        with sqlite3.connect(store_path()) as foreign:
            foreign.execute("CREATE TABLE draws (something_else TEXT)")
        foreign.close()
    ask(Fingerprinted(), clips[0], 1)
    again = Fingerprinted()
    ask(again, clips[0], 1)
    assert again.asked == []
    assert len(list(store_path().parent.glob("draws.sqlite.broken-*"))) == 1


def test_a_store_that_cannot_be_written_is_a_sentence(clips: list[Clip], cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"cannot be kept at .*set AMBI_CACHE .*keep_draws=False"):
        ask(Fingerprinted(), clips[0], 1)


def test_checkpoints_and_settings_have_fingerprints_of_their_own(
    tiny_model: str, tmp_path: Path
) -> None:
    def fingerprint(**settings: Any) -> str | None:
        chosen = {"pretrained": tiny_model, "device": "cpu", **settings}
        return HuggingFaceBackend(**chosen).fingerprint()

    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)  # keeps the files' times
    assert fingerprint() == fingerprint(batch_size=8) == fingerprint(pretrained=str(other))
    for file in sorted(other.iterdir()):
        content, state = file.read_bytes(), file.stat()
        file.write_bytes(content + b" ")
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert fingerprint(pretrained=str(other)) != fingerprint(), file.name
        file.write_bytes(content)
        assert fingerprint(pretrained=str(other)) != fingerprint(), "its time alone has changed"
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    changed = [fingerprint(dtype="bfloat16"), fingerprint(long_audio="truncate")]
    assert len({fingerprint(), *changed}) == 3


def test_a_real_model_is_not_loaded_for_draws_that_are_there(
    tiny_model: str, clips: list[Clip]
) -> None:
    settings = {"pretrained": tiny_model, "device": "cpu", "batch_size": 3}
    asked = clone(request(clips[0], {**SAMPLED, "max_gen_toks": 5}, repeats=3))
    first = model_class("alm_hf")(**settings).generate_until(asked, disable_tqdm=True)
    lm = model_class("alm_hf")(**{**settings, "batch_size": 1})
    assert evidence(lm.generate_until(asked, disable_tqdm=True)) == evidence(first)
    assert "_engine" not in vars(lm.backend)
    assert lm.get_model_info()["model_sha"]
