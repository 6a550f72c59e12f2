"""The whole way, by the harness's own runner, with answers from a script instead of a model."""

import json
import logging
import math
import pickle
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import datasets
import lm_eval
import numpy as np
import pytest
import soundfile
from lm_eval.loggers import EvaluationTracker, TrackioLogger
from lm_eval.loggers.wandb_logger import WandbLogger
from lm_eval.tasks import TaskManager

from ambi_tasks import metrics, task
from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.corpus_scores import corpus_aggregations
from ambi_tasks.errors import UserError
from ambi_tasks.plugin import tasks_path
from ambi_tasks.prompts import load_prompt
from ambi_tasks.strategies import all_strategies
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import Capabilities, Conversation, DrawOrder
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
        tasks: list[str],
        script: Callable[[DrawOrder, int], str],
        scorer: Callable[[Conversation, str], float] | None = None,
        backend: ScriptedBackend | None = None,
        **settings: Any,
    ) -> tuple[dict[str, Any], ScriptedBackend]:
        backend = backend or ScriptedBackend(script, scorer)
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
        if metric.needs == "verdicts":
            continue
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


def test_scores_of_the_corpus_are_the_functions_of_all_utterances(run: Run) -> None:
    drawn = np.random.default_rng(6).dirichlet(np.ones(4), size=3)
    names = list(VOTES)

    def script(order: DrawOrder, index: int) -> str:
        del index
        return answer(drawn[names.index(utterance(order))].tolist())

    results, _ = run(["ambi_demo_direct"], script)
    scores = results["results"]["ambi_demo_direct"]
    for metric in metrics.all_metrics().values():
        if metric.level == "corpus":
            expected = metric.function(truth(), drawn)
            assert scores[f"{metric.name},none"] == pytest.approx(expected, abs=1e-12)
            assert scores[f"{metric.name}_se,none"] >= 0
            assert scores[f"{metric.name}_stderr,none"] == "N/A"
            assert f"{metric.name}_answered,none" not in scores
            assert f"{metric.name}_se" not in results["higher_is_better"]["ambi_demo_direct"]
    assert scores["ece_se,none"] > 0
    for sample in results["samples"]["ambi_demo_direct"]:
        assert json.dumps([sample["ece"], sample["ece_se"]]) == '["doc", "doc"]'
    one, _ = run(["ambi_demo_direct"], script, limit=1, log_samples=False)
    scores = one["results"]["ambi_demo_direct"]
    assert (scores["ent_corr,none"], scores["ent_corr_se,none"]) == (0, "N/A")
    assert "NaN" not in json.dumps(scores)


