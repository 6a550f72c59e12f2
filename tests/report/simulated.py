"""Runs as if they had been read from logs, made of arrays."""

from pathlib import Path

import numpy as np

from ambi_tasks.labels import LabelRule, entropy_bits, strata
from ambi_tasks.metrics import all_metrics
from ambi_tasks.report.logged_run import CorpusIdentity, LoggedRun, Utterances
from ambi_tasks.report.sample_log import TaskLog
from ambi_tasks.statistics import Run

LABELS = ("neutral", "happy", "angry")


def a_logged_run(
    name: str,
    utterances: int,
    *,
    speakers: int = 6,
    seed: int = 0,
    heard: float = 0.5,
    strategy: str = "direct",
    model: str = "model",
) -> LoggedRun:
    """Votes that are the same for every name and seed, and predictions that are not."""
    opinions = np.random.default_rng(0).dirichlet([0.3] * 3, size=utterances)
    votes = np.random.default_rng(1).multinomial(7, opinions)
    truth = votes / 7
    rng = np.random.default_rng([seed, len(name)])
    prediction = heard * truth + (1 - heard) * rng.dirichlet([1] * 3, size=utterances)
    names = [f"u{number:04d}" for number in range(utterances)]
    speaker = np.arange(utterances) % speakers
    ones = np.ones(utterances, dtype=np.intp)
    return LoggedRun(
        log=TaskLog(f"ambi_demo_{strategy}", model, "2026-01-02T03-04-05", Path(name), None, None),
        run=Run.of(
            name,
            ids=names,
            speakers=[f"s{number}" for number in speaker],
            rule=LabelRule(LABELS),
            inputs={"distributions": (truth, prediction), "draws": (ones, ones)},
        ),
        utterances=Utterances(
            votes=votes.astype(float),
            annotators=np.full(utterances, 7),
            strata=np.array(strata([entropy_bits(row) for row in truth.tolist()])),
            attributes={
                "sex": np.where(speaker % 2 == 0, "female", "male"),
                "age": (20 + np.arange(utterances) % 23).astype(str),
                "language": np.full(utterances, "English"),
            },
            answered=ones.astype(bool),
            candidates=ones,
            read=ones,
            scored=None,
            tokens=np.full(utterances, 18.0),
        ),
        corpus=CorpusIdentity("demo", "0" * 64, {}),
        strategy={"name": strategy, "prompt": "direct"},
        metrics=all_metrics(),
        failures={},
        verdict_failures={},
        _offsets=np.zeros(utterances, dtype=np.int64),
        _numbers=ones,
    )
