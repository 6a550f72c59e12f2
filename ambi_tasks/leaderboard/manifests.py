"""The utterances of corpora, known without a copy: how many, and hashes of names and votes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ambi_tasks.leaderboard.submission import CorpusRecord
from ambi_tasks.leaderboard.truth import board_corpora, corpus_record, find_truth, rule_name


@dataclass(frozen=True, slots=True)
class Manifest:
    """The utterances of a corpus by a label rule.

    Attributes:
        utterances: How many.
        ids_sha256: See `ids_sha256`.
        manifest_sha256: See `documents.Selection`.
    """

    utterances: int
    ids_sha256: str
    manifest_sha256: str


def ids_sha256(ids: NDArray[np.str_]) -> str:
    """Hash of the names of utterances, sorted, a line each."""
    return hashlib.sha256("".join(f"{name}\n" for name in ids.tolist()).encode()).hexdigest()


def manifest_of(name: str, metadata: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The manifest of a copy, as `manifests.json` has it.

    Args:
        name: A corpus of the board.
        metadata: Where it lies, its options and its label rule, as for lm_eval.

    Raises:
        UserError: The board has no such corpus or rule, or no copy is at hand.
    """
    record = corpus_record(name, metadata)
    truth = find_truth(record, metadata)
    assert truth is not None  # corpus_record has read it
    found = Manifest(len(truth.ids), ids_sha256(truth.ids), truth.manifest_sha256)
    return {_key(record): asdict(found)}


def known_manifest(record: CorpusRecord) -> Manifest | None:
    """The manifest that the package brings of a corpus by its options and label rule, if any.

    Args:
        record: Of a corpus, options and label rule of the board.
    """
    return _known().get(_key(record))


@cache
def _known() -> Mapping[str, Manifest]:
    text = (files("ambi_tasks.leaderboard") / "manifests.json").read_text(encoding="utf-8")
    return {key: Manifest(**values) for key, values in json.loads(text).items()}


def _key(record: CorpusRecord) -> str:
    """Such as `crema_d fold=all modality=voice vote_table=tabulated default`."""
    options = board_corpora()[record.name].chosen_options(record.options)
    chosen = [f"{name}={value}" for name, value in sorted(options.items())]
    return " ".join([record.name, *chosen, rule_name(record)])
