"""Every command of the README, run as it stands there but for what only the user has."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ambi_tasks.strategies import all_strategies
from tests.corpora.builders import write_crema_d, write_tone

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
HARNESS = [line for line in COMMANDS if "lm_eval --tasks" in line]
CORPORA = [line for line in COMMANDS if line.startswith("ambi corpora")]
PROMPTS = [line for line in COMMANDS if line.startswith("ambi prompts")]
BOARD = [line for line in COMMANDS if line.startswith(("ambi submit", "ambi validate"))]
LOGS = [line for line in COMMANDS if line.endswith(" results/") and line.startswith("ambi ")]


def recipe(target: str) -> str:
    """What make would run."""
    printed = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return printed.stdout


def run(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command of the README in a folder of its own, on two utterances."""
    binaries = str(Path(sys.executable).parent)
    environment = {**os.environ, "HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    environment["AMBI_CACHE"] = str(folder / "cache")
    environment["PATH"] = f"{binaries}{os.pathsep}{environment['PATH']}"
    words = command.replace("pretrained=Qwen/Qwen2-Audio-7B-Instruct", "pretrained=demo")
    if "lm_eval --tasks" in words:
        words += " --limit 2"
    return subprocess.run(
        words,
        shell=True,
        executable="/bin/bash",
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_every_command_is_known_to_these_tests() -> None:
    others = {
        "ambi draws",
        "make demo",
        "make test",
        "make check",
        "pip install .",
        "lm_eval ls tasks",
    }
    known = [*HARNESS, *CORPORA, *PROMPTS, *LOGS, *BOARD]
    assert set(COMMANDS) == others | set(known)
    assert len(BOARD) == 2  # tests/leaderboard/test_newcomer.py runs them, on a whole corpus
    assert len(CORPORA) == 4
    assert len(PROMPTS) == 2
    assert len(LOGS) == 4
    assert len(HARNESS) == 3


@pytest.mark.parametrize("command", HARNESS)
def test_evaluations(command: str, tmp_path: Path) -> None:
    clips = {f"{1001 + n}_DFA_ANG_XX": {"A": 5, "N": 3} for n in range(3)}
    root = write_crema_d(tmp_path / "CREMA-D", clips)
    if "missing_audio" in command:
        (root / "AudioWAV" / "1003_DFA_ANG_XX.wav").unlink()
    for wav in (root / "AudioWAV").glob("*.wav"):  # the look-alike's tones are short
        write_tone(wav, seconds=1.0)
    finished = run(command, tmp_path)
    assert finished.returncode == 0, finished.stderr
    words = shlex.split(command)
    for task in words[words.index("--tasks") + 1].split(","):
        singles = [f"{task}_{name}" for name in all_strategies()] if task == "ambi_demo" else [task]
        for single in singles:
            assert re.search(rf"\|(?: - )?{single} *\|", finished.stdout)
            if "--output_path" in command:
                assert len(list(tmp_path.glob(f"results/*/samples_{single}_*.jsonl"))) == 1
    assert re.search(r"\|js +\|↓ +\| *0\.\d{4}\|", finished.stdout)
    if "--output_path" in command and "ambi_demo" in command:
        for line in [*LOGS, "ambi draws"]:
            again = run(line, tmp_path)
            assert again.returncode == 0, again.stderr
            said = {"ambi report results/": "report/index.html", "ambi draws": "demo"}
            assert said.get(line, "ambi_demo_sc") in again.stdout


@pytest.mark.parametrize("command", CORPORA)
def test_corpora(command: str, tmp_path: Path) -> None:
    finished = run(command, tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "The demo corpus" in finished.stdout


@pytest.mark.parametrize("command", PROMPTS)
def test_prompts(command: str, tmp_path: Path) -> None:
    finished = run(command, tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert ("verifier_rating" if command == "ambi prompts" else "<task>") in finished.stdout


def test_make_demo_runs_the_command_that_the_readme_shows() -> None:
    shown = next(line for line in HARNESS if "ambi_demo " in line)
    assert f".venv/bin/{shown}" in recipe("demo").splitlines()


def test_make_installs_and_runs_what_the_readme_says() -> None:
    assert any(line.split()[0] == ".venv/bin/pytest" for line in recipe("test").splitlines())
    for target in ("demo", "test"):
        assert "pip install --quiet torch==2.13.0" in recipe(target)
    checks = recipe("check")
    for tool in ("ruff check", "ruff format --check", "mypy"):
        assert f".venv/bin/{tool}" in checks


def test_listing(tmp_path: Path) -> None:
    assert "|ambi_demo_sc " in run("lm_eval ls tasks", tmp_path).stdout
