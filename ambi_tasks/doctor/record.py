"""What an examination of a model leaves behind: one file per fingerprint, beside the draws.

A run of the same model, by the same fingerprint, finds it and takes its verdict into the results.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pydantic

from ambi_tasks.cache import cache_root
from ambi_tasks.errors import UserError

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

RECORD_VERSION: Literal[1] = 1
NOT_EXAMINED = "not examined"

CheckVerdict = Literal["ok", "warning", "fail"]

Value: TypeAlias = float | int | str | None

Verdict = Literal["healthy", "warnings", "fails", "deaf"]

HEARING = ("hears_silence", "hears_other_clip", "hears_noise")
"""The checks that a model must pass to count as one that hears; `deaf` passes none of them."""

_WORST_FIRST: tuple[tuple[CheckVerdict, Verdict], ...] = (
    ("fail", "fails"),
    ("warning", "warnings"),
)


def verdict_of(checks: Mapping[str, CheckVerdict]) -> Verdict:
    """`deaf`, else `fails` if any check fails, else `warnings` if any warns, else `healthy`.

    Args:
        checks: Name -> what came of it.
    """
    if {name for name, said in checks.items() if said == "fail"} >= set(HEARING):
        return "deaf"
    found = set(checks.values())
    return next((of for one, of in _WORST_FIRST if one in found), "healthy")


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Check(_Part):
    """One thing that was looked at.

    Attributes:
        name: Stable name, such as `hears_silence`.
        verdict: `ok`, `warning` or `fail`.
        sentence: What was found, and if need be what to do.
        values: The numbers behind it.
    """

    name: str
    verdict: CheckVerdict
    sentence: str
    values: Mapping[str, Value] = {}


class Examination(_Part):
    """All that one call of `ambi doctor` found out about a model.

    Attributes:
        version: Of this format.
        adapter: The name that follows `--model`.
        model_name: What the results call the model.
        model: What its adapter says about it, see `Backend.describe`.
        fingerprint: See `Backend.fingerprint`; None where the adapter has none.
        examined: When, in UTC, as ISO 8601.
        ambi_tasks_version: Of the software that examined it.
        evidence: What the hearing test looked at: `label log-likelihoods`, `sampled answers` or
            `greedy answers`.
        labels: The emotions that it was asked about.
        clips: The hash of each clip, in order, see `audio.clip_sha256`.
        batch_size: As the harness's `--batch_size`.
        checks: What was looked at, in order.
        answers_sha256: Hash of every answer of the first pass: equal hashes, equal answers.
    """

    version: Literal[1] = RECORD_VERSION
    adapter: str
    model_name: str
    model: dict[str, Any]
    fingerprint: str | None
    examined: str
    ambi_tasks_version: str
    evidence: str
    labels: tuple[str, ...]
    clips: tuple[str, ...]
    batch_size: str
    checks: tuple[Check, ...]
    answers_sha256: str

    @property
    def verdict(self) -> Verdict:
        """`deaf`, else `fails` if any check fails, else `warnings` if any warns, else `healthy`."""
        return verdict_of({check.name: check.verdict for check in self.checks})

    def check(self, name: str) -> Check:
        """The check of a name."""
        return next(check for check in self.checks if check.name == name)

    def summary(self) -> dict[str, Any]:
        """What the results of a run say of it, under `config` -> `doctor`."""
        return {
            "verdict": self.verdict,
            "record_version": self.version,
            "examined": self.examined,
            "ambi_tasks_version": self.ambi_tasks_version,
            "fingerprint": self.fingerprint,
            "evidence": self.evidence,
            "checks": {
                check.name: {
                    "verdict": check.verdict,
                    "sentence": check.sentence,
                    **({"values": dict(check.values)} if check.values else {}),
                }
                for check in self.checks
            },
        }


def record_path(fingerprint: str) -> Path:
    """Where the record of a model lies."""
    return cache_root() / "doctor" / f"{fingerprint}.json"


def save(examination: Examination) -> Path | None:
    """Keep an examination, in place of an earlier one of the same model.

    Returns:
        Where it lies; None for a model without a fingerprint, which could not be told from others.

    Raises:
        UserError: The cache cannot be written.
    """
    if examination.fingerprint is None:
        return None
    path = record_path(examination.fingerprint)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(examination.model_dump_json(indent=2) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise UserError(
            f"The record of the examination cannot be written to {path} ({error.strerror}); set "
            f"AMBI_CACHE to a folder that can be written."
        ) from error
    return path


def find(fingerprint: str | None) -> Examination | None:
    """The examination of a model; None where there is none that can be read."""
    if fingerprint is None or not (path := record_path(fingerprint)).is_file():
        return None
    try:
        found = Examination.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        _log.warning("%s is no record of an examination (%s); it is ignored.", path, reason)
        return None
    if found.fingerprint != fingerprint:
        _log.warning("%s is the record of another model; it is ignored.", path)
        return None
    return found


def summary_of(fingerprint: str | None) -> Mapping[str, Any]:
    """What the results of a run say about the examination of its model.

    Args:
        fingerprint: See `Backend.fingerprint`.

    Returns:
        `Examination.summary`, or `not examined` as the `verdict`.
    """
    found = find(fingerprint)
    return {"verdict": NOT_EXAMINED} if found is None else found.summary()
