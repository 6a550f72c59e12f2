"""The command that repeats an entry."""

import json
import shlex
from typing import Any

from ambi_tasks.leaderboard.submission import ModelSubmission, Weights
from ambi_tasks.leaderboard.task_files import decoding_defaults, strategy_defaults
from ambi_tasks.leaderboard.truth import run_metadata

_NAMED_BY = {"alm_hf": "pretrained", "alm_api": "model"}
_DECIDED_BY_STRATEGY = ("do_sample", "num_beams", "temperature")


def repeat_command(submission: ModelSubmission) -> str:
    """The call of lm_eval that makes the same run, for a shell.

    What the task files say already is left out. Where the weights are files of somebody's own, a
    `PATH` stands for them; batch size, device and keys are the reader's own affair.

    Args:
        submission: An entry of the board.
    """
    strategy = submission.strategy
    defaults = strategy_defaults(strategy.name)
    changed = {
        name: value
        for name, value in strategy.fields.items()
        # A default of null is filled in by the prompt, and comes out the same again.
        if defaults.get(name) not in (None, value)
    }
    metadata = {**run_metadata(submission.corpus), **changed}
    words = [
        *("lm_eval", "--tasks", f"ambi_{submission.corpus.name}_{strategy.name}"),
        *("--model", submission.model.adapter, "--model_args", _all_arguments(submission)),
    ]
    if decoding := _decoding(submission):
        words += ["--gen_kwargs", ",".join(f"{name}={value}" for name, value in decoding.items())]
    if metadata:
        words += ["--metadata", json.dumps(metadata)]
    return shlex.join([*words, "--log_samples", "--output_path", "results/"])


def _all_arguments(submission: ModelSubmission) -> str:
    words = [_arguments(submission.model, ",")]
    if submission.verifier is not None:
        words += [f"verifier={submission.verifier.adapter}"]
        words += [f"verifier_args={_arguments(submission.verifier, ';')}"]
    return ",".join(filter(None, words))


def _arguments(weights: Weights, separator: str) -> str:
    arguments: dict[str, Any] = dict(weights.arguments)
    if weights.adapter in _NAMED_BY:
        arguments = {_NAMED_BY[weights.adapter]: weights.checkpoint or "PATH", **arguments}
    if weights.adapter == "alm_hf" and weights.checkpoint and weights.revision:
        arguments["revision"] = weights.revision
    return separator.join(f"{name}={value}" for name, value in arguments.items())


def _decoding(submission: ModelSubmission) -> dict[str, Any]:
    defaults = decoding_defaults()
    chosen = dict(submission.decoding)
    if "draws" in submission.seeds:
        chosen["seed"] = submission.seeds["draws"]
    return {
        name: value
        for name, value in chosen.items()
        if name not in _DECIDED_BY_STRATEGY and defaults.get(name) != value
    }
