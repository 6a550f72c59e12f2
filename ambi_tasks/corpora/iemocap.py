"""IEMOCAP: dyadic acted and improvised dialogue, each turn judged by about three annotators.

Source: Busso et al., "IEMOCAP: Interactive emotional dyadic motion capture database", Language
Resources and Evaluation 42(4), 2008. The annotators saw the video and heard the turns in order, so
their votes rest on more than the voice of one turn.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.corpus import Corpus, Utterance
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, Vote

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_TURN = re.compile(r"\[\s*[\d.]+ - [\d.]+\]\t(?P<name>\S+)\t\w+\t\[")
_NAME = re.compile(r"(?P<dialogue>(?P<session>Ses\d\d)[FM]_\w+)_(?P<sex>[FM])[^\W_]*")
_CATEGORICAL = re.compile(r"C-(?P<rater>\w+):\t(?P<ticks>[^\t]*)")
_OBSERVER = re.compile(r"E\d+")
_SELF = re.compile(r"[FM]\d+")  # F1 and M1 are the actors' reports on themselves
_TRANSCRIPT = re.compile(r"(?P<name>\w+)\s+\[[^\]]*\]:(?P<words>.*)")
_NO_TURN = ("F:", "M:")  # words that were said between the turns, without a name
_EXAMPLES_SHOWN = 3
_NO_VOTE = ("%", "A-")  # the header, and ratings of valence, activation and dominance
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
_PATTERN = "Session{}/dialog/EmoEvaluation/*.txt"
_ALL = "all"
_FOLDS = ("1", "2", "3", "4", "5")  # a fold is a session: two speakers that no other session has

# Wu et al., "Distribution-based emotion recognition in conversation", SLT 2022, as in their code
# (github.com/W-Wu/ERC-SLT22, data_prep_process_label.py): the labels of all observers are summed
# into five classes, excitement counts as happiness, the rest as other; no utterance is dropped.
# Their parser splits lines at white space, so that words of comments count as other; that is no
# part of the rule.
_ERC_SLT22 = LabelRule(
    classes=("neutral", "happy", "sad", "angry", "other"),
    merge={"excited": "happy"},
    multi_tick="sum",
    out_of_set="other_class",
)


def read(root: Path, *, fold: str = _ALL) -> Iterator[Utterance]:
    """Read the observers' categorical votes of every dialogue.

    Args:
        root: `IEMOCAP_full_release`, or the folder that holds it.
        fold: `all` sessions, or the one of `1` to `5`.

    Raises:
        UserError: There is no annotation file, a line of one does not parse, or a turn occurs
            twice.
    """
    pattern = _PATTERN.format("[1-5]" if fold == _ALL else fold)
    files = _annotation_files(root, pattern)
    if not files:
        raise UserError(
            f"{root}: no file {pattern} is there; "
            "IEMOCAP_ROOT must name the folder IEMOCAP_full_release."
        )
    seen: dict[str, str] = {}
    transcriptions = _Transcriptions()
    for path in files:
        wav_folder = path.parents[2] / "sentences" / "wav"
        words = transcriptions.words_of(path)
        for where, name, votes in _dialogue(path):
            parts = _NAME.fullmatch(name)
            if parts is None:
                raise UserError(f"{where}: '{name}' is not a turn's name like Ses01F_impro01_M003.")
            if name in seen:
                raise UserError(f"{where}: {name} was already annotated at {seen[name]}.")
            seen[name] = where
            yield Utterance(
                id=name,
                clip=Clip(str(wav_folder / parts["dialogue"] / f"{name}.wav")),
                votes=tuple(votes),
                speaker=parts["session"] + parts["sex"],
                attributes={"session": parts["session"][-1]},
                transcript=words.get(name, ""),
            )
    transcriptions.tell()


def _annotation_files(root: Path, pattern: str = _PATTERN.format("[1-5]")) -> list[Path]:
    release = root / "IEMOCAP_full_release"
    return sorted(
        path
        for path in (release if release.is_dir() else root).glob(pattern)
        if not path.name.startswith(".")  # `._*` are left by macOS archives
    )


def _dialogue(path: Path) -> Iterator[tuple[str, str, list[Vote]]]:
    """Yield where each turn stands, its name and its votes."""
    start, name, votes = "", "", list[Vote]()
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        line = raw.decode("utf-8", errors="replace")  # comments hold bytes of several encodings
        line = line.lstrip("\ufeff \t")
        where = f"{path}:{number}"
        if turn := _TURN.match(line):
            if name:
                yield start, name, votes
            start, name, votes = where, turn["name"], []
        elif line.startswith("["):
            raise UserError(f"{where}: not a turn line '[start - end] name emotion [v, a, d]'.")
        elif line.startswith("C-"):
            if not name:
                raise UserError(f"{where}: a vote before the first turn.")
            if vote := _vote(line, where):
                _add_vote(votes, vote, f"{where}: a second vote of {vote.rater} for {name}")
        elif line and not line.startswith(_NO_VOTE):
            # The text is not told: warnings go into the results, and the corpus's words must not.
            _log.warning("%s: not a line of a known kind, left out.", where)
    if name:
        yield start, name, votes


def _add_vote(votes: list[Vote], vote: Vote, doubled: str) -> None:
    """Count an annotator once a turn, the first time."""
    if vote.rater in {earlier.rater for earlier in votes}:
        _log.warning("%s, left out.", doubled)
    else:
        votes.append(vote)


def _vote(line: str, where: str) -> Vote | None:
    """Read one annotator's line; the comment after the second tab is not read."""
    match = _CATEGORICAL.match(line)
    if match is None:
        raise UserError(f"{where}: not a vote line 'C-E1:<tab>label; label;<tab>(comment)'.")
    if _SELF.fullmatch(match["rater"]):
        return None
    if not _OBSERVER.fullmatch(match["rater"]):
        raise UserError(f"{where}: unknown annotator '{match['rater']}', not like E1, F1 or M1.")
    ticks = [tick.strip() for tick in match["ticks"].split(";") if tick.strip()]
    if strangers := [tick for tick in ticks if tick.lower() not in _LABELS]:
        raise UserError(f"{where}: unknown emotion '{strangers[0]}'.")
    return Vote(tuple(_LABELS[tick.lower()] for tick in ticks), match["rater"])


