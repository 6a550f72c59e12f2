"""`ambi_tasks.leaderboard.making`: what a submission holds, and what it never holds."""

import dataclasses
import json
import zlib

import numpy as np
import pytest

from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.board import read_board
from ambi_tasks.leaderboard.making import make_submitter, submissions_of
from ambi_tasks.leaderboard.reading import ANSWERS, PREDICTIONS
from ambi_tasks.report.logged_run import read_run
from ambi_tasks.report.sample_log import find_logs
from ambi_tasks.statistics import score_run
from ambi_tasks.strategies import all_strategies
from tests.leaderboard.conftest import DETAILS
from tests.leaderboard.tampering import faults, rows_of

SUBMITTER = make_submitter(name="Jane Doe", contact="jane@example.org")


@pytest.fixture
def results(finished_run, tmp_path):
    """The results of the run, which a test may change, beside its logs."""
    for path in finished_run.rglob("*_*.json*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return next(tmp_path.glob("results_*.json"))


def change(results, **config):
    content = json.loads(results.read_text(encoding="utf-8"))
    content["config"] |= config
    results.write_text(json.dumps(content), encoding="utf-8")


def everything(results, details=DETAILS):
    """All bytes of all submissions of a run, unpacked."""
    texts = []
    for submission, tables in submissions_of(results, details, SUBMITTER):
        texts += [submission.model_dump_json()]
        for table in tables.values():
            texts.append(zlib.decompress(table, 16 + zlib.MAX_WBITS).decode())
    return "\n".join(texts)


def test_every_strategy_is_on_the_board_without_a_fault(made_board, finished_run):
    board = read_board(made_board)
    assert board.refused == ()
    assert {entry.submission.strategy.name for entry in board.entries} == set(all_strategies())
    runs = {log.config["strategy"]["name"]: read_run(log) for log in find_logs(finished_run).tasks}
    for entry in board.entries:
        assert entry.status == "recomputed"
        mine, logged = entry.run, runs[entry.submission.strategy.name].run
        assert mine.ids.tolist() == logged.ids.tolist()
        assert mine.inputs.keys() == logged.inputs.keys()
        for needs, pair in logged.inputs.items():
            for one, other in zip(mine.inputs[needs], pair, strict=True):
                assert np.array_equal(one, other), needs  # to the last bit
        scores = score_run(logged, seed=1234)
        for name, record in entry.submission.scores.items():
            assert record.score() == pytest.approx(scores[name]) or record.value is None
        assert set(entry.submission.strata) == {"unanimous", "low", "medium", "high"}


def test_the_curve_is_there_where_the_strategy_samples(made_board):
    for entry in read_board(made_board).entries:
        strategy = entry.submission.strategy
        sampled = strategy.fields.get("candidates") == "sample"
        draws = sorted({point.draws for point in entry.submission.curve})
        assert draws == ([1, 2, 4] if sampled else []), strategy.name


def test_answers_go_with_it_where_the_licence_lets_them(results):
    details = dataclasses.replace(DETAILS, texts=False)
    for submission, tables in submissions_of(results, details, SUBMITTER):
        assert submission.answers is None
        assert set(tables) == {PREDICTIONS}
    for submission, tables in submissions_of(results, DETAILS, SUBMITTER):
        assert submission.answers is not None
        assert set(tables) == {PREDICTIONS, ANSWERS}


def licensed(results, name="iemocap"):
    """Let the run be one of a licensed corpus of the same classes."""
    content = json.loads(results.read_text(encoding="utf-8"))
    for config in content["configs"].values():
        if "corpus" in config:
            config["corpus"]["name"] = name
            config["corpus"]["options"] = {}
    results.write_text(json.dumps(content), encoding="utf-8")


def test_answers_for_a_licensed_corpus_stay_at_home(results):
    licensed(results)
    for submission, tables in submissions_of(results, DETAILS, SUBMITTER):
        assert submission.answers is None
        assert set(tables) == {PREDICTIONS}
    details = dataclasses.replace(DETAILS, texts=True)
    with pytest.raises(UserError, match="IEMOCAP does not let answers be published"):
        list(submissions_of(results, details, SUBMITTER))


def test_votes_and_paths_of_a_licensed_corpus_stay_at_home(results):
    licensed(results)
    text = everything(results)
    for word in ("soft_label", '"votes"', "voice_", "speaker", ".flac", "transcript", "attributes"):
        assert word not in text, word


SECRETS = {
    "api_key": "sk-" + "a1" * 20,
    "token": "hf_" + "b2" * 17,
    "base_url": "https://user:hunter2secret@internal.example:8443/v1?key=c3c3c3c3",
    "pretrained": "/home/jane/secret-project/checkpoint-7",
    "headers": '{"Authorization": "Bearer d4d4d4d4d4d4"}',
    "cache_dir": "/mnt/jane/cache",
}


def test_no_secret_of_a_run_gets_into_a_submission(results, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "e5e5e5e5e5e5")
    change(
        results,
        model_args=SECRETS,
        endpoints=[SECRETS["base_url"]],
        model_name=SECRETS["pretrained"],
        gen_kwargs={"extra_body": "f6f6f6f6"},
        verifier={"adapter": "alm_api", "model_args": SECRETS, "endpoints": [SECRETS["base_url"]]},
    )
    content = json.loads(results.read_text(encoding="utf-8"))
    content["system_instruction"] = "The password is g7g7g7g7."
    content["system_instruction_sha"] = "a" * 64
    content["pretty_env_info"] = "OS: secret-host h8h8h8h8\nPython version: 3.11.7 (main)"
    for config in content["configs"].values():
        config["generation_kwargs"]["extra_headers"] = SECRETS["headers"]
        config["metadata"] = SECRETS
    results.write_text(json.dumps(content), encoding="utf-8")
    text = everything(results)
    for secret in (*SECRETS.values(), "hunter2", "internal.example", "Bearer", "jane/", "e5e5"):
        assert secret not in text
    for secret in ("f6f6", "g7g7", "h8h8", "secret"):
        assert secret not in text
    assert '"system_instruction_sha256":"' + "a" * 64 in text


def test_a_secret_in_an_option_is_refused(results, monkeypatch):
    note = "Ask with " + SECRETS["token"]
    with pytest.raises(UserError, match="would hold a token of Hugging Face"):
        list(submissions_of(results, dataclasses.replace(DETAILS, note=note), SUBMITTER))
    monkeypatch.setenv("MY_SECRET", "correct horse battery")
    note = "It is correct horse battery."
    with pytest.raises(UserError, match="the value of the variable MY_SECRET"):
        list(submissions_of(results, dataclasses.replace(DETAILS, note=note), SUBMITTER))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "Qwen<script>", "model.name is 'Qwen<script>'"),
        ("name", "../../etc", "model.name is '../../etc'"),
        ("organization", "\u0405berbank", r"model.organization is '\\u0405berbank'"),
        ("organization", "reference", "no model is by 'reference'"),
        ("link", "javascript:alert(1)", "model.link is 'javascript:alert"),
        ("parameters", -1, "model.parameters is '-1'"),
        ("note", "a\nb", "training.note is "),
        ("variant", "A B", "variant is 'A B'"),
    ],
)
def test_options_that_do_not_fit_are_named(results, field, value, message):
    with pytest.raises(UserError, match=message):
        list(submissions_of(results, dataclasses.replace(DETAILS, **{field: value}), SUBMITTER))


