"""How long `ambi report` takes about 50 runs on 7,442 utterances, the size of CREMA-D.

    python benchmarks/report.py [--models 10] [--utterances 7442] [--keep DIR]

It writes the folder that the harness would leave: ten models and the paper's five strategies, with
draws, verdicts, prompts and scores in every line, all made up, and about as long as those of real
runs (5 kB on average, 1.9 GB in all). Then it runs the command, and prints the seconds that passed,
and those that its processes computed, which on a busy machine are fewer.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ambi_tasks.corpora import get_corpus
from ambi_tasks.labels import LabelRule, entropy_bits, strata
from ambi_tasks.metrics.validation import Floats
from ambi_tasks.plugin import tasks_path
from ambi_tasks.statistics import Run
from ambi_tasks.strategies import get_strategy
from ambi_tasks.strategies.evidence import Evidence

STRATEGIES = ("cot", "bon", "wbon", "almv", "walmv")
SPEAKERS = 91
TIME = "2026-01-02T03-04-05.678901"
RULE: LabelRule = get_corpus("crema_d").label_rule


def corpus(utterances: int) -> list[dict[str, Any]]:
    """What a line says of its utterance, but for what a model said."""
    rng = np.random.default_rng(0)
    opinion = rng.dirichlet([0.4] * len(RULE.classes), size=utterances)
    votes = rng.multinomial(rng.integers(6, 12, size=utterances), opinion)
    truth = votes / votes.sum(axis=1, keepdims=True)
    entropies = [entropy_bits(row) for row in truth.tolist()]
    named = strata(entropies)
    return [
        {
            "id": f"{1001 + number % SPEAKERS}_{number:05d}_XX",
            "audio": {"path": f"AudioWAV/{number}.wav", "start": None, "end": None},
            "speaker": str(1001 + number % SPEAKERS),
            "attributes": {
                "sex": ("male", "female")[number % SPEAKERS % 2],
                "age": str(20 + number % SPEAKERS % 55),
                "race": ("Caucasian", "African American", "Asian")[number % SPEAKERS % 3],
            },
            "labels": list(RULE.classes),
            "soft_label": truth[number].tolist(),
            "votes": votes[number].astype(float).tolist(),
            "annotators": int(votes[number].sum()),
            "annotators_outside": 0,
            "entropy": entropies[number],
            "stratum": named[number],
        }
        for number in range(utterances)
    ]


def fields(name: str) -> dict[str, Any]:
    """What a log says of a strategy."""
    path = Path(tasks_path()) / f"strategy_{name}.yaml"
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["strategy"]
    if "scale" in values:
        values |= {"scale": [0.0, 10.0], "verifier_prompt": "verifier_rating"}
    return values


class Model:
    """A model that hears some of the votes, and what a strategy makes of it."""

    def __init__(self, documents: list[dict[str, Any]], strategy: str, seed: int) -> None:
        self.documents = documents
        self.strategy = fields(strategy)
        settings = get_strategy(strategy).settings(
            {k: v for k, v in self.strategy.items() if k != "name"}
        )
        rng = np.random.default_rng([seed, STRATEGIES.index(strategy)])
        truth = np.array([one["soft_label"] for one in documents])
        shape = (len(truth), settings.pool)
        heard = rng.uniform(0.2, 0.6)
        noise = rng.dirichlet([0.6] * truth.shape[1], size=shape)
        self.drawn = (heard * truth[:, None] + (1 - heard) * noise).round(3)
        self.drawn /= self.drawn.sum(axis=2, keepdims=True)
        self.readable = rng.random(shape) > 0.02  # noqa: PLR2004
        self.readable[:, 0] = True
        self.likelihoods = -rng.gamma(4.0, 3.0, size=shape)
        self.verified = "scale" in self.strategy
        self.scores = rng.integers(0, 11, size=shape) / 1.0
        evidence = Evidence(
            self.readable,
            self.likelihoods,
            np.ones(shape, dtype=bool),
            np.full(shape, 40.0),
            self.scores if self.verified else np.full(shape, np.nan),
        )
        self.weights = get_strategy(strategy).weights(evidence, settings)
        self.weights /= self.weights.sum(axis=1, keepdims=True)
        mixed: Floats = np.einsum("un,unk->uk", self.weights, self.drawn)
        self.prediction = mixed / mixed.sum(axis=1, keepdims=True)

    def lines(self, scores: dict[str, Any]) -> Iterator[str]:
        """The sample log; scores of utterances are there for their length."""
        prompt = "Several people listened to this recording, and each voted for the emotion. " * 6
        template = {"max_gen_toks": 256, "seed": 1234, "top_p": 1.0, "until": [], "do_sample": True}
        for number, document in enumerate(self.documents):
            draws, candidates = self._draws(number)
            doc = document | {"strategy": self.strategy, "draws": draws}
            if self.verified:
                doc["verdicts"] = [
                    {"text": f"{score:.0f}", "tokens": 2, **_EVIDENCE} if read else None
                    for score, read in zip(self.scores[number], self.readable[number], strict=True)
                ]
            doc |= {
                "prediction": self.prediction[number].tolist(),
                "answered": True,
                "spread": 0.2,
                "candidates": candidates,
            }
            texts = [draw["text"] for draw in draws]
            line = {
                "doc_id": number,
                "doc": doc,
                "target": str(document["soft_label"]),
                "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": template}},
                "resps": [texts],
                "filtered_resps": [texts],
                "metrics": list(scores),
                **scores,
            }
            yield json.dumps(line) + "\n"

    def _draws(self, number: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        draws, candidates = [], []
        for place in range(self.drawn.shape[1]):
            said = self.drawn[number, place].tolist()
            read = bool(self.readable[number, place])
            text = json.dumps(dict(zip(RULE.classes, said, strict=True)))
            likelihood = self.likelihoods[number, place]
            evidence = {"log_likelihood": likelihood, "tokens": 40, **_EVIDENCE}
            draws.append({"text": text if read else text[:20], "draw_index": place, **evidence})
            candidates.append(
                {
                    "distribution": said if read else None,
                    "failure": None if read else "truncated",
                    "repairs": [],
                    "score": self.scores[number, place] if self.verified and read else None,
                    "verdict_failure": None,
                    "weight": self.weights[number, place],
                }
            )
        return draws, candidates

    def reported(self) -> dict[str, float]:
        """The scores, as the harness would report them."""
        counts = self.readable.sum(axis=1), np.full(len(self.readable), self.readable.shape[1])
        truth = np.array([one["soft_label"] for one in self.documents])
        run = Run.of(
            "",
            ids=[one["id"] for one in self.documents],
            speakers=[one["speaker"] for one in self.documents],
            rule=RULE,
            inputs={"distributions": (truth, self.prediction), "draws": counts},
        )
        return {
            metric.name: float(
                metric.value(
                    metric.sufficient(*run.inputs[metric.needs], labels=RULE.classes).sum(axis=0)
                )
            )
            for metric in run.metrics()
        }


_EVIDENCE = {"seed": 1234, "finish_reason": "stop", "clip_sha256": "0" * 64}


def write(folder: Path, models: int, utterances: int) -> None:
    """The folder that the harness would leave."""
    documents = corpus(utterances)
    for number in range(models):
        place = folder / f"model-{number}"
        place.mkdir(parents=True)
        results: dict[str, Any] = {}
        configs: dict[str, Any] = {}
        for strategy in STRATEGIES:
            task = f"ambi_crema_d_{strategy}"
            model = Model(documents, strategy, number)
            scores = model.reported()
            with (place / f"samples_{task}_{TIME}.jsonl").open("w", encoding="utf-8") as file:
                file.writelines(model.lines(scores))
            results[task] = {f"{name},none": value for name, value in scores.items()}
            results[task]["sample_len"] = utterances
            identity = {"name": "crema_d", "manifest_sha256": "0" * 64, "label_rule": asdict(RULE)}
            configs[task] = {"task": task, "corpus": identity, "strategy": model.strategy}
        content = {"results": results, "configs": configs, "model_name": f"model-{number}"}
        (place / f"results_{TIME}.json").write_text(json.dumps(content), encoding="utf-8")


def main() -> None:
    """Write, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--utterances", type=int, default=7442)
    parser.add_argument("--keep", type=Path, help="Write there, and leave it.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        if not (folder / "results").is_dir():
            write(folder / "results", chosen.models, chosen.utterances)
        size = sum(path.stat().st_size for path in (folder / "results").rglob("*.jsonl"))
        command = [str(Path(sys.executable).with_name("ambi")), "report", str(folder / "results")]
        start = time.perf_counter()
        subprocess.run([*command, "-o", str(folder / "report")], check=True)
        seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    runs = chosen.models * len(STRATEGIES)
    print(f"{runs} runs x {chosen.utterances:,} utterances, {size / 1e9:.2f} GB: {seconds:.1f} s,")
    print(f"of which {used.ru_utime + used.ru_stime:.1f} s of computing, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
