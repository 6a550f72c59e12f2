"""Boards of invented models: as many entries as a test wants, on votes that are at hand or not."""

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ambi_tasks.leaderboard.entry import run_of
from ambi_tasks.leaderboard.making import make_submitter
from ambi_tasks.leaderboard.predictions import COUNTS, Predictions, predictions_to_csv
from ambi_tasks.leaderboard.reading import PREDICTIONS
from ambi_tasks.leaderboard.references import reference_submissions
from ambi_tasks.leaderboard.scores import point_scores, score_records, stratum_records
from ambi_tasks.leaderboard.submission import CorpusRecord, ModelSubmission, ScoreRecord
from ambi_tasks.leaderboard.truth import Truth, corpus_record, find_truth
from ambi_tasks.leaderboard.writing import own_software, table_record, write_submission
from ambi_tasks.plugin import tasks_path
from ambi_tasks.prompts import load_prompt
from ambi_tasks.strategies import get_strategy
from ambi_tasks.strategies.fields import VerifiedFields
from ambi_tasks.verification import verifier_prompt
from tests.corpora.builders import write_crema_d

_SENTENCES = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
_EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")

SUBMITTER = make_submitter(name="Jane Doe", contact="jane@example.org")


@dataclass(frozen=True)
class Invented:
    """An entry of a model that never was.

    Attributes:
        model: Its name.
        strategy: By its default fields, but for `draws`.
        skill: Share of the truth in its predictions, in [0, 1].
    """

    model: str
    strategy: str = "direct"
    skill: float = 0.3
    organization: str = "Example Lab"
    parameters: int | None = 7_000_000_000
    weights: str = "open"
    draws: int | None = None
    tokens: int | None = 40
    variant: str | None = None
    with_curve: bool = False
    link: str | None = None
    seed: int = 0


def strategy_fields(name: str, draws: int | None = None) -> dict[str, Any]:
    """A strategy's fields, as results record them."""
    path = Path(tasks_path()) / f"strategy_{name}.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))["strategy"]
    values.pop("name")
    if draws is not None and "draws" in values:
        values["draws"] = draws
    settings = get_strategy(name).settings(values)
    if isinstance(settings, VerifiedFields):
        prompt = verifier_prompt(settings)
        settings = settings.model_copy(
            update={"verifier_prompt": prompt.id, "scale": settings.scale or prompt.scale}
        )
    return settings.model_dump(mode="json")


