"""Whole runs of the harness: strategies, verifiers, the store of draws, and no key anywhere."""

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lm_eval
import pytest
from lm_eval.tasks import TaskManager
from lm_eval.utils import handle_non_serializable

from ambi_tasks.audio import Clip
from ambi_tasks.errors import UserError
from ambi_tasks.plugin import tasks_path
from model_adapters.audio_lm import AudioLM
from model_adapters.chat_api import ChatApiBackend
from model_adapters.harness import model_class
from tests.adapters.chat_api.conftest import backend
from tests.adapters.chat_api.server import KEY, MODEL, Behaviour, ChatServer
from tests.cli.runner import ambi

REPOSITORY = Path(__file__).parents[3]
LIMIT = 3


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))


def evaluate(
    model: AudioLM, *strategies: str, samples: list[int] | None = None, **metadata: Any
) -> Any:
    manager = TaskManager(include_path=tasks_path(), include_defaults=False, metadata=metadata)
    tasks = [f"ambi_demo_{name}" for name in strategies]
    return lm_eval.simple_evaluate(
        model=model,
        tasks=tasks,
        task_manager=manager,
        limit=LIMIT if samples is None else None,
        samples=samples and dict.fromkeys(tasks, samples),
        bootstrap_iters=0,
    )


def scores(results: Any, task: str) -> dict[str, Any]:
    found: dict[str, Any] = results["results"][task]
    return {name: value for name, value in found.items() if isinstance(value, float)}


def test_all_strategies_on_a_server_that_can(server: ChatServer) -> None:
    strategies = ["direct", "cot", "sc", "bon", "wbon", "tlr"]
    results = evaluate(AudioLM(backend(server)), *strategies)
    for name in strategies:
        assert 0 <= results["results"][f"ambi_demo_{name}"]["js,none"] <= 1
    # direct, cot, one pool of samples and one of beams; the question and four labels
    assert len(server.bodies) == LIMIT * (4 + 5)
    bon = results["samples"]["ambi_demo_bon"][0]["doc"]
    assert [round(draw["log_likelihood"], 3) for draw in bon["draws"]] == [-2, -4, -6, -8, -10]
    info = results["config"]
    assert info["provider"] == "vllm"
    assert info["answered_by"] == {f"{MODEL}-2026-01-01": len(server.bodies)}
    json.dumps(results, default=handle_non_serializable)


def test_a_second_run_asks_nothing(server: ChatServer) -> None:
    first = evaluate(AudioLM(backend(server)), "sc")
    asked = len(server.bodies)
    other = backend(server, base_url="http://127.0.0.1:9/v1")  # where nothing listens
    again = evaluate(AudioLM(other), "sc")
    assert len(server.bodies) == asked
    assert scores(first, "ambi_demo_sc") == scores(again, "ambi_demo_sc")


def test_a_run_that_was_stopped_goes_on(server: ChatServer) -> None:
    whole = evaluate(AudioLM(backend(server), keep_draws=False), "sc")
    server.bodies.clear()
    alone = {"offers": "seed;logprobs;prompt_logprobs", "max_requests": 20}
    for _ in range(2):
        with pytest.raises(UserError, match="max_requests=20"):
            evaluate(AudioLM(backend(server, **alone)), "sc")
    last = evaluate(AudioLM(backend(server)), "sc")
    assert sum(body.get("n", 1) for body in server.bodies) == LIMIT * 16
    assert scores(last, "ambi_demo_sc") == scores(whole, "ambi_demo_sc")


def test_more_draws_extend_a_pool(server: ChatServer) -> None:
    evaluate(AudioLM(backend(server)), "sc")
    asked = len(server.bodies)
    evaluate(AudioLM(backend(server)), "sc", draws=20)
    assert [body["n"] for body in server.bodies[asked:]] == [4] * LIMIT


