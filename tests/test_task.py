"""The whole way, by the harness's own runner, with answers from a script instead of a model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lm_eval
import numpy as np
import pytest
import soundfile
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from ambi_tasks import metrics
from ambi_tasks.errors import UserError
from ambi_tasks.plugin import tasks_path
from ambi_tasks.prompts import load_prompt
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import DrawOrder
from model_adapters.scripted import ScriptedBackend

LABELS = ["neutral", "happy", "angry", "sad"]
VOTES = {  # utterance -> votes in the order of LABELS
    "u1": [4, 0, 0, 0],
    "u2": [1, 1, 2, 0],
    "u3": [0, 3, 0, 2],
}


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of three clips in the format of the demo corpus."""
    root = tmp_path_factory.mktemp("corpus")
    lines = ["utterance,path,speaker,rater,emotion"]
    for number, (name, votes) in enumerate(VOTES.items()):
        time = np.arange(8000) / 16_000
        soundfile.write(root / f"{name}.flac", 0.1 * np.sin((number + 2) * 900 * time), 16_000)
        named = [label for label, n in zip(LABELS, votes, strict=True) for _ in range(n)]
        lines += [f"{name},{name}.flac,s{number},r{r},{label}" for r, label in enumerate(named)]
    (root / "votes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def manager() -> Callable[..., TaskManager]:
    """Task managers that know our tasks alone, which spares the index of all others."""

    def make(**metadata: Any) -> TaskManager:
        return TaskManager(
            include_path=tasks_path(), include_defaults=False, metadata=metadata or None
        )

    return make


@pytest.fixture
def run(
    demo_root: Path, manager: Callable[..., TaskManager]
) -> Callable[..., tuple[dict[str, Any], ScriptedBackend]]:
    """Evaluates demo tasks with answers from a script."""

    def evaluate(
        tasks: list[str], script: Callable[[DrawOrder, int], str], **settings: Any
    ) -> tuple[dict[str, Any], ScriptedBackend]:
        backend = ScriptedBackend(script)
        metadata = {"demo_root": str(demo_root), **settings.pop("metadata", {})}
        results = lm_eval.simple_evaluate(
            model=AudioLM(backend),
            tasks=tasks,
            task_manager=manager(**metadata),
            bootstrap_iters=100,
            **settings,
        )
        return results, backend

    return evaluate


def answer(distribution: list[float]) -> str:
    return json.dumps(dict(zip(LABELS, distribution, strict=True)))


def utterance(order: DrawOrder) -> str:
    return Path(order.conversation[-1].clips[0].path).stem


def truth() -> np.ndarray[Any, Any]:
    votes = np.array(list(VOTES.values()), dtype=float)
    return votes / votes.sum(axis=1, keepdims=True)


Run = Callable[..., tuple[dict[str, Any], ScriptedBackend]]


def test_the_truth_as_answer_scores_perfectly(run: Run) -> None:
    soft = dict(zip(VOTES, truth().tolist(), strict=True))
    results, _ = run(["ambi_demo_direct"], lambda order, _: answer(soft[utterance(order)]))
    scores = results["results"]["ambi_demo_direct"]
    for metric in metrics.all_metrics().values():
        best = metric.bounds[1] if metric.higher_is_better else metric.bounds[0]
        assert scores[f"{metric.name},none"] == pytest.approx(best, abs=1e-9), metric.name
        assert results["higher_is_better"]["ambi_demo_direct"][metric.name] == (
            metric.higher_is_better
        )
    assert scores["js_stderr,none"] == pytest.approx(0, abs=1e-9)


def test_scores_equal_the_metrics_of_the_mean_of_the_draws(run: Run) -> None:
    drawn = np.random.default_rng(5).dirichlet(np.ones(4), size=(3, 16))
    names = list(VOTES)

    def script(order: DrawOrder, index: int) -> str:
        return answer(drawn[names.index(utterance(order)), index].tolist())

    results, backend = run(["ambi_demo_sc"], script)
    expected = metrics.get_metric("js").function(truth(), drawn.mean(axis=1))
    assert results["results"]["ambi_demo_sc"]["js,none"] == pytest.approx(expected.mean())
    assert sorted(len(order.indices) for order in backend.orders) == [16, 16, 16]
    for sample, value in zip(results["samples"]["ambi_demo_sc"], expected, strict=True):
        assert sample["js"] == pytest.approx(value)


def test_all_draws_reach_the_score_not_the_first_alone(run: Run) -> None:
    def script(order: DrawOrder, index: int) -> str:
        del order
        return answer([1, 0, 0, 0] if index == 0 else [0, 0, 0, 1])

    results, _ = run(["ambi_demo_sc"], script)
    sample = results["samples"]["ambi_demo_sc"][0]
    assert sample["doc"]["prediction"] == pytest.approx([1 / 16, 0, 0, 15 / 16])


def test_the_prompt_names_the_labels_and_nothing_of_the_truth(run: Run) -> None:
    _, backend = run(["ambi_demo_direct"], lambda *_: answer([1, 0, 0, 0]))
    prompts = {order.conversation[-1].text for order in backend.orders}
    assert prompts == {load_prompt("direct").render(labels=LABELS)}


def test_failures_cost_and_are_visible(run: Run) -> None:
    def script(order: DrawOrder, index: int) -> str:
        del index
        return answer([1, 0, 0, 0]) if utterance(order) == "u1" else "I would rather not say."

    results, _ = run(["ambi_demo_direct"], script)
    scores = results["results"]["ambi_demo_direct"]
    uniform = np.full((2, 4), 0.25)
    expected = [0, *metrics.get_metric("js").function(truth()[1:], uniform)]
    assert scores["parsed,none"] == pytest.approx(1 / 3)
    assert scores["js,none"] == pytest.approx(np.mean(expected))
    assert scores["js_answered,none"] == pytest.approx(0)
    failed = results["samples"]["ambi_demo_direct"][1]
    assert failed["doc"]["answered"] is False
    assert failed["doc"]["candidates"][0]["failure"]
    assert failed["js_answered"] is None


def test_nothing_answered(run: Run) -> None:
    results, _ = run(["ambi_demo_sc"], lambda *_: "")
    scores = results["results"]["ambi_demo_sc"]
    assert scores["parsed,none"] == 0
    assert scores["js_answered,none"] == "N/A"
    assert "NaN" not in json.dumps(scores)


def test_the_sample_log_is_small_json_and_holds_the_evidence(run: Run, tmp_path: Path) -> None:
    tracker = EvaluationTracker(output_path=str(tmp_path))
    results, _ = run(["ambi_demo_sc"], lambda *_: answer([0.25] * 4), evaluation_tracker=tracker)
    samples = results.pop("samples")
    tracker.save_results_aggregated(results, samples)
    tracker.save_results_samples("ambi_demo_sc", samples["ambi_demo_sc"])
    (saved,) = tmp_path.rglob("results_*.json")
    assert json.loads(saved.read_text())["configs"]["ambi_demo_sc"]["strategy"] == "sc"
    (log,) = tmp_path.rglob("samples_*.jsonl")
    lines = log.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(VOTES)
    assert max(map(len, lines)) < 16_000
    sample = json.loads(lines[1])
    assert sample["doc"]["id"] == "u2"
    assert sample["doc"]["soft_label"] == [0.25, 0.25, 0.5, 0.0]
    assert sample["doc"]["prediction"] == [0.25, 0.25, 0.25, 0.25]
    assert len(sample["doc"]["candidates"]) == len(sample["resps"][0]) == 16
    first = sample["doc"]["candidates"][0]
    assert first["distribution"] == [0.25, 0.25, 0.25, 0.25]
    assert {"draw_index", "seed", "log_likelihood", "tokens", "clip_sha256"} <= set(first)
    assert "neutral, happy, angry, sad" in sample["arguments"]["gen_args_0"]["arg_0"]
    assert sample["arguments"]["gen_args_0"]["arg_2"]["audio"][0]["path"].endswith("u2.flac")


def test_the_results_record_what_must_agree(run: Run) -> None:
    results, _ = run(["ambi_demo_sc"], lambda *_: "")
    config = results["configs"]["ambi_demo_sc"]
    counts = config["corpus"]["utterances"]
    assert (counts["read"], counts["kept"], counts["dropped"]) == (3, 3, {})
    assert list(config["corpus"]["label_rule"]["classes"]) == LABELS
    assert len(config["corpus"]["manifest_sha256"]) == 64
    assert config["strategy"] == "sc"
    assert config["prompt"]["id"] == "direct"
    assert config["prompt"]["sha256"] == load_prompt("direct").sha256
    assert config["repeats"] == 16
    assert config["generation_kwargs"]["temperature"] == 0.8
    assert results["config"]["adapter"] == "custom"
    json.dumps(config, default=str)


def test_the_command_line_reaches_the_draws(run: Run) -> None:
    results, backend = run(
        ["ambi_demo_sc"],
        lambda *_: "",
        metadata={"draws": 3},
        gen_kwargs="temperature=0.5,seed=7",
        limit=2,
        system_instruction="Be brief.",
    )
    assert [len(order.indices) for order in backend.orders] == [3, 3]
    decoding = backend.orders[0].decoding
    assert (decoding.temperature, decoding.seed) == (0.5, 7)
    assert [turn.role for turn in backend.orders[0].conversation] == ["system", "user"]
    assert results["configs"]["ambi_demo_sc"]["repeats"] == 3


def test_chosen_samples(run: Run) -> None:
    results, _ = run(["ambi_demo_direct"], lambda *_: "", samples={"ambi_demo_direct": [2, 0]})
    assert [s["doc"]["id"] for s in results["samples"]["ambi_demo_direct"]] == ["u1", "u3"]


def test_predict_only_logs_and_scores_nothing(run: Run) -> None:
    results, _ = run(["ambi_demo_direct"], lambda *_: answer([1, 0, 0, 0]), predict_only=True)
    assert not [key for key in results["results"]["ambi_demo_direct"] if key.startswith("js")]
    assert results["samples"]["ambi_demo_direct"][0]["doc"]["prediction"] == [1, 0, 0, 0]


def test_a_group_and_a_tag_run_all_their_tasks(run: Run) -> None:
    results, backend = run(["ambi_demo"], lambda *_: "")
    assert {"ambi_demo_direct", "ambi_demo_sc"} <= set(results["results"])
    assert len(backend.orders) == 6


@pytest.mark.parametrize("draws", [0, -1, "many", 2.5, True])
def test_a_bad_number_of_draws(run: Run, draws: object) -> None:
    with pytest.raises(UserError, match="draws must be a whole number of at least 1"):
        run(["ambi_demo_sc"], lambda *_: "", metadata={"draws": draws})


def test_every_task_file_is_consistent(manager: Callable[..., TaskManager]) -> None:
    index = manager().task_index
    tasks = [name for name, entry in index.items() if entry.cfg and "task" in entry.cfg]
    single = [name for name in tasks if index[name].cfg["task"] == name]
    assert len(single) >= 6
    for name in single:
        config = index[name].cfg
        assert name == f"ambi_{config['corpus']}_{config['strategy']}"
        assert f"ambi_{config['strategy']}" in index
        assert name in index[f"ambi_{config['corpus']}"].cfg["task"]
        assert load_prompt(config["prompt"])


def test_a_missing_corpus_is_one_sentence(
    manager: Callable[..., TaskManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IEMOCAP_ROOT", raising=False)
    with pytest.raises(UserError, match=r"IEMOCAP was not found: set IEMOCAP_ROOT .*sail\.usc"):
        manager().load(["ambi_iemocap_sc"])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("modalty", "modality"),
        ("missing_audi", "missing_audio"),
        ("label_rul", "label_rule"),
        ("crema_root", "crema_d_root"),
        ("draw", "draws"),
    ],
)
def test_a_mistyped_key_of_the_metadata(run: Run, name: str, meant: str) -> None:
    with pytest.raises(UserError, match=f"no '{name}'; did you mean '{meant}'"):
        run(["ambi_demo_sc"], lambda *_: "", metadata={name: 1})


def test_model_args_among_the_metadata_are_none_of_our_business(run: Run) -> None:
    names = ["pretrained", "dtype", "device", "batch_size", "revision", "long_audio", "parallelize"]
    names += ["trust_remote_code", "device_map", "attn_implementation", "model", "base_url"]
    results, _ = run(["ambi_demo_direct"], lambda *_: "", metadata=dict.fromkeys(names, "x"))
    assert results["results"]
