"""Finished draws outlive their run."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from model_adapters import draw_store
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import Answer, DrawOrder
from model_adapters.draw_store import DrawStore, Question, store_path
from model_adapters.harness import model_class
from model_adapters.huggingface import HuggingFaceBackend, backend
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
    assert lm.get_model_info()["draws"] == {**counts, "seconds": 0.0}


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


def fill(path: Path, count: int) -> tuple[DrawStore, list[Answer]]:
    """Keep draws and do not close the store, as a killed process does.

    The store must be held: SQLite takes the log away with the last that is open.
    """
    store = DrawStore(path, "fingerprint", "model")
    answers = [Answer(f"text {n}" * 20, -n / 3, n, "length") for n in range(count)]
    for n, answer in enumerate(answers):
        store.keep(Question("{}"), n, answer)
    return store, answers


def copied(path: Path, folder: Path, log_bytes: int | None = None) -> Path:
    """What a power cut would leave: the file, and so much of the log as reached the disk."""
    folder.mkdir()
    shutil.copy(path, folder)
    if log_bytes is not None:
        (folder / f"{path.name}-wal").write_bytes(Path(f"{path}-wal").read_bytes()[:log_bytes])
    return folder / path.name


def test_after_a_power_cut_the_store_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(draw_store, "DISK_SECONDS", 3600.0)  # nothing was brought to the disk yet
    path = tmp_path / "draws.sqlite"
    running, answers = fill(path, 60)
    size = Path(f"{path}-wal").stat().st_size
    cuts = [0, size, *random.Random(3).sample(range(size), 18)]
    counts = []
    for number, cut in enumerate(sorted(cuts)):
        left = copied(path, tmp_path / str(number), cut)
        store = DrawStore(left, "fingerprint", "model")
        found = store.finished(Question("{}"), range(60))
        assert found == dict(enumerate(answers[: len(found)]))
        counts.append(len(found))
        store.close()
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 60)
    assert caplog.text == ""
    running.close()


def test_draws_reach_the_disk_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the log, which a power cut may take, the file holds them soon."""
    monkeypatch.setattr(draw_store, "DISK_SECONDS", 0.05)
    path = tmp_path / "draws.sqlite"
    running, answers = fill(path, 5)
    for attempt in range(100):
        time.sleep(0.05)
        alone = DrawStore(copied(path, tmp_path / str(attempt)), "fingerprint", "model")
        found = alone.finished(Question("{}"), range(5))
        alone.close()
        if len(found) == 5:
            break
    assert found == dict(enumerate(answers))
    running.close()


def test_a_damaged_store_is_set_aside_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "draws.sqlite"
    store = DrawStore(path, "fingerprint", "model")
    for n in range(400):
        store.keep(Question("{}"), n, Answer("text " * 40))
    store.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\x07" * 4096
    path.write_bytes(content)
    log = b"a log that must not be read into the new store"
    Path(f"{path}-wal").write_bytes(log)
    again = DrawStore(path, "fingerprint", "model")
    assert again.finished(Question("{}"), range(400)) == {}
    assert "was set aside as" in caplog.text
    aside = tmp_path / "draws.sqlite.broken-1"
    assert aside.read_bytes()[middle : middle + 4096] == b"\x07" * 4096
    again.close()


def test_what_is_set_aside_replaces_nothing_and_takes_its_log_along(tmp_path: Path) -> None:
    path = tmp_path / "draws.sqlite"
    for number in (1, 2, 3):
        path.write_bytes(b"no database at all" * 99)
        Path(f"{path}-wal").write_bytes(f"log {number}".encode())
        DrawStore(path, "fingerprint", "model").close()
    for number in (1, 2, 3):
        aside = tmp_path / f"draws.sqlite.broken-{number}"
        assert aside.read_bytes() == b"no database at all" * 99
        assert Path(f"{aside}-wal").read_bytes() == f"log {number}".encode()


