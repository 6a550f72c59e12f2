"""Runs as the harness writes them, built by code."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from lm_eval.api.metrics import mean, mean_stderr

from ambi_tasks.corpus_scores import Pair, corpus_aggregations
from ambi_tasks.metrics import all_metrics
from ambi_tasks.plugin import tasks_path
from ambi_tasks.report.sample_log import LoggedUtterance
from ambi_tasks.scoring import score_utterance, strategy_of

LABELS = ["neutral", "happy", "angry"]
TIME = "2026-01-02T03-04-05.678901"

Line = dict[str, Any]


def fields(strategy: str, **changes: Any) -> dict[str, Any]:
    """What a task file sets of a strategy, as a log records it."""
    path = Path(tasks_path()) / f"strategy_{strategy}.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))["strategy"]
    return values | ({"scale": [0, 10]} if "scale" in values else {}) | changes


def draw(distribution: Sequence[float] | str, **evidence: Any) -> dict[str, Any]:
    """A draw that says a distribution, or a text."""
    if isinstance(distribution, str):
        return {"text": distribution, **evidence}
    answer = dict(zip(LABELS, distribution, strict=True))
    return {"text": json.dumps(answer), **evidence}


def record(
    name: str, soft_label: Sequence[float], strategy: Mapping[str, Any], **evidence: Any
) -> dict[str, Any]:
    """What is scored of an utterance."""
    return {
        "id": name,
        "labels": LABELS,
        "soft_label": list(soft_label),
        "strategy": dict(strategy),
        **evidence,
    }


def line(scored: Mapping[str, Any]) -> Line:
    """The line of a sample log about a record."""
    result = score_utterance(scored, all_metrics())
    doc = json.loads(json.dumps({**scored, **result.record()}))
    scores = {**result.scores, **dict.fromkeys(corpus_aggregations(all_metrics()), "doc")}
    return {"doc_id": 0, "doc": doc, "metrics": list(scores), **scores}


def logged(scored: Mapping[str, Any], where: str = "log:1") -> LoggedUtterance:
    """The same, read back."""
    result = score_utterance(scored, all_metrics())
    return LoggedUtterance(where, scored, result.scores, *strategy_of(scored))


def sc_lines(count: int = 3, draws: int = 4) -> list[Line]:
    """Utterances with draws that differ."""
    made = []
    for number in range(count):
        drawn = [
            draw([0.1 * (index + 1), 0.05 * number, 0.9 - 0.1 * index - 0.05 * number], tokens=7)
            for index in range(draws)
        ]
        one = record(f"u{number}", [0.5, 0.25, 0.25], fields("sc"), draws=drawn)
        made.append(line(one | {"speaker": f"s{number // 2}"}))
    return made


def write_run(
    folder: Path,
    logs: Mapping[str, Sequence[Line]],
    *,
    model: str = "m/one",
    time: str = TIME,
    rule: Mapping[str, Any] | None = None,
) -> Path:
    """`results_<time>.json` and a sample log for each task.

    Args:
        folder: Where to; the model's folder is made in it.
        logs: Task -> its lines.
        model: Its name.
        time: When.
        rule: Fields of the label rule beside its classes.

    Returns:
        The path of the results file.
    """
    place = folder / model.replace("/", "__")
    place.mkdir(parents=True, exist_ok=True)
    corpus = {
        "name": "demo",
        "manifest_sha256": "0" * 64,
        "label_rule": {"classes": LABELS, **(rule or {})},
    }
    content = {
        "results": {task: {"alias": task, **aggregated(lines)} for task, lines in logs.items()},
        "configs": {
            task: {"task": task, "corpus": corpus, "strategy": lines[0]["doc"]["strategy"]}
            for task, lines in logs.items()
        },
        "model_name": model,
    }
    path = place / f"results_{time}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    for task, lines in logs.items():
        write_lines(place / f"samples_{task}_{time}.jsonl", lines)
    return path


def write_lines(path: Path, lines: Sequence[Line]) -> None:
    """A sample log."""
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")


def pair(doc: Mapping[str, Any]) -> Pair:
    """What a corpus metric needs of a logged document."""
    speaker = doc.get("speaker") or doc["id"]
    return Pair(doc["id"], speaker, doc["labels"], doc["soft_label"], doc["prediction"])


def aggregated(lines: Sequence[Line]) -> dict[str, Any]:
    """What the harness would report of lines."""
    found: dict[str, Any] = {"sample_len": len(lines)}
    of_corpus = corpus_aggregations(all_metrics())
    pairs = [pair(one["doc"]) for one in lines]
    for name in lines[0]["metrics"]:
        if name in of_corpus:
            found |= {f"{name},none": of_corpus[name](pairs), f"{name}_stderr,none": "N/A"}
            continue
        values = [one[name] for one in lines if one[name] is not None]
        found[f"{name},none"] = mean(values) if values else "N/A"
        plain = len(values) == len(lines) > 1
        found[f"{name}_stderr,none"] = mean_stderr(values) if plain else "N/A"
    return found
