"""The votes that predictions are scored by, where a corpus's folder is at hand."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ambi_tasks.corpora import Corpus
from ambi_tasks.corpora.corpus import all_corpora
from ambi_tasks.corpora.release import release_of
from ambi_tasks.errors import UserError
from ambi_tasks.label_index import label_index
from ambi_tasks.labels import LabelRule
from ambi_tasks.leaderboard.submission import CorpusRecord, LabelRuleRecord
from ambi_tasks.metrics.validation import Floats


@dataclass(frozen=True, slots=True)
class Truth:
    """What the annotators said, utterances sorted by id.

    Attributes:
        ids: (N,).
        speakers: (N,), names.
        soft_labels: (N, K).
        annotators: (N,), how many votes count.
        strata: (N,), names of the strata of ambiguity.
        manifest_sha256: See `documents.Selection`.
        dropped: Utterances without a soft label, by reason.
        rule: The label rule.
        root: The copy that they are of.
    """

    ids: NDArray[np.str_]
    speakers: NDArray[np.str_]
    soft_labels: Floats
    annotators: NDArray[np.intp]
    strata: NDArray[np.str_]
    manifest_sha256: str
    dropped: Mapping[str, int]
    rule: LabelRule
    root: Path


def board_corpora() -> dict[str, Corpus]:
    """The corpora that the board has: those of this package, the same on every machine."""
    ours = "ambi_tasks.corpora."
    return {
        name: corpus
        for name, corpus in all_corpora().items()
        if corpus.read.__module__.startswith(ours)
    }


def board_rules(corpus: Corpus) -> dict[str, LabelRule]:
    """The label rules that the board has of a corpus: the default one and its presets, by name."""
    return {"default": corpus.label_rule, **corpus.presets}


def rule_name(record: CorpusRecord) -> str:
    """Which of the board's rules a record has.

    Args:
        record: Of a corpus of the board.

    Raises:
        UserError: None of them.
    """
    corpus = board_corpora()[record.name]
    rule = record.label_rule.rule()
    for name, known in board_rules(corpus).items():
        if known == rule:
            return name
    names = ", ".join(board_rules(corpus))
    raise UserError(
        f"the label rule is none that the board has of {corpus.title} ({names}), so that no other "
        f"entry could be compared"
    )


def run_metadata(record: CorpusRecord) -> dict[str, str]:
    """What chooses the corpus's options and label rule, as `--metadata` for lm_eval has it.

    Args:
        record: Of a corpus and a label rule of the board.
    """
    corpus, rule = board_corpora()[record.name], rule_name(record)
    chosen = {
        name: value for name, value in record.options.items() if value != corpus.options[name][0]
    }
    return chosen | ({} if rule == "default" else {"label_rule": rule})


def corpus_record(name: str, metadata: Mapping[str, Any]) -> CorpusRecord:
    """What a submission says of a corpus, from its votes.

    Args:
        name: A corpus of the board.
        metadata: As for lm_eval.

    Raises:
        UserError: The board has no such corpus or rule, or no copy is at hand.
    """
    corpora = board_corpora()
    if name not in corpora:
        raise UserError(f"The board has no corpus '{name}'; there are: {', '.join(corpora)}.")
    corpus = corpora[name]
    options, rule = corpus.chosen_options(metadata), corpus.chosen_rule(metadata)
    root = corpus.root(metadata)
    index = label_index(corpus, root, options, rule)
    return CorpusRecord(
        name=name,
        release=release_word(release_of(root)),
        options=options,
        label_rule=LabelRuleRecord(**{**asdict(rule), "classes": list(rule.classes)}),
        manifest_sha256=index.manifest_sha256,
        utterances=len(index.rows),
        dropped=index.dropped,
    )


def release_word(release: str) -> str | None:
    """A corpus's release as one word: `commit 0a1b` is `commit:0a1b`; None where it has no mark."""
    return release.replace(" ", ":") or None


def find_truth(record: CorpusRecord, metadata: Mapping[str, Any] | None = None) -> Truth | None:
    """The votes of a corpus, by the record's options and label rule.

    Args:
        record: Of a corpus, options and label rule of the board.
        metadata: Where copies lie, as for lm_eval: `{"crema_d_root": ...}`; else the environment's
            `CREMA_D_ROOT` and its like.

    Returns:
        The votes; None where no copy is named.

    Raises:
        UserError: A copy is named, but it is not there or cannot be read.
    """
    corpus = board_corpora()[record.name]
    chosen = dict(metadata or {})
    if not corpus.has_copy(chosen):
        return None
    options = corpus.chosen_options(record.options)
    return _truth(corpus.name, corpus.root(chosen), tuple(options.items()), rule_name(record))


@lru_cache(maxsize=16)
def _truth(name: str, root: Path, options: tuple[tuple[str, str], ...], rule_name: str) -> Truth:
    corpus = board_corpora()[name]
    rule = board_rules(corpus)[rule_name]
    index = label_index(corpus, root, dict(options), rule)
    if not len(index.rows):
        raise UserError(f"{corpus.title} at {root} has no utterance with a soft label.")
    ids = np.array(index.rows["id"], dtype=np.str_)
    order = np.argsort(ids)
    return Truth(
        ids=ids[order],
        speakers=np.array(index.rows["speaker"], dtype=np.str_)[order],
        soft_labels=np.array(index.rows["soft_label"], dtype=np.float64)[order],
        annotators=np.array(index.rows["annotators"], dtype=np.intp)[order],
        strata=np.array(index.rows["stratum"], dtype=np.str_)[order],
        manifest_sha256=index.manifest_sha256,
        dropped=index.dropped,
        rule=rule,
        root=root,
    )
