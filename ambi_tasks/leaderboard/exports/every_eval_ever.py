"""Entries in the schema of Every Eval Ever, a common format of evaluation results.

Source: github.com/evaleval/every_eval_ever, `eval.schema.json`, version 0.3.0. Everything that the
schema has no field for goes into its `additional_details`, whose values are texts.
"""

import datetime
import math
from collections.abc import Mapping
from typing import Any

from ambi_tasks.leaderboard.command import repeat_command
from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.scores import ScoresOf, entry_scores
from ambi_tasks.leaderboard.submission import CorpusRecord, ModelSubmission, ScoreRecord
from ambi_tasks.leaderboard.truth import board_corpora, rule_name
from ambi_tasks.leaderboard.words import folder_name
from ambi_tasks.metrics import Metric, get_metric
from ambi_tasks.statistics.bootstrap import RESAMPLES
from ambi_tasks.statistics.inference import LEVEL

SCHEMA_VERSION = "0.3.0"

SOURCE = "ambi_tasks leaderboard"


def record_of(
    entry: Entry, retrieved: datetime.datetime, *, scores_of: ScoresOf = entry_scores
) -> dict[str, Any]:
    """One entry of a model as an evaluation of that schema.

    Args:
        entry: Of a model.
        retrieved: When the record is made.
        scores_of: Where its scores come from.

    Raises:
        ValueError: The entry is a reference.
    """
    submission = entry.submission
    if not isinstance(submission, ModelSubmission):
        raise ValueError(f"{entry.key} is a reference, no evaluation of a model.")
    moment = str(int(retrieved.timestamp()))
    model = model_id(submission)
    task = f"ambi_{submission.corpus.name}_{submission.strategy.name}"
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{_unique(entry.key)}/{moment}",
        "evaluation_timestamp": submission.evaluated.isoformat(),
        "retrieved_timestamp": moment,
        "source_metadata": {
            "source_name": SOURCE,
            "source_type": "evaluation_run",
            "source_organization_name": submission.submitter.name,
            "evaluator_relationship": _relationship(submission),
            "additional_details": {"status": entry.status, "entry": entry.key},
        },
        "eval_library": {
            "name": "lm_eval",
            "version": submission.software.get("lm_eval", "unknown"),
            "additional_details": dict(submission.software),
        },
        "model_info": _model(submission, model),
        "evaluation_results": [
            _result(name, record, task, submission)
            for name, record in sorted(scores_of(entry).items())
            if record.value is not None
        ],
    }


def model_id(submission: ModelSubmission) -> str:
    """The model as `developer/name`.

    Args:
        submission: Of a model.
    """
    checkpoint = submission.model.checkpoint
    if checkpoint is not None and "/" in checkpoint:
        return checkpoint
    return f"{folder_name(submission.model.organization)}/{folder_name(submission.model.name)}"


def _unique(key: str) -> str:
    """`<task>[--<variant>]/<organization>/<model>`: no other entry of the board has it.

    The checkpoint would not tell a model from its quantised self.
    """
    model, corpus, strategy = key.split("/")
    return f"ambi_{corpus}_{strategy}/{model.replace('__', '/')}"


def _relationship(submission: ModelSubmission) -> str:
    maker, submitter = submission.model.organization, submission.submitter.name
    return "first_party" if maker.casefold() == submitter.casefold() else "third_party"


def _model(submission: ModelSubmission, identifier: str) -> dict[str, Any]:
    model = submission.model
    details = {
        "deployment_type": "externally_managed" if model.adapter == "alm_api" else "self_deployed",
        "model_availability": f"{model.weights}_weights",
        "adapter": model.adapter,
        "adapter_version": model.adapter_version,
        "revision": model.revision,
        "sha256": model.sha256,
        "precision": model.precision,
        "architecture": model.architecture,
        "parameters": model.parameters,
    }
    return {
        "name": model.name,
        "id": identifier,
        "developer": model.organization,
        "additional_details": _texts(details),
    }


def _result(
    name: str, record: ScoreRecord, task: str, submission: ModelSubmission
) -> dict[str, Any]:
    metric = get_metric(name)
    return {
        "evaluation_result_id": f"{task}.{name}",
        "evaluation_name": task,
        "source_data": _source(submission.corpus),
        "metric_config": _metric(metric),
        "score_details": {"score": record.value, "uncertainty": _uncertainty(record, submission)},
        "generation_config": _generation(submission),
    }


def _source(corpus: CorpusRecord) -> dict[str, Any]:
    details = {
        "manifest_sha256": corpus.manifest_sha256,
        "label_rule": rule_name(corpus),
        "release": corpus.release,
        "utterances": corpus.utterances,
        **{f"option_{name}": value for name, value in corpus.options.items()},
    }
    return {
        "dataset_name": board_corpora()[corpus.name].title,
        "source_type": "other",
        "additional_details": _texts(details),
    }


def _metric(metric: Metric) -> dict[str, Any]:
    """Its bounds are Infinity in words where there are none, as the schema has it."""
    low, high = (
        bound if math.isfinite(bound) else "Infinity" if bound > 0 else "-Infinity"
        for bound in metric.bounds
    )
    summary = (metric.function.__doc__ or "").strip().splitlines()
    return {
        "evaluation_description": summary[0] if summary else metric.name,
        "metric_id": f"ambi_tasks.{metric.name}",
        "metric_name": metric.name,
        "metric_parameters": dict(metric.options),
        "lower_is_better": not metric.higher_is_better,
        "score_type": "continuous",
        "min_score": low,
        "max_score": high,
    }


def _uncertainty(record: ScoreRecord, submission: ModelSubmission) -> dict[str, Any]:
    found: dict[str, Any] = {"num_samples": submission.corpus.utterances}
    method = "bootstrap over speakers"
    if record.se is not None:
        found["standard_error"] = {"value": record.se, "method": method}
    if record.low is not None and record.high is not None:
        found["num_bootstrap_samples"] = RESAMPLES
        found["confidence_interval"] = {
            "lower": record.low,
            "upper": record.high,
            "confidence_level": LEVEL,
            "method": method,
        }
    return found


def _generation(submission: ModelSubmission) -> dict[str, Any]:
    decoding = submission.decoding
    names: dict[str, tuple[str, type]] = {
        "temperature": ("temperature", float),
        "top_p": ("top_p", float),
        "max_gen_toks": ("max_tokens", int),
    }
    arguments = {
        theirs: decoding[ours]
        for ours, (theirs, kind) in names.items()
        if type(decoding.get(ours)) in (int, kind)  # a stranger may have written anything else
    }
    prompts = {f"prompt_{one.role}": f"{one.id} {one.sha256}" for one in submission.prompts}
    fields = {f"strategy_{name}": value for name, value in submission.strategy.fields.items()}
    return {
        "generation_args": {**arguments, "execution_command": repeat_command(submission)},
        "additional_details": _texts({**prompts, "strategy": submission.strategy.name, **fields}),
    }


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}
