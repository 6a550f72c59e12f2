"""CREMA-D: acted English sentences, rated by 4 to 12 listeners a clip (voice only).

Source: Cao et al., "CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset", IEEE Transactions
on Affective Computing 5(4), 2014. The emotion in a file's name is the one the actor intended; it is
not read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.corpus import Corpus, Utterance
from ambi_tasks.corpora.csv_table import rows
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, Vote

_CLASS_OF_COLUMN = {
    "A": "anger",
    "D": "disgust",
    "F": "fear",
    "H": "happy",
    "N": "neutral",
    "S": "sad",
}
_KEY_COLUMN = ""
_KEYS_PER_MODALITY = 100_000
_VOICE_ONLY, _FACE_ONLY, _AUDIO_VISUAL = 1, 2, 3
_CLIP_NAME = re.compile(r"\d{4}_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}")  # actor, sentence, emotion, intensity


def read(root: Path) -> Iterator[Utterance]:
    """Read the voice-only votes of `processedResults/tabulatedVotes.csv`.

    The table has three rows a clip and no column for the modality: the unnamed key column holds
    100,000 x modality + clip number, where modality 1 is voice only.

    Args:
        root: A clone of the CREMA-D repository.

    Raises:
        UserError: The table is missing, or a row of it is malformed or doubled.
    """
    seen: set[str] = set()
    table = root / "processedResults" / "tabulatedVotes.csv"
    for where, row in rows(table, [_KEY_COLUMN, "fileName", "numResponses", *_CLASS_OF_COLUMN]):
        try:
            modality = int(row[_KEY_COLUMN]) // _KEYS_PER_MODALITY
            counts = {label: int(row[column]) for column, label in _CLASS_OF_COLUMN.items()}
            responses = int(row["numResponses"])
        except ValueError as error:
            raise UserError(f"{where}: a count or key is not a whole number ({error}).") from error
        if modality in (_FACE_ONLY, _AUDIO_VISUAL):
            continue
        if modality != _VOICE_ONLY:
            raise UserError(f"{where}: the key {row[_KEY_COLUMN]} is of no known modality.")
        name = row["fileName"]
        if not _CLIP_NAME.fullmatch(name):
            raise UserError(f"{where}: '{name}' is not a clip name like 1001_DFA_ANG_XX.")
        if min(counts.values()) < 0:
            raise UserError(f"{where}: the votes of {name} ({counts}) hold a negative count.")
        if sum(counts.values()) != responses:
            raise UserError(
                f"{where}: the votes of {name} ({counts}) do not add up to its "
                f"numResponses of {responses}."
            )
        if name in seen:
            raise UserError(f"{where}: a second row of voice-only votes for {name}.")
        seen.add(name)
        yield Utterance(
            id=name,
            clip=Clip(str(root / "AudioWAV" / f"{name}.wav")),
            votes=tuple(Vote((label,)) for label, n in counts.items() for _ in range(n)),
            speaker=name[:4],
        )


CORPUS = Corpus(
    name="crema_d",
    title="CREMA-D",
    source="clone github.com/CheyneyComputerScience/CREMA-D with Git LFS",
    licence="ODbL 1.0 (database), DbCL 1.0 (contents)",
    label_rule=LabelRule(classes=tuple(_CLASS_OF_COLUMN.values())),
    read=read,
)
