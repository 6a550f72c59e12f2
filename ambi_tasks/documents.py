"""Utterances and a label rule -> the documents of a task, with every utterance accounted for."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
            `attributes` if any, `labels`, `soft_label` and `votes` (in the order of `labels`),
            `annotators` whose vote counts, `annotators_outside` whose vote lies outside the
            classes, `entropy` (bits) and `stratum`. No sample of audio is in it.
        counts: Utterances `read`, `kept` and `dropped` by reason; of the kept ones, the `votes`
            that are `counted` and those `outside` the classes.
        label_rule: The rule that made the soft labels.
        options: What was chosen of the corpus.
        manifest_sha256: Hash over utterance ids, votes and label rule: equal hashes, equal truth.
    """

    documents: datasets.Dataset
    counts: dict[str, Any]
    label_rule: LabelRule
    options: dict[str, str]
    manifest_sha256: str


def select_documents(corpus: Corpus, metadata: Mapping[str, Any]) -> Selection:
    """Read a corpus and turn it into documents.

    Args:
        corpus: What to read.
        metadata: The run's `--metadata`: `<name>_root`, `label_rule`, the corpus's own options, and
            `missing_audio` (`refuse`, the default, or `skip`).

    Raises:
        UserError: The corpus is absent or malformed, nothing is left, or audio is missing and was
            not to be skipped.
    """
    policy = metadata.get(_MISSING_AUDIO, "refuse")
    if policy not in ("refuse", "skip"):
        raise UserError(f"--metadata {_MISSING_AUDIO} is 'refuse' or 'skip', not '{policy}'.")
    rule, options = corpus.chosen_rule(metadata), corpus.chosen_options(metadata)
    root = corpus.root(metadata)
    labelled, dropped = _labelled_rows(corpus.read(root, **options), rule)
    rows = _with_audio(labelled, corpus, skip=policy == "skip")
    if absent := len(labelled) - len(rows):
        dropped[_MISSING_AUDIO] = absent
    counts = _counts(rows, dropped)
    if not rows:
        raise UserError(
            f"{corpus.title}: no utterance is left ({_tally(counts)}); "
            f"check the copy at {root} ({corpus.source})."
        )
    _log.info(
        "%s: %s; %d votes counted, %d outside the classes.",
        corpus.title,
        _tally(counts),
        counts["votes"]["counted"],
        counts["votes"]["outside"],
    )
    documents = datasets.Dataset.from_list(rows)
    return Selection(documents, counts, rule, options, _manifest_sha256(rows, rule))


def _labelled_rows(
    utterances: Iterable[Utterance], rule: LabelRule
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The rows of the utterances that have a soft label, and the reasons of those that have none.

    The strata are those of the whole corpus, so that they do not depend on which audio is there.
    """
    dropped: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    for utterance in utterances:
        row = _document(utterance, rule)
        if isinstance(row, DropReason):
            dropped[row.value] += 1
        else:
            rows.append(row)
    for row, stratum in zip(rows, strata([row["entropy"] for row in rows]), strict=True):
        row["stratum"] = stratum
    return rows, dropped


def _document(utterance: Utterance, rule: LabelRule) -> dict[str, Any] | DropReason:
    label = soft_label(utterance.votes, rule)
    if isinstance(label, DropReason):
        return label
    return {
        "id": utterance.id,
        "audio": asdict(utterance.clip),
        "speaker": utterance.speaker,
        **({"attributes": dict(utterance.attributes)} if utterance.attributes else {}),
        "labels": list(rule.classes),
        "soft_label": list(label.distribution),
        "votes": list(label.masses),
        "annotators": label.annotators,
        "annotators_outside": sum(bool(vote.labels) for vote in utterance.votes) - label.annotators,
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


def _counts(rows: Sequence[Mapping[str, Any]], dropped: Mapping[str, int]) -> dict[str, Any]:
    return {
        "read": len(rows) + sum(dropped.values()),
        "kept": len(rows),
        "dropped": dict(dropped),
        "votes": {
            "counted": sum(row["annotators"] for row in rows),
            "outside": sum(row["annotators_outside"] for row in rows),
        },
    }


def _tally(counts: Mapping[str, Any]) -> str:
    reasons = ", ".join(f"{reason}: {n}" for reason, n in counts["dropped"].items())
    dropped = counts["read"] - counts["kept"]
    return f"{counts['read']} utterances read, {counts['kept']} kept, {dropped} dropped" + (
        f" ({reasons})" if reasons else ""
    )
