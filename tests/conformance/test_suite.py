"""The conformance suite passes what conforms, and each of its checks finds a broken adapter."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ambi_tasks.errors import UserError
from model_adapters.backend import Backend
from model_adapters.conformance import test_adapter as suite
from model_adapters.conformance.check import CHECKS, NonconformingError
from model_adapters.conformance.subject import Subject
from model_adapters.huggingface import HuggingFaceBackend
from tests.conformance import adapters
from tests.conformance.adapters import BROKEN

KEY = "a-key-of-twenty-five-signs"


def subject_of(kind: type[Backend], **arguments: Any) -> Subject:
    return Subject(kind.__name__, kind, arguments)


@pytest.fixture(scope="module")
def demo() -> Subject:
    return Subject("alm_hf", HuggingFaceBackend, {"pretrained": "demo", "device": "cpu"})


def run(name: str, subject: Subject) -> None:
    if not CHECKS[name].applies(subject.backend.capabilities):
        pytest.skip("not a matter of what this adapter claims to do")
    CHECKS[name].run(subject)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_the_demo_model_conforms(name: str, demo: Subject) -> None:
    run(name, demo)


@pytest.mark.parametrize("kind", [adapters.Conforming, adapters.Modest])
@pytest.mark.parametrize("name", sorted(CHECKS))
def test_the_scripted_adapter_conforms(
    name: str, kind: type[Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    run(name, subject_of(kind))


def test_every_check_applies_to_somebody() -> None:
    can = [adapters.Conforming.capabilities, adapters.Modest.capabilities]
    assert all(any(check.applies(one) for one in can) for check in CHECKS.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(name, kind, id=f"{name}-{kind.__name__}")
        for name, kinds in BROKEN.items()
        for kind in kinds
    ],
)
def test_each_check_finds_what_it_is_for(
    name: str, kind: type[Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    arguments = {"api_key": KEY} if kind is adapters.TellsItsArguments else {}
    subject = subject_of(kind, **arguments)
    assert CHECKS[name].applies(subject.backend.capabilities)
    expected = OSError if kind is adapters.EndsInATraceback else NonconformingError
    with pytest.raises(expected) as found:
        CHECKS[name].run(subject)
    assert "\n" not in str(found.value)


def test_every_check_is_shown_to_fail() -> None:
    assert set(BROKEN) == set(CHECKS)
    assert all(check.run.__doc__ for check in CHECKS.values())


def pytest_on(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the suite as an adapter's author does, from a folder of their own."""
    repository = Path(suite.__file__).parents[2]
    command = ["-m", "pytest", "-p", "model_adapters.conformance.options", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, *command, "--pyargs", "model_adapters.conformance", *arguments],
        env={**os.environ, "PYTHONPATH": str(repository), "SOME_API_KEY": KEY},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_command_passes_what_conforms_and_names_what_does_not(tmp_path: Path) -> None:
    good = pytest_on("--adapter", "tests.conformance.adapters:Conforming", folder=tmp_path)
    assert good.returncode == 0, good.stdout
    assert f"{len(CHECKS) - 1} passed, 1 skipped" in good.stdout
    bad = pytest_on(
        *("--adapter", "tests.conformance.adapters:TellsItsArguments"),
        *("--model-args", f"api_key={KEY}"),
        folder=tmp_path,
    )
    assert bad.returncode == 1
    assert "describe() tells the value of " in bad.stdout
    assert f"1 failed, {len(CHECKS) - 2} passed" in bad.stdout


def test_without_an_adapter_it_says_what_to_do(tmp_path: Path) -> None:
    ended = pytest_on(folder=tmp_path)
    assert ended.returncode == 4
    assert "Name the adapter to test: --adapter NAME" in ended.stdout


@pytest.mark.parametrize(
    ("adapter", "sentence"),
    [
        ("alm_hff", "did you mean 'alm_hf'?"),
        ("no.module:X", "--adapter no.module:X cannot be imported"),
        ("pathlib:Path", "--adapter pathlib:Path is no subclass of Backend"),
    ],
)
def test_who_is_no_adapter_is_told_so(adapter: str, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        suite.find_adapter(adapter)