def test_options_of_metrics_from_the_command_line(run: Run) -> None:
    chosen = {"metrics": {"ece": {"bins": 1}, "js": {"root": True}}}
    results, _ = run(["ambi_demo_direct"], lambda *_: answer([1, 0, 0, 0]), metadata=chosen)
    scores = results["results"]["ambi_demo_direct"]
    predicted = np.eye(4)[[0, 0, 0]]
    ece = metrics.get_metric("ece").function(truth(), predicted, bins=1)
    assert scores["ece,none"] == pytest.approx(ece)
    js = metrics.get_metric("js").function(truth(), predicted)
    assert scores["js,none"] == pytest.approx(np.sqrt(js).mean())
    recorded = results["configs"]["ambi_demo_direct"]["metrics"]
    assert recorded["ece"] == {"bins": 1, "correctness": "soft"}
    assert recorded["js"] == {"base": 2.0, "root": True}
    assert recorded["brier"] == {}
    assert set(recorded) == set(metrics.all_metrics())


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"ecc": {}}, "no metric 'ecc'; did you mean 'ece'"),
        ({"ece": {"bin": 5}}, "'ece' has no option 'bin'; did you mean 'bins'"),
        ({"ece": {"bins": "five"}}, "'ece': bins is 'five', but input should be a valid integer"),
        ("ece", "options of metrics are like"),
    ],
)
def test_options_of_metrics_that_are_wrong(run: Run, chosen: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(["ambi_demo_sc"], lambda *_: "", metadata={"metrics": chosen})


def test_a_metric_that_does_not_know_a_label_is_left_out_and_named_once(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("lm_eval"), "propagate", True)
    task._say_once.cache_clear()
    rule = {"merge": {"sad": "melancholy"}, "classes": ["neutral", "happy", "angry", "melancholy"]}
    tasks = ["ambi_demo_direct", "ambi_demo_sc"]
    results, _ = run(tasks, lambda *_: answer([1, 0, 0, 0]), metadata={"label_rule": rule})
    assert caplog.text.count("The metric 'wasserstein' is left out. The label 'melancholy'") == 1
    for name in tasks:
        assert not [key for key in results["results"][name] if key.startswith("wasserstein")]
        assert "wasserstein" not in results["configs"][name]["metrics"]
        assert results["results"][name]["js,none"] > 0


def test_wandb_makes_its_table_of_the_samples(run: Run) -> None:
    results, _ = run(["ambi_demo_direct"], lambda *_: answer([1, 0, 0, 0]))
    samples = results["samples"]["ambi_demo_direct"]
    config = results["configs"]["ambi_demo_direct"]
    table = WandbLogger._generate_dataset(None, samples, config)
    assert list(table["js"]) == [one["js"] for one in samples]
    assert {"kl", "wasserstein", "top2", "ece", "ece_se", "f1_macro", "ent_corr"} <= set(table)


def test_trackio_logs_every_score_and_sample(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = MagicMock()
    monkeypatch.setitem(sys.modules, "trackio", tracker)
    results, _ = run(["ambi_demo_direct"], lambda *_: answer([1, 0, 0, 0]))
    logger = TrackioLogger()
    logger.post_init(results)
    logger.log_eval_result()
    logger.log_eval_samples(results["samples"])
    scores, *samples = [call.args[0] for call in tracker.log.call_args_list]
    for name in ("js", "js_stderr", "ece", "ece_se", "r2_class", "ent_corr_se"):
        key = name + ",none"
        assert scores[f"ambi_demo_direct/{name}"] == results["results"]["ambi_demo_direct"][key]
    assert len(samples) == tracker.Trace.call_count == len(VOTES)
    assert tracker.Trace.call_args.kwargs["metadata"]["js"] == pytest.approx(
        results["samples"]["ambi_demo_direct"][-1]["js"]
    )


def test_several_processes_score_as_one(run: Run) -> None:
    drawn = np.random.default_rng(6).dirichlet(np.ones(4), size=3)
    names = list(VOTES)

    def script(order: DrawOrder, index: int) -> str:
        del index
        return answer(drawn[names.index(utterance(order))].tolist())

    whole, _ = run(["ambi_demo_direct"], script)
    scored = [
        run(["ambi_demo_direct"], script, samples={"ambi_demo_direct": part})[0]
        for part in ([1], [0, 2])
    ]
    gathered: dict[str, list[Any]] = {}
    for part in scored:
        for sample in pickle.loads(pickle.dumps(part["samples"]["ambi_demo_direct"])):
            for name in sample["metrics"]:
                gathered.setdefault(name, []).append(sample[name])
    for name, aggregate in corpus_aggregations(metrics.all_metrics()).items():
        assert aggregate(gathered[name]) == whole["results"]["ambi_demo_direct"][f"{name},none"]


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
    assert json.loads(saved.read_text())["configs"]["ambi_demo_sc"]["strategy"]["name"] == "sc"
    (log,) = tmp_path.rglob("samples_*.jsonl")
    lines = log.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(VOTES)
    assert max(map(len, lines)) < 16_000
    sample = json.loads(lines[1])
    assert sample["doc"]["id"] == "u2"
    assert sample["doc"]["soft_label"] == [0.25, 0.25, 0.5, 0.0]
    assert sample["doc"]["prediction"] == [0.25, 0.25, 0.25, 0.25]
    assert len(sample["doc"]["candidates"]) == len(sample["resps"][0]) == 16
    assert sample["doc"]["strategy"]["name"] == "sc"
    assert sample["doc"]["candidates"][0]["distribution"] == [0.25, 0.25, 0.25, 0.25]
    assert sample["doc"]["candidates"][0]["weight"] == 1 / 16
    first = sample["doc"]["draws"][0]
    assert {"text", "draw_index", "seed", "log_likelihood", "tokens", "clip_sha256"} <= set(first)
    assert "neutral, happy, angry, sad" in sample["arguments"]["gen_args_0"]["arg_0"]
    assert sample["arguments"]["gen_args_0"]["arg_2"]["audio"][0]["path"].endswith("u2.flac")


def test_the_results_record_what_must_agree(run: Run) -> None:
    results, _ = run(["ambi_demo_sc"], lambda *_: "")
    config = results["configs"]["ambi_demo_sc"]
    counts = config["corpus"]["utterances"]
    assert (counts["read"], counts["kept"], counts["dropped"]) == (3, 3, {})
    assert list(config["corpus"]["label_rule"]["classes"]) == LABELS
    assert len(config["corpus"]["manifest_sha256"]) == 64
    assert config["strategy"] == {
        "name": "sc",
        "prompt": "direct",
        "label_order": "given",
        "concentration": 10.0,
        "candidates": "sample",
        "draws": 16,
        "beams": 5,
        "temperature": 0.8,
        "vote": "distribution",
    }
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
    config = results["configs"]["ambi_demo_sc"]
    assert config["repeats"] == config["strategy"]["draws"] == 3
    assert config["strategy"]["temperature"] == 0.5


def test_chosen_samples(run: Run) -> None:
    results, _ = run(["ambi_demo_direct"], lambda *_: "", samples={"ambi_demo_direct": [2, 0]})
    assert [s["doc"]["id"] for s in results["samples"]["ambi_demo_direct"]] == ["u1", "u3"]


def test_predict_only_logs_and_scores_nothing(run: Run) -> None:
    results, _ = run(["ambi_demo_direct"], lambda *_: answer([1, 0, 0, 0]), predict_only=True)
    assert not [key for key in results["results"]["ambi_demo_direct"] if key.startswith("js")]
    assert results["samples"]["ambi_demo_direct"][0]["doc"]["prediction"] == [1, 0, 0, 0]


@pytest.mark.parametrize("draws", [0, -1, "many", 2.5, True])
def test_a_bad_number_of_draws(run: Run, draws: object) -> None:
    with pytest.raises(UserError, match=r"strategy 'sc': draws is .*, but input should be"):
        run(["ambi_demo_sc"], lambda *_: "", metadata={"draws": draws})


def uniform(order: DrawOrder, index: int) -> str:
    """Any prompt's answer: a distribution for a question, a rating for a verifier's."""
    del index
    return "7" if "Somebody answered" in order.conversation[-1].text else answer([0.25] * 4)


class TestTheWholeGroup:
    """All eight strategies in one run."""

    @pytest.fixture
    def found(self, run: Run) -> tuple[dict[str, Any], ScriptedBackend]:
        return run(["ambi_demo"], uniform, lambda _, text: -float(len(text)))

    def test_runs_every_strategy(self, found: tuple[dict[str, Any], ScriptedBackend]) -> None:
        results, _ = found
        names = {f"ambi_demo_{name}" for name in all_strategies()}
        assert names == set(results["samples"])
        assert len(names) >= 8
        for name in names:
            assert results["results"][name]["parsed,none"] == 1.0
            assert ("verified,none" in results["results"][name]) == name.endswith("almv")

    def test_the_hubs_viewer_can_read_what_is_pushed(
        self, found: tuple[dict[str, Any], ScriptedBackend], tmp_path: Path
    ) -> None:
        results, _ = found
        samples = results.pop("samples")
        hub = MagicMock()
        tracker = EvaluationTracker(str(tmp_path / "out"), hub_results_org="us")
        tracker.api, tracker.push_results_to_hub, tracker.push_samples_to_hub = hub, True, True
        tracker.save_results_aggregated(results, samples)
        for name, lines in samples.items():
            tracker.save_results_samples(name, lines)

        def loaded(path: Path) -> Any:
            cache = str(tmp_path / "cache")
            return datasets.load_dataset(
                "json", data_files=str(path), split="train", cache_dir=cache
            )

        pushed = loaded(Path(hub.upload_file.call_args.kwargs["path_or_fileobj"]))
        scores = pushed["results"][0]["ambi_demo_sc"]
        assert scores["ece_se,none"] == results["results"]["ambi_demo_sc"]["ece_se,none"]
        logs = sorted(Path(hub.upload_folder.call_args.kwargs["folder_path"]).glob("samples_*"))
        assert len(logs) == len(samples)
        for log in logs:
            assert sorted(one["id"] for one in loaded(log)["doc"]) == sorted(VOTES)

    def test_draws_each_pool_once(self, found: tuple[dict[str, Any], ScriptedBackend]) -> None:
        results, backend = found
        asked = Counter(
            (order.conversation[-1].text.splitlines()[0][:6], order.decoding.num_beams, n)
            for order in backend.orders
            for n in [len(order.indices)]
        )
        assert asked == {
            ("Severa", 1, 1): 6,  # direct and cot, of three clips
            ("Severa", 1, 16): 3,  # sc, and with it the candidates of almv and walmv
            ("Severa", 5, 5): 3,  # bon and wbon
            ("Listen", 1, 1): 3,  # one verdict a clip, since its candidates are alike
        }
        info = results["config"]
        one = {"direct": 1, "cot": 1, "sc": 16, "almv": 3, "walmv": 3, "bon": 5, "wbon": 5}
        shared = one["almv"] + one["walmv"] + one["bon"]
        assert info["draws"]["asked"] == 3 * sum(one.values())
        assert info["draws"]["shared"] == 3 * shared
        assert info["draws"]["drawn"] == 3 * (sum(one.values()) - shared)
        assert info["verdicts"]["asked"] == 3 * 6
        assert info["verdicts"]["drawn"] == 3
        assert info["scores"]["scored"] == 3 * 4
        assert info["draws"]["tokens"] > 0

    def test_counts_are_logged(
        self, run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(logging.getLogger("lm_eval"), "propagate", True)
        with caplog.at_level("INFO", logger="lm_eval"):
            run(["ambi_demo_bon", "ambi_demo_wbon"], uniform)
        message = "30 draws asked for: 15 shared, 0 kept by earlier runs, 15 drawn"
        assert message in caplog.text


def test_a_tag_runs_its_strategy_on_all_corpora(manager: Callable[..., TaskManager]) -> None:
    index = manager().task_index
    for name in all_strategies():
        tagged = index[f"ambi_{name}"].tags
        assert f"ambi_demo_{name}" in tagged


def test_the_verifier_judges_the_candidates_of_its_own_clip(run: Run) -> None:
    """The best of three candidates is the true one, and the verifier can tell by the text."""
    soft = dict(zip(VOTES, truth().tolist(), strict=True))

    def script(order: DrawOrder, index: int) -> str:
        right = answer(soft[utterance(order)])
        if "Somebody answered" not in order.conversation[-1].text:
            return right if index == 1 else answer([0.1, 0.2, 0.3, 0.4])
        assert order.conversation[-1].text.count("<answer>") == 1
        assert load_prompt("direct").render(labels=LABELS) in order.conversation[-1].text
        return "9" if right in order.conversation[-1].text else "2 of 10"

    results, backend = run(["ambi_demo_almv", "ambi_demo_walmv"], script)
    assert results["results"]["ambi_demo_almv"]["js,none"] == pytest.approx(0, abs=1e-9)
    for sample in results["samples"]["ambi_demo_almv"]:
        assert [one["score"] for one in sample["doc"]["candidates"]] == [2, 9, 2]
        assert [one["weight"] for one in sample["doc"]["candidates"]] == [0, 1, 0]
        assert [one["text"] for one in sample["doc"]["verdicts"]] == ["2 of 10", "9", "2 of 10"]
    for sample in results["samples"]["ambi_demo_walmv"]:
        weights = [one["weight"] for one in sample["doc"]["candidates"]]
        assert weights == pytest.approx([2 / 13, 9 / 13, 2 / 13])
    config = results["configs"]["ambi_demo_almv"]
    assert config["verifier_prompt"]["id"] == config["strategy"]["verifier_prompt"]
    assert config["verifier_prompt"]["sha256"] == load_prompt("verifier_rating").sha256
    assert config["strategy"]["scale"] == [0.0, 10.0]
    judged = [order for order in backend.orders if "<answer>" in order.conversation[-1].text]
    assert all(order.conversation[0].clips for order in judged)


def test_a_verifier_that_answers_prose_is_counted_and_falls_back(run: Run) -> None:
    def script(order: DrawOrder, index: int) -> str:
        if "Somebody answered" in order.conversation[-1].text:
            return "What a lovely voice."
        return answer([1, 0, 0, 0] if index == 0 else [0, 0, 1, 0])

    results, _ = run(["ambi_demo_almv", "ambi_demo_walmv"], script)
    for name in ("ambi_demo_almv", "ambi_demo_walmv"):
        assert results["results"][name]["verified,none"] == 0.0
        doc = results["samples"][name][0]["doc"]
        assert doc["prediction"] == pytest.approx([1 / 3, 0, 2 / 3, 0])
        assert [one["verdict_failure"] for one in doc["candidates"]] == ["no_number"] * 3


def test_candidates_that_cannot_be_read_are_not_judged(run: Run) -> None:
    def script(order: DrawOrder, index: int) -> str:
        if "Somebody answered" in order.conversation[-1].text:
            return "5"
        return answer([0, 1, 0, 0]) if index == 2 and utterance(order) == "u1" else "No idea."

    results, backend = run(["ambi_demo_almv"], script)
    first, second = (results["samples"]["ambi_demo_almv"][n]["doc"] for n in (0, 1))
    assert [verdict is None for verdict in first["verdicts"]] == [True, True, False]
    assert first["prediction"] == [0, 1, 0, 0]
    assert second["verdicts"] == [None] * 3
    assert second["prediction"] == [0.25] * 4
    assert results["results"]["ambi_demo_almv"]["verified,none"] == 1.0  # where it was asked
    assert sum("<answer>" in order.conversation[-1].text for order in backend.orders) == 1


def test_a_verdict_by_the_probability_of_yes(run: Run) -> None:
    def likelihood(conversation: Conversation, text: str) -> float:
        right = answer([0, 0, 0, 1]) in conversation[-1].text
        return math.log((0.9 if right else 0.2) if text == "yes" else (0.1 if right else 0.8))

    results, backend = run(
        ["ambi_demo_walmv"],
        lambda _, index: answer([0, 0, 0, 1] if index == 0 else [1, 0, 0, 0]),
        likelihood,
        metadata={"score": "probability"},
    )
    doc = results["samples"]["ambi_demo_walmv"][0]["doc"]
    assert [one["score"] for one in doc["candidates"]] == pytest.approx([0.9, 0.2, 0.2])
    assert doc["prediction"] == pytest.approx([0.4 / 1.3, 0, 0, 0.9 / 1.3])
    assert results["configs"]["ambi_demo_walmv"]["verifier_prompt"]["id"] == "verifier_probability"
    assert {order.continuations for order in backend.score_orders} == {("yes", "no")}


def test_beams_by_their_likelihood(run: Run) -> None:
    """The script's log-likelihood is minus the length: the shortest beam is the likeliest."""
    beams = [answer([0, 0, 1, 0]), answer([0.5, 0.5, 0, 0]), answer([0, 0, 0, 1]) + " " * 9]
    results, backend = run(
        ["ambi_demo_bon", "ambi_demo_wbon"], lambda _, n: beams[n], metadata={"beams": 3}
    )
    assert {order.decoding.num_beams for order in backend.orders} == {3}
    best = results["samples"]["ambi_demo_bon"][0]["doc"]
    assert best["prediction"] == [0, 0, 1, 0]
    weighed = results["samples"]["ambi_demo_wbon"][0]["doc"]
    exact = np.exp([-len(text) for text in beams])
    exact /= exact.sum()
    weights = [one["weight"] for one in weighed["candidates"]]
    assert weights == pytest.approx(exact)


def test_the_read_out_of_the_labels(run: Run) -> None:
    def likelihood(conversation: Conversation, label: str) -> float:
        silent = conversation[-1].clips[0].path.endswith("silence.wav")
        return math.log({"neutral": 0.4, "happy": 0.1, "angry": 0.3, "sad": 0.2}[label]) * (
            1.0 if silent else 2.0
        )

    plain, backend = run(["ambi_demo_tlr"], uniform, likelihood)
    doc = plain["samples"]["ambi_demo_tlr"][0]["doc"]
    squares = np.array([0.4, 0.1, 0.3, 0.2]) ** 2
    assert doc["prediction"] == pytest.approx(squares / squares.sum())
    assert doc["read_out"]["tokens"] == [1, 1, 1, 1]
    assert {order.conversation[-1].text for order in backend.score_orders} == {
        load_prompt("label").render(labels=LABELS)
    }
    calibrated, _ = run(["ambi_demo_tlr"], uniform, likelihood, metadata={"calibration": "silence"})
    doc = calibrated["samples"]["ambi_demo_tlr"][0]["doc"]
    assert doc["prediction"] == pytest.approx([0.4, 0.1, 0.3, 0.2])


def test_reasoning_comes_before_the_answer(run: Run) -> None:
    text = 'The pitch is high, so {"angry": 1} at first sight; but it is sad.\n' + answer(
        [0, 0, 0, 1]
    )
    results, backend = run(["ambi_demo_cot"], lambda *_: text)
    assert results["samples"]["ambi_demo_cot"][0]["doc"]["prediction"] == [0, 0, 0, 1]
    assert backend.orders[0].decoding.max_new_tokens == 1024
    assert "step by step" in backend.orders[0].conversation[-1].text


def test_a_model_without_beams(run: Run) -> None:
    backend = ScriptedBackend(uniform)
    backend.capabilities = Capabilities(draw_log_likelihood=True)
    with pytest.raises(UserError, match=r"no beam search; .*candidates"):
        run(["ambi_demo_bon"], uniform, backend=backend)
    results, _ = run(["ambi_demo_bon"], uniform, backend=backend, metadata={"candidates": "sample"})
    assert results["results"]["ambi_demo_bon"]["alias"] == "ambi_demo_bon (candidates=sample)"
    assert results["configs"]["ambi_demo_bon"]["strategy"]["candidates"] == "sample"
    assert [order.indices for order in backend.orders] == [(0, 1, 2, 3, 4)] * 3


def test_wordings_and_orders_of_the_labels(run: Run) -> None:
    choice = {"prompt": "direct_v2", "label_order": "reversed"}
    results, backend = run(["ambi_demo_sc"], uniform, metadata=choice)
    assert {order.conversation[-1].text for order in backend.orders} == {
        load_prompt("direct_v2").render(labels=LABELS[::-1])
    }
    doc = results["samples"]["ambi_demo_sc"][0]["doc"]
    assert doc["labels"] == LABELS  # the order of all distributions stays
    config = results["configs"]["ambi_demo_sc"]
    assert config["prompt"]["id"] == "direct_v2"
    assert config["prompt"]["sha256"] == load_prompt("direct_v2").sha256
    assert config["strategy"]["label_order"] == "reversed"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"prompt": "dirct"}, "There is no prompt 'dirct'; did you mean 'direct'"),
        ({"label_order": "sideways"}, "label_order is 'sideways'"),
        ({"candidates": "beams"}, "candidates is 'beams', but input should be 'sample' or 'beam'"),
        ({"temperature": 0}, "temperature is 0, but input should be greater than 0"),
        ({"scale": [5, 1]}, "scale .* 0 <= low < high"),
        ({"score": "stars"}, "score is 'stars'"),
        ({"verifier_prompt": "direct"}, "prompt 'direct' cannot be the verifier's"),
        ({"verifier_prompt": "verifier_probability"}, "has no 'scale'"),
        ({"concentration": -1}, "concentration is -1"),
    ],
)
def test_a_field_that_is_wrong_is_one_sentence(
    run: Run, metadata: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run(["ambi_demo_almv"], uniform, metadata=metadata)


@pytest.mark.parametrize("setting", ["do_sample=False", "num_beams=3"])
def test_gen_kwargs_that_contradict_the_strategy(run: Run, setting: str) -> None:
    with pytest.raises(UserError, match="does not go with the strategy 'sc'"):
        run(["ambi_demo_sc"], uniform, gen_kwargs=setting)


def test_few_shots_are_refused(run: Run) -> None:
    with pytest.raises(UserError, match="--num_fewshot is not offered"):
        run(["ambi_demo_sc"], uniform, num_fewshot=2)


def test_unicode_labels(
    manager: Callable[..., TaskManager], demo_root: Path, tmp_path: Path
) -> None:
    table = tmp_path / "votes.csv"
    rows = ["utterance,path,emotion", "u1,u1.flac,fröhlich", "u1,u1.flac,愤怒", "u2,u2.flac,愤怒"]
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    for name in ("u1", "u2"):
        (tmp_path / f"{name}.flac").write_bytes((demo_root / f"{name}.flac").read_bytes())
    backend = ScriptedBackend(lambda *_: '{"FRÖHLICH": 0.25, "愤怒": 0.75}')
    results = lm_eval.simple_evaluate(
        model=AudioLM(backend),
        tasks=["ambi_table_sc"],
        task_manager=manager(table=str(table)),
        bootstrap_iters=0,
    )
    doc = results["samples"]["ambi_table_sc"][0]["doc"]
    assert dict(zip(doc["labels"], doc["prediction"], strict=True)) == {
        "愤怒": 0.75,
        "fröhlich": 0.25,
    }


def test_every_task_file_is_consistent(manager: Callable[..., TaskManager]) -> None:
    index = manager().task_index
    tasks = [name for name, entry in index.items() if entry.cfg and "task" in entry.cfg]
    single = [name for name in tasks if index[name].cfg["task"] == name]
    strategies, corpora = all_strategies(), [*all_corpora(), "table"]
    assert {f"ambi_{corpus}_{name}" for corpus in corpora for name in strategies} == set(single)
    for name in single:
        config = index[name].cfg
        strategy = config["strategy"]["name"]
        assert name == f"ambi_{config['corpus']}_{strategy}"
        assert config["tag"] == f"ambi_{strategy}"
        assert name in index[f"ambi_{config['corpus']}"].cfg["task"]
        fields = {field: value for field, value in config["strategy"].items() if field != "name"}
        assert load_prompt(strategies[strategy].settings(fields).prompt)


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