@dataclass(slots=True)
class _Transcriptions:
    """Reads the words of the dialogues, and remembers what was not there."""

    dialogues: int = 0
    missing: list[Path] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def words_of(self, annotation: Path) -> dict[str, str]:
        """The words of each turn of an annotated dialogue; also of turns without a label."""
        path = annotation.parents[1] / "transcriptions" / annotation.name
        self.dialogues += 1
        if not path.is_file():
            self.missing.append(path)
            return {}
        words: dict[str, str] = {}
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                match = _TRANSCRIPT.match(line.strip())
                if match and match["name"] not in words:
                    words[match["name"]] = match["words"].strip()
                elif line.strip() and not line.startswith(_NO_TURN):
                    self.unread.append(f"{path}:{number}")
        return words

    def tell(self) -> None:
        """Say what was not there or not read; where it is, never the words."""
        if self.missing:
            _log.info(
                "IEMOCAP: %d of %d dialogues have no transcription, like %s; their transcripts "
                "stay empty.",
                len(self.missing),
                self.dialogues,
                self.missing[0],
            )
        if self.unread:
            more = len(self.unread) - _EXAMPLES_SHOWN
            _log.warning(
                "IEMOCAP: %d lines of transcriptions do not parse or repeat a turn, and are left "
                "out: %s%s.",
                len(self.unread),
                ", ".join(self.unread[:_EXAMPLES_SHOWN]),
                f" and {more} more" if more > 0 else "",
            )


CORPUS = Corpus(
    name="iemocap",
    title="IEMOCAP",
    source="ask USC for it at sail.usc.edu/iemocap",
    licence="USC licence, no redistribution",
    label_rule=LabelRule(classes=("neutral", "happy", "angry", "sad")),
    vocabulary=tuple(dict.fromkeys(_LABELS.values())),
    read=read,
    expected_utterances=10_039,
    options={"fold": (_ALL, *_FOLDS)},
    presets={"erc_slt22": _ERC_SLT22},
    label_files=_annotation_files,
)