def invent(
    one: Invented, record: CorpusRecord, truth: Truth, *, intervals: bool = True
) -> tuple[ModelSubmission, dict[str, bytes]]:
    """A submission that passes validation, and its table."""
    fields = strategy_fields(one.strategy, one.draws)
    settings = get_strategy(one.strategy).settings(fields)
    rng = np.random.default_rng([one.seed, *one.model.encode(), *one.strategy.encode()])
    utterances, classes = truth.soft_labels.shape
    noise = rng.dirichlet(np.ones(classes), size=utterances)
    distributions = one.skill * truth.soft_labels + (1 - one.skill) * noise
    distributions /= distributions.sum(axis=1, keepdims=True)
    draws = np.full(utterances, settings.pool, dtype=np.int64)
    failed = rng.binomial(draws, 0.05) if settings.pool > 1 else np.zeros_like(draws)
    parsed = np.maximum(draws - failed, 1)
    verified = isinstance(settings, VerifiedFields)
    asked = parsed if verified else np.zeros_like(draws)
    predictions = Predictions(
        truth.ids, distributions, dict(zip(COUNTS, (draws, parsed, asked, asked), strict=True))
    )
    run = run_of("invented", predictions, truth)
    table = predictions_to_csv(predictions, record.label_rule.classes)
    scores = (
        score_records(run)
        if intervals
        else {
            name: ScoreRecord(value=None if np.isnan(value) else value)
            for name, value in point_scores(run).items()
        }
    )
    prompts = [("question", load_prompt(fields["prompt"]))]
    if verified:
        prompts.append(("verifier", load_prompt(fields["verifier_prompt"])))
    unread = int((draws - parsed).sum())
    submission = ModelSubmission.model_validate(
        {
            "schema_version": 1,
            "kind": "model",
            "corpus": record.model_dump(),
            "submitter": SUBMITTER.model_dump() | {"link": one.link},
            "software": {**own_software(), "lm_eval": "0.4.13"},
            "seeds": {"draws": 1234, "intervals": 1234},
            "scores": {name: found.model_dump() for name, found in scores.items()},
            "strata": {
                stratum: {name: found.model_dump() for name, found in by_metric.items()}
                for stratum, by_metric in (stratum_records(run, truth) if intervals else ())
            },
            "model": {
                "checkpoint": f"example/{one.model.replace(' ', '-')}",
                "revision": "0" * 40,
                "adapter": "alm_hf" if one.weights == "open" else "alm_api",
                "adapter_version": "0.1.0",
                "organization": one.organization,
                "name": one.model,
                "weights": one.weights,
                "parameters": one.parameters,
                "link": one.link,
            },
            "evaluated": datetime.date(2026, 11, 25),
            "strategy": {"name": one.strategy, "fields": fields},
            "variant": one.variant,
            "prompts": [
                {"role": role, "id": prompt.id, "version": prompt.version, "sha256": prompt.sha256}
                for role, prompt in prompts
            ],
            "decoding": {"do_sample": settings.mode == "sample", "max_gen_toks": 256},
            "parsing": {
                "answered": utterances,
                "draws": int(draws.sum()),
                "parsed": int(parsed.sum()),
                "failures": {"no_answer": unread} if unread else {},
                "verdicts": int(asked.sum()),
                "verified": int(asked.sum()),
            },
            "compute": {
                "hardware": "one H100",
                "tokens": None if one.tokens is None else one.tokens * int(draws.sum()),
                "run_seconds": 600.0,
            },
            "training": {"frozen": True, "saw_corpus": "no"},
            "curve": [
                {"metric": metric, "draws": n, "tokens": 40.0 * n, "score": 0.2 + 0.1 / n}
                for metric in ("js", "bc")
                for n in (1, 2, 4)
            ]
            if one.with_curve
            else [],
            "predictions": table_record(table, utterances).model_dump(),
        }
    )
    return submission, {PREDICTIONS: table}


def write_look_alike(root: Path, *, speakers: int = 12, clips: int = 10) -> Path:
    """A clone of CREMA-D with invented votes and without audio."""
    rng = np.random.default_rng(0)
    votes: dict[str, Mapping[str, int]] = {}
    for speaker in range(speakers):
        for clip in range(clips):
            shares = rng.dirichlet(np.full(6, 0.25))
            counts = rng.multinomial(9, shares)
            sentence, emotion = divmod(clip, len(_EMOTIONS))
            name = f"{1001 + speaker}_{_SENTENCES[sentence]}_{_EMOTIONS[emotion]}_XX"
            votes[name] = {letter: int(n) for letter, n in zip("ADFHNS", counts, strict=True) if n}
    return write_crema_d(root, votes, audio=False)


def votes_of(name: str, metadata: Mapping[str, Any]) -> tuple[CorpusRecord, Truth]:
    """What submissions say of a corpus, and its votes."""
    record = corpus_record(name, metadata)
    truth = find_truth(record, metadata)
    assert truth is not None
    return record, truth


def write_references(board: Path, name: str, metadata: Mapping[str, Any]) -> None:
    """Floors and ceiling of a corpus."""
    for submission, tables in reference_submissions(name, SUBMITTER, metadata):
        write_submission(board, submission, tables)


def write_entries(
    board: Path,
    name: str,
    metadata: Mapping[str, Any],
    entries: list[Invented],
    *,
    intervals: bool = True,
) -> None:
    """Entries of invented models."""
    record, truth = votes_of(name, metadata)
    for one in entries:
        write_submission(board, *invent(one, record, truth, intervals=intervals))


def renamed(one: Invented, **changes: Any) -> Invented:
    """The same but for some fields."""
    return Invented(**(asdict(one) | changes))
