"""MSP-IMPROV: acted and natural dialogue of two actors, each turn judged by five or more workers.

Source: Busso et al., "MSP-IMPROV: An acted corpus of dyadic interactions to study emotion
perception", IEEE Transactions on Affective Computing 8(1), 2017. The workers saw the video of
single turns, with its sound: their votes rest on more than the voice. A worker's vote is the
primary emotion, of which there is one; the secondary ones, the consensus, and the emotion that the
actor was to show, which is in a turn's name, are not read.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.corpus import Corpus, Utterance
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, Vote

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_LABEL_FILES = ("Evalution.txt", "Evaluation.txt")  # both spellings are about
_AUDIO_FOLDER = "Audio"  # in some copies the sessions' folders lie in the root instead

_TURN = re.compile(r"(?P<file>[^;]*\.avi)\s*;", re.IGNORECASE)
# UTD-IMPROV-S01A-F01-S-FM02.avi: the scenario of sentence 1 in anger, the woman of session 1
# speaks, what kind of turn it is, the recording and the turn. The audio starts with MSP instead.
_FILE_NAME = re.compile(
    r"(UTD|MSP)-(?P<name>IMPROV-(?P<folder>S\d\d[AHNS])-"
    r"(?P<speaker>(?P<sex>[FM])0(?P<session>[1-6]))-(?P<kind>[PRST])-[FM]{2}\d+)\.avi"
)
# The secondary emotions hold free text, also with `;`, so nothing is counted behind the primary.
_VOTE = re.compile(r"(?P<rater>[\w-]+)\s*;(?P<primary>[^;]*);(.*;)?\s*A:")
_LABELS = {
    "neutral": "neutral",
    "neutral state": "neutral",
    "happy": "happy",
    "angry": "angry",
    "sad": "sad",
    "other": "other",
}

_ALL = "all"
_PART_OF = {
    "T": "target_improvised",  # the sentence that the scenario leads to
    "R": "target_read",
    "S": "other_improvised",  # what else was said in the scenario
    "P": "natural",  # what was said between the recordings
}
_SEX_OF = {"F": "female", "M": "male"}
_FOLDS = ("1", "2", "3", "4", "5", "6")  # a fold is a session: two speakers that no other has


@dataclass(slots=True)
class _Block:
    """A turn and the votes below it."""

    where: str
    parts: re.Match[str]
    votes: list[Vote] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"MSP-{self.parts['name']}"


def read(root: Path, *, part: str = _ALL, fold: str = _ALL) -> Iterator[Utterance]:
    """Read the primary emotion that every worker gave.

    Args:
        root: The folder of the release.
        part: `all` turns, or those of one way of speaking: the target sentence improvised or read,
            the other turns of the improvised scenarios, or natural talk between the recordings.
        fold: `all` sessions, or the one of `1` to `6`.

    Raises:
        UserError: The annotation file is missing, a line of it does not parse, a turn occurs
            twice, or there is none of that part and fold.
    """
    path, sound = _label_file(root), _audio_folder(root)
    seen: dict[str, str] = {}
    told: Counter[str] = Counter()
    chosen = 0
    for block in _blocks(path, told):
        if block.name in seen:
            raise UserError(
                f"{block.where}: {block.name} was already annotated at {seen[block.name]}; "
                f"restore the original file."
            )
        seen[block.name] = block.where
        utterance = _utterance(block, sound)
        if part in (_ALL, utterance.attributes["part"]) and fold in (_ALL, block.parts["session"]):
            chosen += 1
            yield utterance
    for what, number in told.items():
        if number:
            _log.warning("MSP-IMPROV: %d %s.", number, what)
    if not chosen:
        raise UserError(
            f"{path}: {len(seen)} turns are there, but none of part '{part}' and fold '{fold}'; "
            f"restore the original file."
        )


def _label_file(root: Path) -> Path:
    if found := _label_files(root):
        return found[0]
    raise UserError(
        f"{root}: neither {' nor '.join(_LABEL_FILES)} is there; "
        f"MSP_IMPROV_ROOT must name the folder of the release."
    )


def _label_files(root: Path) -> list[Path]:
    return [root / name for name in _LABEL_FILES if (root / name).is_file()][:1]


def _audio_folder(root: Path) -> Path:
    return root / _AUDIO_FOLDER if (root / _AUDIO_FOLDER).is_dir() else root


def _utterance(block: _Block, sound: Path) -> Utterance:
    parts = block.parts
    folder = sound / f"session{parts['session']}" / parts["folder"] / parts["kind"]
    return Utterance(
        id=block.name,
        clip=Clip(str(folder / f"{block.name}.wav")),
        votes=tuple(block.votes),
        speaker=parts["speaker"],
        attributes={
            "part": _PART_OF[parts["kind"]],
            "session": parts["session"],
            "sex": _SEX_OF[parts["sex"]],
        },
    )


def _blocks(path: Path, told: Counter[str]) -> Iterator[_Block]:
    """Yield the turns; what is left out of their votes is counted in `told`."""
    block: _Block | None = None
    with path.open(encoding="utf-8-sig", errors="replace") as file:  # free text of any encoding
        for number, raw in enumerate(file, start=1):
            line, where = raw.strip(), f"{path}:{number}"
            turn = _TURN.match(line)
            if block and (turn or not line):
                yield block
                block = None
            if turn:
                block = _Block(where, _parts(turn["file"], where))
            elif line:
                _add_vote(block, line, where, told)
    if block:
        yield block


def _parts(file_name: str, where: str) -> re.Match[str]:
    parts = _FILE_NAME.fullmatch(file_name)
    if parts is None:
        raise UserError(
            f"{where}: '{file_name}' is not a file like UTD-IMPROV-S01A-F01-P-FM01.avi; "
            f"restore the original file."
        )
    return parts


def _add_vote(block: _Block | None, line: str, where: str, told: Counter[str]) -> None:
    match = _VOTE.match(line)
    if match is None:
        raise UserError(
            f"{where}: neither a turn 'UTD-IMPROV-....avi; N; A:2.5; ...' nor a vote "
            f"'rater; Happy; ...; A:3; ...'; restore the original file."
        )
    if block is None:
        raise UserError(f"{where}: a vote without a turn above it; restore the original file.")
    word = match["primary"].strip()
    if word and word.lower() not in _LABELS:
        raise UserError(f"{where}: unknown emotion '{word}'; restore the original file.")
    if any(vote.rater == match["rater"] for vote in block.votes):
        told["second votes of a worker for the same turn are left out"] += 1
        return
    told["workers gave no emotion for a turn and are not counted"] += not word
    block.votes.append(Vote((_LABELS[word.lower()],) if word else (), match["rater"]))


CORPUS = Corpus(
    name="msp_improv",
    title="MSP-IMPROV",
    source="ask the MSP lab of UT Dallas for it",
    licence="UT Dallas licence, no redistribution",
    label_rule=LabelRule(classes=("neutral", "happy", "angry", "sad")),
    vocabulary=tuple(dict.fromkeys(_LABELS.values())),
    read=read,
    expected_utterances=8_438,
    options={"part": (_ALL, *_PART_OF.values()), "fold": (_ALL, *_FOLDS)},
    label_files=_label_files,
)
