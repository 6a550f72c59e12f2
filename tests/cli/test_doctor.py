"""`ambi doctor`."""

import json
import shutil
from pathlib import Path

import pytest

from ambi_tasks.doctor.record import NOT_EXAMINED, Examination, find
from ambi_tasks.doctor.stimuli import demo_clips
from model_adapters import registry
from model_adapters.harness import model_class
from tests.cli.runner import ambi, rows
from tests.doctor import backends


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))
    kinds = {"alm_listener": backends.Listener, "alm_deaf": backends.DeafScorer}
    kinds |= {"alm_constant": backends.Constant, "alm_moody": backends.MoodyAndSaysSo}
    for name, kind in kinds.items():
        monkeypatch.setitem(registry._ADAPTERS, name, kind)
    return tmp_path / "cache"


@pytest.fixture
def five_clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for clip in demo_clips()[:5]:
        shutil.copy(clip.path, folder)
    return folder


def test_the_demo_model_is_healthy_and_its_results_say_so(five_clips: Path) -> None:
    lm = model_class("alm_hf")(pretrained="demo")
    assert lm.get_model_info()["doctor"] == {"verdict": NOT_EXAMINED}
    asked = ("doctor", "--model", "alm_hf", "--model_args", "pretrained=demo")
    result = ambi(*asked, "--clips", five_clips)
    assert result.exit_code == 0, result.output
    assert "Healthy: it hears, and nothing is amiss." in rows(result.stdout)
    assert "5 clips, batch size 8, judged by label log-likelihoods." in result.stdout
    assert any(row.startswith("tlr ") and row.count(":") == 4 for row in rows(result.stdout))
    said = lm.get_model_info()["doctor"]
    assert said["verdict"] == "healthy"
    assert said["checks"]["hears_silence"]["values"]["share"] > 0.1
    assert said["fingerprint"] == lm.backend.fingerprint()
    assert model_class("alm_hf")(pretrained="demo", dtype="bfloat16").get_model_info()[
        "doctor"
    ] == {"verdict": NOT_EXAMINED}


@pytest.mark.parametrize(
    ("adapter", "exit_code", "conclusion"),
    [
        ("alm_listener", 0, "Healthy: it hears"),
        ("alm_deaf", 1, "It does not hear: whatever is played, it answers the same; fails: hears_"),
        ("alm_constant", 1, "It gives one answer to everything; fails: answers_vary, hears_"),
        ("alm_moody", 2, "Fit for the benchmark, with care; warnings: repeats, any_batch."),
    ],
)
def test_the_verdict_is_the_exit_code(adapter: str, exit_code: int, conclusion: str) -> None:
    result = ambi("doctor", "--model", adapter, "--model_args", "fingerprint=x")
    assert result.exit_code == exit_code, result.output
    assert any(row.startswith(conclusion) for row in rows(result.stdout))
    found = find("x")
    assert found is not None
    assert found.adapter == adapter


def test_the_record_can_be_had(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    result = ambi("doctor", "--model", "alm_listener", "--json", target)
    written = Examination.model_validate(json.loads(target.read_text()))
    assert written.fingerprint is None
    assert "no fingerprint, so the record is not kept" in result.stdout
    assert "bon cannot be run: " in result.stdout


def test_the_page_fits_a_terminal() -> None:
    result = ambi("doctor", "--model", "alm_listener", width=80)
    lines = result.stdout.splitlines()
    assert len(lines) < 66
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "alm_hff"), "There is no adapter 'alm_hff'; did you mean 'alm_hf'?"),
        (("--model", "alm_listener", "--model_args", "x=1"), "has no model_args 'x'"),
        (("--model", "alm_listener", "--clips", "/nowhere"), "/nowhere is not a folder"),
        (("--model", "alm_listener", "--json", "/nowhere/x.json"), "cannot be written"),
        (("--model", "alm_hf", "--model_args", "pretrained=/nowhere"), "cannot load '/nowhere'"),
    ],
)
def test_what_cannot_be_examined_is_a_sentence(arguments: tuple[str, ...], message: str) -> None:
    result = ambi("doctor", *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    said = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert message in said[0]