def test_a_corpus_in_parts_on_machines_that_share_nothing(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/scaling.md has it: `--samples` on each, then `ambi draws merge`, then the whole."""
    whole = evaluate(AudioLM(backend(server), keep_draws=False), "sc", "tlr", samples=[0, 1, 2, 3])
    for machine, part in (("one", [0, 2]), ("other", [1, 3])):
        monkeypatch.setenv("AMBI_CACHE", str(tmp_path / machine))
        evaluate(AudioLM(backend(server)), "sc", "tlr", samples=part)
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "one"))
    merged = ambi("draws", "merge", str(tmp_path / "other" / "draws.sqlite"))
    assert merged.exit_code == 0, merged.stderr
    asked = len(server.bodies)
    together = evaluate(AudioLM(backend(server)), "sc", "tlr", samples=[0, 1, 2, 3])
    assert len(server.bodies) == asked
    for task in ("ambi_demo_sc", "ambi_demo_tlr"):
        assert scores(together, task) == scores(whole, task)


@pytest.mark.parametrize("strategy", ["bon", "wbon"])
def test_what_a_provider_cannot_do_is_said_before_anything_is_sent(
    server: ChatServer, strategy: str
) -> None:
    chat = backend(server, "openai", key_variable="VLLM_API_KEY")
    with pytest.raises(UserError, match="come without their log-likelihoods"):
        evaluate(AudioLM(chat), "sc", strategy)
    assert server.bodies == []


@pytest.mark.parametrize(
    ("strategies", "metadata"),
    [(["sc", "tlr"], {}), (["sc", "walmv"], {"score": "probability"})],
)
def test_what_is_asked_last_is_refused_before_anything_is_sent(
    server: ChatServer, strategies: list[str], metadata: dict[str, str]
) -> None:
    model = AudioLM(backend(server, "openai", key_variable="VLLM_API_KEY"))
    with pytest.raises(UserError, match="provider=openai gives no log-probabilities"):
        evaluate(model, *strategies, **metadata)
    assert server.bodies == []
    evaluate(model, "sc")  # another run needs no such thing


def test_a_verifier_that_cannot_is_told_of_before_anything_is_sent(server: ChatServer) -> None:
    able, unable = backend(server), backend(server, "openai", key_variable="VLLM_API_KEY")
    with pytest.raises(UserError, match="provider=openai gives no log-probabilities"):
        evaluate(AudioLM(able, verifier=AudioLM(unable)), "walmv", score="probability")
    assert server.bodies == []
    evaluate(AudioLM(unable, verifier=AudioLM(able)), "walmv", score="probability")


def test_it_judges_the_answers_of_another_adapter(server: ChatServer) -> None:
    with ChatServer() as judge:
        model = AudioLM(
            backend(server),
            verifier="alm_api",
            verifier_args=f"model={MODEL};provider=vllm;base_url={judge.url}",
        )
        results = evaluate(model, "walmv", score="probability")
        assert all("continue_final_message" in body for body in judge.bodies)
        assert len(judge.bodies) % 3 == 0  # a question about each draw, yes and no
        assert len(server.bodies) == LIMIT
        assert results["config"]["verifier"]["endpoints"] == [judge.url]


def test_withheld_answers_and_verdicts(server: ChatServer) -> None:
    server.behaviour.faults = ["filter_400"]
    with ChatServer(Behaviour(always="filter_400")) as judge:
        model = AudioLM(backend(server, num_concurrent=1), verifier=AudioLM(backend(judge)))
        results = evaluate(model, "almv")
        docs = [sample["doc"] for sample in results["samples"]["ambi_demo_almv"]]
    assert {one["failure"] for one in docs[0]["candidates"]} == {"withheld"}
    verdicts = {one["verdict_failure"] for doc in docs[1:] for one in doc["candidates"]}
    assert verdicts == {"withheld"}


# --- the command line, and the key ---------------------------------------------------------------


@pytest.fixture
def everything_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Every logger of every library, at its lowest level."""
    monkeypatch.setattr(logging.getLogger("lm_eval"), "propagate", True)
    with caplog.at_level(1):
        yield


@pytest.mark.parametrize("fault", ["401", "forbidden", "google_key", "429", "cut", None])
@pytest.mark.usefixtures("everything_is_logged")
def test_the_key_is_nowhere_in_python(
    server: ChatServer,
    fault: str | None,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    server.behaviour.key = "other" if fault == "401" else KEY
    server.behaviour.always = None if fault == "401" else fault
    chat = backend(server, max_retries=1)
    shown = [repr(chat), repr(vars(chat)), repr(chat._settings)]
    try:
        results = evaluate(AudioLM(chat), "direct")
        shown.append(json.dumps(results, default=handle_non_serializable))
    except UserError as error:
        shown.append(repr(error) + repr(error.__context__) + repr(error.__cause__))
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    shown += [caplog.text, *capfd.readouterr()]
    shown += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*.*")]
    assert not [text for text in shown if KEY in text]


COMMAND = """
import ambi_tasks.plugin, runpy
import model_adapters.chat_api
ambi_tasks.plugin.install()
runpy.run_module("lm_eval", run_name="__main__")
"""


def command(folder: Path, arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness's command in a process of its own."""
    options = ["--tasks", "ambi_demo_direct", "--limit", "2", "--model", "alm_api"]
    options += ["--model_args", arguments, "--output_path", "results", "--log_samples"]
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_command_line_shows_one_sentence_and_no_key(server: ChatServer, tmp_path: Path) -> None:
    server.behaviour.key = KEY
    arguments = f"model={MODEL},base_url={server.url},provider=openai"
    wrong = {"OPENAI_API_KEY": "sk-wrong-key", "AMBI_CACHE": str(tmp_path / "empty")}
    good = command(tmp_path, arguments, OPENAI_API_KEY=KEY)
    assert "|ambi_demo_direct|" in good.stdout, good.stderr
    bad = command(tmp_path, arguments, **wrong)
    assert bad.stderr.splitlines()[-1] == (
        f"error: alm_api: {server.url} does not accept the key in OPENAI_API_KEY."
    )
    trace = command(tmp_path, arguments, AMBI_TRACEBACK="1", **wrong)
    assert "Traceback" in trace.stderr
    files = [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert any("answered_by" in text for text in files)
    shown = [*files, *(run.stdout + run.stderr for run in (good, bad, trace))]
    assert not [text for text in shown if KEY in text or "sk-wrong-key" in text]
    assert "HTTP Request" not in good.stderr


def test_a_dry_run_of_the_command(server: ChatServer, tmp_path: Path) -> None:
    arguments = f"model=gpt-audio,base_url={server.url},provider=openai,dry_run=True"
    ended = command(tmp_path, arguments)
    assert ended.returncode == 0, ended.stderr
    assert "dry run, nothing was sent: 2 requests to gpt-audio" in ended.stdout
    assert server.bodies == []


INTERRUPTED = """
import sys
from model_adapters.audio_lm import AudioLM
from model_adapters.chat_api import ChatApiBackend
from lm_eval.api.instance import Instance
url, model, path = sys.argv[1:]
settings = {"do_sample": True, "temperature": 0.8, "max_gen_toks": 64}
asked = Instance("generate_until", {}, ("ask", settings, {"audio": [{"path": path}]}), 0)
asked.repeats = 200
backend = ChatApiBackend(model=model, provider="vllm", base_url=url, offers="seed")
AudioLM(backend).generate_until([asked] * 200, disable_tqdm=True)
"""


def test_an_interrupt_ends_it_at_once_and_loses_no_draw(
    server: ChatServer, clip: Clip, tmp_path: Path
) -> None:
    server.behaviour.latency = 0.1
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    arguments = [server.url, MODEL, clip.path]
    running = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(server.bodies) < 40 and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert said.splitlines()[-1] == "KeyboardInterrupt"
    asked = len(server.bodies)
    assert 40 <= asked < 200
    with sqlite3.connect(tmp_path / "cache" / "draws.sqlite") as store:
        ((kept,),) = store.execute("SELECT count(*) FROM draws")
    assert asked - 16 <= kept <= asked


def test_the_harness_knows_it_by_name() -> None:
    assert model_class("alm_api").backend_class is ChatApiBackend