def test_a_part_of_a_corpus_is_refused(results):
    change(results, limit=10)
    with pytest.raises(UserError, match="--limit 10; the board takes whole corpora"):
        list(submissions_of(results, DETAILS, SUBMITTER))


def test_clips_without_audio_are_refused(results):
    content = json.loads(results.read_text(encoding="utf-8"))
    for config in content["configs"].values():
        if "corpus" in config:
            config["corpus"]["utterances"]["dropped"] = {"missing_audio": 3}
    results.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match="3 utterances had no audio"):
        list(submissions_of(results, DETAILS, SUBMITTER))


def test_a_tampered_run_is_refused(results):
    log = next(results.parent.glob("samples_ambi_demo_direct_*.jsonl"))
    lines = log.read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    first["doc"]["prediction"] = first["doc"]["soft_label"]
    log.write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n", encoding="utf-8")
    with pytest.raises(UserError):
        list(submissions_of(results, DETAILS, SUBMITTER))


def test_a_corpus_of_ones_own_is_refused(results):
    licensed(results, name="my_table")
    with pytest.raises(UserError, match="the board has no corpus 'my_table'"):
        list(submissions_of(results, DETAILS, SUBMITTER))


def test_two_runs_of_one_configuration_are_refused(results):
    later = "2030-01-01T00-00-00.0"
    for path in list(results.parent.glob("*_*.json*")):
        stem = path.name.rpartition("_")[0]
        (path.parent / f"{stem}_{later}{path.suffix}").write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="another --variant each"):
        list(submissions_of(results.parent, DETAILS, SUBMITTER))


