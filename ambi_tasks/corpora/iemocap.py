"""IEMOCAP: dyadic acted and improvised dialogue, each turn judged by about three annotators.

Source: Busso et al., "IEMOCAP: Interactive emotional dyadic motion capture database", Language
Resources and Evaluation 42(4), 2008. The annotators saw the video and heard the turns in order, so
their votes rest on more than the voice of one turn.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.corpus import Corpus, Utterance
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, Vote

_TURN = re.compile(r"^\[\s*[\d.]+ - [\d.]+\]\t(?P<name>\S+)\t(?P<code>\w+)\t\[")
_CATEGORICAL = re.compile(r"^C-(?P<rater>\w+):\t(?P<ticks>[^\t]*)")
_OBSERVER = re.compile(r"^E\d+$")  # F1 and M1 are the actors' reports on themselves
_LABELS = {
    "neutral": "neutral",
    "neutral state": "neutral",
    "happiness": "happy",
    "excited": "excited",
    "sadness": "sad",
    "anger": "angry",
    "frustration": "frustrated",
    "fear": "fear",
    "surprise": "surprise",
    "disgust": "disgust",
    "other": "other",
}


def read(root: Path) -> Iterator[Utterance]:
    """Read the observers' categorical votes of every dialogue.

    Args:
        root: `IEMOCAP_full_release`, or the folder that holds it.

    Raises:
        UserError: There is no annotation file, or a line of one does not parse.
    """
    release = root / "IEMOCAP_full_release"
    release = release if release.is_dir() else root
    files = sorted(
        path
        for path in release.glob("Session[1-5]/dialog/EmoEvaluation/*.txt")
        if not path.name.startswith(".")  # `._*` are left by macOS archives
    )
    if not files:
        raise UserError(
            f"{root}: no file Session*/dialog/EmoEvaluation/*.txt is there; "
            f"IEMOCAP_ROOT must name the folder IEMOCAP_full_release."
        )
    for path in files:
        session = path.parents[2]
        for name, votes in _dialogue(path):
            dialogue, _, turn = name.rpartition("_")
            yield Utterance(
                id=name,
                clip=Clip(str(session / "sentences" / "wav" / dialogue / f"{name}.wav")),
                votes=tuple(votes),
                speaker=f"{name[:5]}{turn[:1]}",  # the session and the turn's own F or M
            )


def _dialogue(path: Path) -> Iterator[tuple[str, list[Vote]]]:
    name, votes = "", list[Vote]()
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        line = raw.decode("utf-8", errors="replace")  # comments hold bytes of several encodings
        where = f"{path}:{number}"
        if turn := _TURN.match(line):
            if name:
                yield name, votes
            name, votes = turn["name"], []
        elif line.startswith("["):
            raise UserError(f"{where}: not a turn line '[start - end] name emotion [v, a, d]'.")
        elif line.startswith("C-"):
            if not name:
                raise UserError(f"{where}: a vote before the first turn.")
            if vote := _vote(line, where):
                votes.append(vote)
    if name:
        yield name, votes


def _vote(line: str, where: str) -> Vote | None:
    """Read one annotator's line; the comment after the second tab is not read."""
    match = _CATEGORICAL.match(line)
    if match is None:
        raise UserError(f"{where}: not a vote line 'C-E1:<tab>label; label;<tab>(comment)'.")
    if not _OBSERVER.match(match["rater"]):
        return None
    ticks = [tick.strip() for tick in match["ticks"].split(";") if tick.strip()]
    if strangers := [tick for tick in ticks if tick.lower() not in _LABELS]:
        raise UserError(f"{where}: unknown emotion '{strangers[0]}'.")
    return Vote(tuple(_LABELS[tick.lower()] for tick in ticks), match["rater"])


CORPUS = Corpus(
    name="iemocap",
    title="IEMOCAP",
    source="ask USC for it at sail.usc.edu/iemocap",
    licence="USC licence, no redistribution",
    label_rule=LabelRule(classes=("neutral", "happy", "angry", "sad")),
    read=read,
)
