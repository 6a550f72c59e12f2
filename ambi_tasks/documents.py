"""Utterances and a label rule -> the documents of a task, with every utterance accounted for."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import datasets

from ambi_tasks.audio import Clip, audio_fault
from ambi_tasks.corpora import Corpus, Utterance
from ambi_tasks.errors import UserError
from ambi_tasks.labels import DropReason, LabelRule, entropy_bits, soft_label, strata

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_MISSING_AUDIO = "missing_audio"
_EXAMPLES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """The documents of a corpus and where every utterance went.

    Attributes:
        documents: One row per utterance kept: `id`, `audio` (path, start, end), `speaker`,
            `labels`, `soft_label` and `votes` (in the order of `labels`), `annotators`, `entropy`
            (bits) and `stratum`. No sample of audio is in it.
        counts: Utterances `read`, `kept` and `dropped` by reason.
        manifest_sha256: Hash over utterance ids, votes and label rule: equal hashes, equal truth.
    """

    documents: datasets.Dataset
    counts: dict[str, Any]
    manifest_sha256: str


def select_documents(corpus: Corpus, metadata: Mapping[str, Any]) -> Selection:
    """Read a corpus and turn it into documents.

    Args:
        corpus: What to read.
        metadata: The run's `--metadata`: `<name>_root`, and `missing_audio` (`refuse`, the default,
            or `skip`).

    Raises:
        UserError: The corpus is absent or malformed, nothing is left, or audio is missing and was
            not to be skipped.
    """
    policy = metadata.get(_MISSING_AUDIO, "refuse")
    if policy not in ("refuse", "skip"):
        raise UserError(f"--metadata {_MISSING_AUDIO} is 'refuse' or 'skip', not '{policy}'.")
    rule = corpus.label_rule
    dropped: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    utterances = 0
    for utterance in corpus.read(corpus.root(metadata)):
        utterances += 1
        row = _document(utterance, rule)
        if isinstance(row, DropReason):
            dropped[row.value] += 1
        else:
            rows.append(row)
    for row, stratum in zip(rows, strata([row["entropy"] for row in rows]), strict=True):
        row["stratum"] = stratum
    present = _with_audio(rows, corpus, skip=policy == "skip")
    if absent := len(rows) - len(present):
        dropped[_MISSING_AUDIO] = absent
    if not present:
        raise UserError(f"{corpus.title}: no utterance is left ({_tally(utterances, 0, dropped)}).")
    _log.info("%s: %s.", corpus.title, _tally(utterances, len(present), dropped))
    counts = {"read": utterances, "kept": len(present), "dropped": dict(dropped)}
    return Selection(datasets.Dataset.from_list(present), counts, _manifest_sha256(present, rule))


def _document(utterance: Utterance, rule: LabelRule) -> dict[str, Any] | DropReason:
    label = soft_label(utterance.votes, rule)
    if isinstance(label, DropReason):
        return label
    return {
        "id": utterance.id,
        "audio": asdict(utterance.clip),
        "speaker": utterance.speaker,
        "labels": list(rule.classes),
        "soft_label": list(label.distribution),
        "votes": list(label.masses),
        "annotators": label.annotators,
        "entropy": entropy_bits(label.distribution),
    }


def _with_audio(rows: list[dict[str, Any]], corpus: Corpus, *, skip: bool) -> list[dict[str, Any]]:
    """Keep the rows whose file may hold audio, or refuse with one summary."""
    faults = {}
    for row in rows:
        if fault := audio_fault(Clip.from_mapping(row["audio"])):
            faults[row["id"]] = fault
    if not faults:
        return rows
    kinds = "; ".join(f"{n} x {fault}" for fault, n in Counter(faults.values()).most_common())
    examples = ", ".join(list(faults)[:_EXAMPLES_SHOWN])
    summary = (
        f"{corpus.title}: {len(faults)} of {len(rows)} utterances have no audio "
        f"({kinds}; for example {examples})"
    )
    if not skip:
        raise UserError(
            f"{summary}. Complete the copy ({corpus.source}), or evaluate the utterances that have "
            f'audio with --metadata \'{{"{_MISSING_AUDIO}": "skip"}}\'.'
        )
    _log.warning("%s; they are skipped.", summary)
    return [row for row in rows if row["id"] not in faults]


def _manifest_sha256(rows: Iterable[Mapping[str, Any]], rule: LabelRule) -> str:
    votes = sorted((row["id"], row["votes"]) for row in rows)
    content = json.dumps({"votes": votes, "rule": asdict(rule)}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _tally(read: int, kept: int, dropped: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{reason}: {n}" for reason, n in dropped.items())
    return f"{read} utterances read, {kept} kept, {read - kept} dropped" + (
        f" ({reasons})" if reasons else ""
    )