def test_the_doctor_is_quoted(results):
    checks = {"hears_silence": {"verdict": "ok", "sentence": "It <b>hears</b>.", "values": {}}}
    change(
        results,
        doctor={
            "verdict": "healthy",
            "examined": "2026-01-01T00:00:00+00:00",
            "ambi_tasks_version": "0.1.0",
            "fingerprint": "x",
            "checks": checks,
        },
    )
    submission, _ = next(submissions_of(results, DETAILS, SUBMITTER))
    assert submission.doctor.verdict == "healthy"
    assert submission.doctor.checks == {"hears_silence": "ok"}
    change(results, doctor={"verdict": "not examined"})
    submission, _ = next(submissions_of(results, DETAILS, SUBMITTER))
    assert submission.doctor is None


def test_answers_hold_nothing_but_evidence(entry):
    allowed = {"id", "draws", "verdicts", "read_out"}
    fields = {"text", "log_likelihood", "tokens", "finish_reason"}
    for line in rows_of(entry, ANSWERS):
        content = json.loads(line)
        assert set(content) <= allowed
        assert all(set(draw) <= fields for draw in content["draws"])
    assert faults(entry) == []


ADAPTERS = {
    "a model of the hub": (
        {
            "adapter": "alm_hf",
            "model_args": {"pretrained": "org/name", "dtype": "bfloat16", "device": "cuda:3"},
            "model_sha": "a" * 40,
            "model_type": "qwen2_audio",
            "model_dtype": "bfloat16",
        },
        {
            "checkpoint": "org/name",
            "revision": "a" * 40,
            "sha256": None,
            "weights": "open",
            "arguments": {"dtype": "bfloat16"},
        },
    ),
    "files of one's own": (
        {
            "adapter": "alm_hf",
            "model_args": {"pretrained": "/data/models/mine", "revision": "/data/x"},
            "model_name": "/data/models/mine",
            "model_sha": "b" * 64,
        },
        {
            "checkpoint": None,
            "sha256": "b" * 64,
            "weights": "open",
            "arguments": {},
        },
    ),
    "an interface": (
        {
            "adapter": "alm_api",
            "model_args": {"model": "gpt-4o-audio-preview", "base_url": "https://me:pw@host/v1"},
            "model_name": "gpt-4o-audio-preview",
            "provider": "openai",
            "endpoints": ["https://me:pw@host/v1"],
            "model_sha": None,
        },
        {
            "checkpoint": "gpt-4o-audio-preview",
            "revision": None,
            "weights": "closed",
            "arguments": {"provider": "openai"},
        },
    ),
    "a cascade": (
        {
            "adapter": "alm_cascade",
            "model_args": {"recogniser": "openai/whisper-tiny", "text_model": "/home/me/model"},
            "model_name": "openai/whisper-tiny + /home/me/model",
            "control": "A control.",
            "model_sha": None,
        },
        {
            "checkpoint": None,
            "weights": "open",
            "control": True,
            "arguments": {"recogniser": "openai/whisper-tiny"},
        },
    ),
}


@pytest.mark.parametrize("kind", ADAPTERS, ids=str)
def test_what_is_said_of_the_weights(results, kind):
    settings, expected = ADAPTERS[kind]
    change(results, **settings)
    submission, _ = next(submissions_of(results, DETAILS, SUBMITTER))
    found = submission.model.model_dump()
    assert {name: found[name] for name in expected} == expected
    text = submission.model_dump_json()
    for private in ("/data", "me:pw", "/home", "cuda:3"):
        assert private not in text


def test_another_verifier_is_named(results):
    verifier = {"adapter": "alm_api", "model_name": "gpt-4o", "ambi_tasks_version": "1"}
    change(results, verifier=verifier)
    submission, _ = next(submissions_of(results, DETAILS, SUBMITTER))
    assert submission.verifier.checkpoint == "gpt-4o"
    assert submission.verifier.adapter == "alm_api"