def test_a_store_that_is_held_is_not_taken_for_a_broken_one(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(Fingerprinted(), clips[0], 1)
    monkeypatch.setattr(draw_store, "BUSY_SECONDS", 0.05)
    with sqlite3.connect(store_path(), isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match=r"cannot be kept at .* \(database is locked\)"):
            ask(Fingerprinted(), clips[0], 1)
        holder.execute("ROLLBACK")
    holder.close()
    again = Fingerprinted()
    ask(again, clips[0], 1)
    assert again.asked == []


def test_processes_that_meet_a_broken_store_set_it_aside_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from model_adapters.draw_store import DrawStore, Question\n"
        "from model_adapters.backend import Answer\n"
        "store = DrawStore(Path(sys.argv[1]), 'fingerprint', 'model')\n"
        "store.keep(Question('{}'), int(sys.argv[2]), Answer('text'))\n"
        "store.close()\n"
    )
    path = tmp_path / "draws.sqlite"
    path.write_bytes(b"no database at all" * 99)
    command = [sys.executable, "-c", code, str(path)]
    processes = [subprocess.Popen([*command, str(n)]) for n in range(4)]
    assert [one.wait(60) for one in processes] == [0, 0, 0, 0]
    store = DrawStore(path, "fingerprint", "model")
    assert len(store.finished(Question("{}"), range(4))) == 4
    assert len(list(tmp_path.glob("*.broken-*"))) == 1
    store.close()


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
    of_ranks = []
    for device in ("cuda:0", "cuda:1"):
        one = HuggingFaceBackend(pretrained=tiny_model, device="cpu", dtype="float32")
        one._device = device
        of_ranks.append(one.fingerprint())
    assert of_ranks[0] == of_ranks[1] != fingerprint(dtype="float32")
    changed = [fingerprint(dtype="bfloat16"), fingerprint(long_audio="truncate")]
    assert len({fingerprint(), *changed}) == 3


def test_loras_and_what_they_rest_on_have_fingerprints_of_their_own(
    tiny_model: str, tmp_path: Path
) -> None:
    """A LoRA may lie in a subfolder, and the weights under it anywhere."""
    base, lora = tmp_path / "base", tmp_path / "lora"
    for folder in (base, lora):
        shutil.copytree(tiny_model, folder)
    seen: list[str | None] = []

    def note() -> None:
        seen.append(HuggingFaceBackend(pretrained=str(lora), device="cpu").fingerprint())

    note()
    (lora / "speech-lora").mkdir()
    (lora / "speech-lora" / "adapter_model.safetensors").write_bytes(b"weights")
    note()
    (lora / "speech-lora" / "adapter_model.safetensors").write_bytes(b"WEIGHTS")
    note()
    settings = {"base_model_name_or_path": str(base), "peft_type": "LORA"}
    (lora / "adapter_config.json").write_text(json.dumps(settings))
    note()
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    note()
    assert len(set(seen)) == len(seen) == 5
    assert None not in seen
    (lora / ".cache").mkdir()
    (lora / ".cache" / "lock").write_text("of a download")
    note()
    assert seen[-1] == seen[-2]


def test_versions_of_adapter_and_libraries_have_fingerprints_of_their_own(
    tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fingerprint() -> str | None:
        return HuggingFaceBackend(pretrained=tiny_model, device="cpu").fingerprint()

    before = fingerprint()
    code = tmp_path / "model_adapters"
    shutil.copytree(Path(backend.__file__).parents[1], code)
    monkeypatch.setattr(backend, "__file__", str(code / "huggingface" / "backend.py"))
    assert fingerprint() == before
    for file in (code / "noise.py", code / "huggingface" / "families" / "qwen2_audio.py"):
        file.write_text(file.read_text() + "\n# another version\n")
        assert fingerprint() != before
        file.write_text(file.read_text().removesuffix("\n# another version\n"))
    (code / "conformance" / "check.py").write_text("# draws nothing")
    assert fingerprint() == before
    for library in ("torch", "transformers", "tokenizers", "soxr"):
        with monkeypatch.context() as patch:
            patch.setattr(
                backend,
                "version",
                lambda name, changed=library: "0" if name == changed else version(name),
            )
            assert fingerprint() != before, library


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
