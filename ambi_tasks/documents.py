"""Utterances and a label rule -> the documents of a task, with every utterance accounted for."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import datasets

from ambi_tasks.audio import Clip, audio_fault
from ambi_tasks.corpora import Corpus
from ambi_tasks.corpora.release import release_of
from ambi_tasks.errors import UserError
from ambi_tasks.label_index import LabelIndex, label_index, manifest_sha256
from ambi_tasks.labels import LabelRule

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
            that are `counted` and those `outside` the classes; `notes`, where the reader left
            something out, are its sentences about that.
        label_rule: The rule that made the soft labels.
        options: What was chosen of the corpus.
        release: Which release the copy is, empty where it does not tell.
        manifest_sha256: Hash over utterance ids, votes and label rule: equal hashes, equal truth.
    """

    documents: datasets.Dataset
    counts: dict[str, Any]
    label_rule: LabelRule
    options: dict[str, str]
    release: str
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
    index = label_index(corpus, root, options, rule)
    rows = _with_audio(index.rows, corpus, skip=policy == "skip")
    counts = _counts(index, rows)
    if not len(rows):
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
    whole = len(rows) == len(index.rows)
    manifest = index.manifest_sha256 if whole else manifest_sha256(rows, rule)
    return Selection(rows, counts, rule, options, release_of(root), manifest)


def _with_audio(rows: datasets.Dataset, corpus: Corpus, *, skip: bool) -> datasets.Dataset:
    """Keep the rows whose file may hold audio, or refuse with one summary."""
    references = rows["audio"] if len(rows) else []
    faults = [audio_fault(Clip.from_mapping(reference)) for reference in references]
    present = [number for number, fault in enumerate(faults) if fault is None]
    if len(present) == len(rows):
        return rows
    kinds = Counter(fault for fault in faults if fault)
    absent = [number for number, fault in enumerate(faults) if fault]
    summary = (
        f"{corpus.title}: {len(absent)} of {len(rows)} utterances have no audio "
        f"({'; '.join(f'{n} x {fault}' for fault, n in kinds.most_common())}; "
        f"for example {', '.join(rows[absent[:_EXAMPLES_SHOWN]]['id'])})"
    )
    if not skip:
        raise UserError(
            f"{summary}. Complete the copy ({corpus.source}), or evaluate the utterances that have "
            f'audio with --metadata \'{{"{_MISSING_AUDIO}": "skip"}}\'.'
        )
    _log.warning("%s; they are skipped.", summary)
    return rows.select(present)


def _counts(index: LabelIndex, rows: datasets.Dataset) -> dict[str, Any]:
    dropped = dict(index.dropped)
    if absent := len(index.rows) - len(rows):
        dropped[_MISSING_AUDIO] = absent
    return {
        "read": len(rows) + sum(dropped.values()),
        "kept": len(rows),
        "dropped": dropped,
        "votes": {
            "counted": sum(rows["annotators"]) if len(rows) else 0,
            "outside": sum(rows["annotators_outside"]) if len(rows) else 0,
        },
        **({"notes": list(index.notes)} if index.notes else {}),
    }


def _tally(counts: Mapping[str, Any]) -> str:
    reasons = ", ".join(f"{reason}: {n}" for reason, n in counts["dropped"].items())
    dropped = counts["read"] - counts["kept"]
    return f"{counts['read']} utterances read, {counts['kept']} kept, {dropped} dropped" + (
        f" ({reasons})" if reasons else ""
    )
