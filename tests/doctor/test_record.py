"""The record of an examination is kept by fingerprint, and found by a run of the same model."""

import json
from pathlib import Path

import pytest

from ambi_tasks.doctor.record import (
    NOT_EXAMINED,
    Check,
    Examination,
    find,
    record_path,
    save,
    summary_of,
)
from ambi_tasks.errors import UserError
from model_adapters.audio_lm import AudioLM
from model_adapters.scripted import ScriptedBackend


class Fingerprinted(ScriptedBackend):
    def fingerprint(self) -> str:
        return "f00d"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def examination(*verdicts: str, fingerprint: str | None = "f00d") -> Examination:
    checks = [
        Check(name=f"check_{n}", verdict=verdict, sentence="A sentence.", values={"p": 0.5})
        for n, verdict in enumerate(verdicts)
    ]
    return Examination(
        adapter="alm_hf",
        model_name="demo",
        model={"model_dtype": "float32"},
        fingerprint=fingerprint,
        examined="2026-11-25T12:00:00+00:00",
        ambi_tasks_version="0.1.0",
        evidence="label log-likelihoods",
        labels=("happy", "sad"),
        clips=("aa",),
        batch_size="8",
        checks=tuple(checks),
        answers_sha256="bb",
    )


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], "healthy"),
        (["ok", "ok"], "healthy"),
        (["ok", "warning", "ok"], "warnings"),
        (["fail", "warning"], "fails"),
    ],
)
def test_the_worst_check_decides(verdicts: list[str], expected: str) -> None:
    assert examination(*verdicts).verdict == expected


def test_who_passes_no_test_of_hearing_is_deaf() -> None:
    one = examination("fail", "fail", "fail", "ok")
    names = ("hears_silence", "hears_other_clip", "hears_noise", "x")
    checks = [
        check.model_copy(update={"name": name})
        for check, name in zip(one.checks, names, strict=True)
    ]
    assert one.model_copy(update={"checks": tuple(checks)}).verdict == "deaf"
    assert one.model_copy(update={"checks": tuple(checks[1:])}).verdict == "fails"


def test_it_travels_in_what_results_say_of_the_same_model() -> None:
    assert AudioLM(Fingerprinted(str)).get_model_info()["doctor"] == {"verdict": NOT_EXAMINED}
    path = save(examination("ok", "warning"))
    assert path == record_path("f00d")
    found = AudioLM(Fingerprinted(str)).get_model_info()["doctor"]
    assert found == json.loads(json.dumps(examination("ok", "warning").summary()))
    assert found["verdict"] == "warnings"
    assert found["fingerprint"] == "f00d"
    assert found["checks"]["check_1"]["values"] == {"p": 0.5}
    without = AudioLM(ScriptedBackend(str)).get_model_info()["doctor"]
    assert without == {"verdict": NOT_EXAMINED}


def test_a_later_examination_replaces_an_earlier_one() -> None:
    save(examination("fail"))
    save(examination("ok"))
    found = find("f00d")
    assert found is not None
    assert found.verdict == "healthy"
    assert [one.name for one in record_path("f00d").parent.iterdir()] == ["f00d.json"]


def test_without_a_fingerprint_nothing_is_kept(cache: Path) -> None:
    assert save(examination("ok", fingerprint=None)) is None
    assert not cache.exists()
    assert find(None) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2}', "\x00"])
def test_what_is_no_record_is_ignored_with_a_sentence(
    content: str, caplog: pytest.LogCaptureFixture
) -> None:
    record_path("f00d").parent.mkdir(parents=True)
    record_path("f00d").write_text(content)
    assert summary_of("f00d") == {"verdict": NOT_EXAMINED}
    assert "is no record of an examination" in caplog.text


def test_a_record_under_a_foreign_name_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    path = save(examination("ok"))
    assert path is not None
    path.rename(record_path("beef"))
    assert find("beef") is None
    assert "another model" in caplog.text


def test_a_cache_that_cannot_be_written_is_a_sentence(cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    with pytest.raises(UserError, match="cannot be written"):
        save(examination("ok"))
