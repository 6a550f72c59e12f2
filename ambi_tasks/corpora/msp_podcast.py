"""MSP-Podcast: spontaneous speech from podcasts, each turn judged by five or more workers.

Source: Lotfian and Busso, "Building naturalistic emotionally balanced speech corpus by retrieving
emotional speech from existing podcast recordings", IEEE Transactions on Affective Computing 10(4),
2019. The workers heard single turns, without the rest of the podcast. A worker's vote is the
primary emotion, of which there is one; the secondary ones are not read.

The releases differ in the names of folders and files and in the shape of the table of votes; 1.6 to
2.0 are read.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.corpus import Corpus, Utterance
from ambi_tasks.corpora.csv_table import header, rows
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, Vote

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

# In the order in which they are looked for, whatever their case.
_LABEL_FOLDERS = ("Labels", "Label")
_AUDIO_FOLDERS = ("Audios", "Audio")
_CONSENSUS = ("labels_consensus.csv", "labels_concensus.csv")
_PARTITIONS = ("Partitions.txt", "Partition.txt")
_SPEAKERS = ("Speaker_ids.txt",)
_DETAILED_CSV = ("labels_detailed.csv",)
_DETAILED_JSON = ("labels_detailed.json",)

_ALL = "all"
_SPLITS = ("test1", "test2", "development", "train")
_HIDDEN = "test3"  # its labels are not published, so it is no part to choose
_PART_OF = {name: name for name in (*_SPLITS, _HIDDEN)} | {"validation": "development"}

_OTHER = "other"
_LABELS = {
    "neutral",
    "happy",
    "angry",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "contempt",
    _OTHER,
}
_NO_VOTE = ("", "nan")
_FILE_NAME = re.compile(r"(?P<name>(?P<podcast>[A-Za-z-]+_[^\W_]+)_\w+)(\.wav)?")
_DETAIL = re.compile(r"\s*(?P<worker>WORKER\w+)\s*;(?P<primary>[^;]*)")
_ATTRIBUTE = re.compile(r"[AVD]:")  # stands where the emotion should where a worker gave none
_SPEAKER_PREFIX = "Speaker_"
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Turn:
    """What the tables beside the votes say about a turn; empty where they do not say."""

    part: str = ""
    speaker: str = ""
    sex: str = ""


def read(root: Path, *, split: str = _SPLITS[0]) -> Iterator[Utterance]:
    """Read the primary emotion that every worker gave.

    Args:
        root: The folder of a release.
        split: One part of the official split, or `all` turns that have votes or should.

    Raises:
        UserError: A folder or file is missing, a line of one is malformed or contradicts another,
            or the release has no such part.
    """
    labels = _folder(root, _LABEL_FOLDERS)
    audio = _folder(root, _AUDIO_FOLDERS)
    turns = _turns(root, labels, split)
    votes = _votes(_ballots(labels), turns, split)
    if not votes:
        parts = Counter(turn.part or _UNKNOWN for turn in turns.values())
        there = ", ".join(f"{part} ({n})" for part, n in sorted(parts.items())) or "none"
        raise UserError(f"{root}: the split '{split}' has no turn here; turns by part: {there}.")
    for name, given in votes.items():
        turn = turns.get(name, _Turn())
        yield Utterance(
            id=name,
            clip=Clip(str(audio / f"{name}.wav")),
            votes=tuple(given),
            speaker=_speaker(name, turn),
            attributes={"part": turn.part or _UNKNOWN, "sex": turn.sex or _UNKNOWN},
        )


def _find(folder: Path, names: Sequence[str]) -> Path | None:
    """The first of some names that is in a folder, in whatever case."""
    there = {path.name.lower(): path for path in sorted(folder.iterdir())}
    return next((there[name.lower()] for name in names if name.lower() in there), None)


def _folder(root: Path, names: Sequence[str]) -> Path:
    found = _find(root, names)
    if found is None or not found.is_dir():
        raise UserError(
            f"{root}: no folder {' or '.join(names)} is there; "
            f"MSP_PODCAST_ROOT must name the folder of a release."
        )
    return found


def _label_files(root: Path) -> list[Path]:
    """Every file that `read` may read."""
    labels = _folder(root, _LABEL_FOLDERS)
    names = (*_CONSENSUS, *_DETAILED_CSV, *_DETAILED_JSON)
    own = [_find(labels, [name]) for name in names]
    beside = [_find(root, names) for names in (_PARTITIONS, _SPEAKERS)]
    return [path for path in (*own, *beside) if path is not None]


def _speaker(name: str, turn: _Turn) -> str:
    """The speaker's number; turns of unknown speakers are kept together by podcast."""
    if turn.speaker:
        return turn.speaker
    match = _FILE_NAME.fullmatch(name)
    assert match is not None  # it is a name that _turn_name returned
    return f"{match['podcast']}_{_UNKNOWN}"


# --- which part, which speaker -------------------------------------------------------------------


def _turns(root: Path, labels: Path, split: str) -> dict[str, _Turn]:
    """What is known of each turn beside its votes, in the order of the consensus table."""
    consensus, partitions = _find(labels, _CONSENSUS), _find(root, _PARTITIONS)
    if consensus is None and partitions is None and split != _ALL:
        raise UserError(
            f"{root}: neither {labels.name}/{_CONSENSUS[0]} nor {_PARTITIONS[0]} is there, "
            f"so the part '{split}' is unknown; restore one of them, or read every part with "
            f'--metadata \'{{"split": "{_ALL}"}}\'.'
        )
    turns = {} if consensus is None else _consensus(consensus)
    if partitions is not None:
        _add_parts(turns, partitions)
    speakers = _find(root, _SPEAKERS)
    if speakers is not None and not all(turn.speaker for turn in turns.values()):
        _add_speakers(turns, speakers)
    return turns


def _consensus(path: Path) -> dict[str, _Turn]:
    turns: dict[str, _Turn] = {}
    for where, row in rows(path, ["FileName"], undecodable="replace"):
        name = _turn_name(row["FileName"], where)
        if name in turns:
            raise UserError(f"{where}: a second row for {name}; restore the original file.")
        turns[name] = _Turn(
            part=_part(row.get("Split_Set", ""), where),
            speaker=_known(row.get("SpkrID", "")),
            sex=_known(row.get("Gender", "")).lower(),
        )
    return turns


def _add_parts(turns: dict[str, _Turn], path: Path) -> None:
    """Add what `Train; MSP-PODCAST_0001_0008.wav` says, and refuse what contradicts it."""
    seen: set[str] = set()
    for where, part, file_name in _pairs(path):
        name = _turn_name(file_name, where)
        if name in seen:
            raise UserError(f"{where}: a second line for {name}; restore the original file.")
        seen.add(name)
        turn, own = turns.get(name, _Turn()), _part(part, where)
        if turn.part and own != turn.part:
            raise UserError(
                f"{where}: {name} is in the part '{own}', but in '{turn.part}' by the consensus "
                f"table; restore the files of one release."
            )
        turns[name] = replace(turn, part=own)


def _add_speakers(turns: dict[str, _Turn], path: Path) -> None:
    """Add what `MSP-PODCAST_0001_0008.wav; 127` says, and `Speaker_127; Male`, where it lacks."""
    sexes: dict[str, str] = {}
    speakers: dict[str, str] = {}
    for where, subject, value in _pairs(path):
        if subject.startswith(_SPEAKER_PREFIX):
            sexes[subject.removeprefix(_SPEAKER_PREFIX)] = _known(value).lower()
        else:
            speakers[_turn_name(subject, where)] = _known(value.removeprefix(_SPEAKER_PREFIX))
    for name, turn in turns.items():
        if not turn.speaker and (speaker := speakers.get(name)):
            turns[name] = replace(turn, speaker=speaker, sex=turn.sex or sexes.get(speaker, ""))


def _pairs(path: Path) -> Iterator[tuple[str, str, str]]:
    """The lines `subject; value` of a text file; headings have no `;` and are left out aloud."""
    headings: list[str] = []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}:{number}"
            subject, semicolon, value = (part.strip() for part in line.partition(";"))
            if not semicolon:
                headings += [subject] if subject else []
                continue
            if not subject or not value or ";" in value:
                raise UserError(f"{where}: not a line 'a; b'; restore the original file.")
            yield where, subject, value
    if headings:
        _log.warning(
            "%s: %d lines without ';' are left out: %.60s", path, len(headings), headings[0]
        )


def _turn_name(file_name: str, where: str) -> str:
    match = _FILE_NAME.fullmatch(file_name.strip())
    if match is None:
        raise UserError(f"{where}: '{file_name}' is not a file like MSP-PODCAST_0001_0008.wav.")
    return match["name"]


def _part(text: str, where: str) -> str:
    """The part's name in this module; empty for an empty cell."""
    name = text.strip().lower()
    if name in _NO_VOTE:
        return ""
    if name not in _PART_OF:
        raise UserError(
            f"{where}: unknown part '{text.strip()}'; there are "
            f"{', '.join(part.title() for part in _PART_OF)}."
        )
    return _PART_OF[name]


def _known(text: str) -> str:
    text = text.strip()
    return "" if text.lower() in (*_NO_VOTE, _UNKNOWN) else text


# --- the votes -----------------------------------------------------------------------------------

# The turn's name, the worker, and the primary emotion as written.
_Ballot = tuple[str, str, str]


def _votes(
    ballots: Iterable[_Ballot], turns: Mapping[str, _Turn], split: str
) -> dict[str, list[Vote]]:
    """The votes of every turn of a split, also of those that have none.

    A worker who gave no emotion is there with an empty vote, and a worker who judged a turn twice
    with the first vote: the JSON form of the same table has one entry per worker.
    """
    votes: dict[str, list[Vote]] = {
        name: []
        for name, turn in turns.items()
        if (turn.part != _HIDDEN if split == _ALL else turn.part == split)
    }
    forms: dict[tuple[str, str], Vote] = {}  # a worker's same vote is one object: memory
    strangers: set[str] = set()
    told: Counter[str] = Counter()
    for name, worker, written in ballots:
        if name not in turns or not turns[name].part:
            strangers.add(name)
        if split == _ALL:
            votes.setdefault(name, [])
        if (given := votes.get(name)) is None:
            continue
        label = _label(written)
        if any(vote.rater == worker for vote in given):
            told["second votes of a worker for the same turn are left out"] += 1
            continue
        told["workers gave no emotion for a turn and are not counted"] += not label
        given.append(forms.setdefault((worker, label), Vote((label,) if label else (), worker)))
    fate = "read" if split == _ALL else "left out"
    told[f"turns with votes are in no part of the official split and are {fate}"] = len(strangers)
    for what, number in told.items():
        if number:
            _log.warning("MSP-Podcast: %d %s.", number, what)
    return votes


def _label(written: str) -> str:
    """The emotion; free text and whatever else is no choice of the form is `other`."""
    word = written.strip().lower()
    if word in _LABELS:
        return word
    return "" if word in _NO_VOTE else _OTHER


def _ballots(labels: Path) -> Iterator[_Ballot]:
    """Every worker's word, from whichever form of the table of votes is there."""
    if path := _find(labels, _DETAILED_CSV):
        return _detail_cells(path) if "EmoDetail" in header(path) else _detail_columns(path)
    if path := _find(labels, _DETAILED_JSON):
        return _json_entries(path)
    raise UserError(
        f"{labels}: neither {_DETAILED_CSV[0]} nor {_DETAILED_JSON[0]} is there; the votes are in "
        f"them, restore one of them."
    )


def _detail_columns(path: Path) -> Iterator[_Ballot]:
    """Releases 1.6 and 2.0: a column for the worker, which changed its name, and one each."""
    worker = "Workers" if "Workers" in header(path) else "WorkerID"
    table = rows(path, ["FileName", worker], may_be_empty=["EmoClass_Major"], undecodable="replace")
    for where, row in table:
        yield _turn_name(row["FileName"], where), row[worker].strip(), row["EmoClass_Major"]


def _detail_cells(path: Path) -> Iterator[_Ballot]:
    """Releases 1.7 to 1.12: `WORKER00000013; Happy; Happy,Excited; A:6.0; V:5.0; D:5.0;`."""
    for where, row in rows(path, ["FileName", "EmoDetail"], undecodable="replace"):
        detail = _DETAIL.match(row["EmoDetail"])
        if detail is None:
            raise UserError(
                f"{where}: '{row['EmoDetail'][:40]}' does not start like 'WORKER00000013; Happy;'; "
                f"restore the original file."
            )
        primary = detail["primary"].strip()
        name = _turn_name(row["FileName"], where)
        yield name, detail["worker"], "" if _ATTRIBUTE.match(primary) else primary


class _Primary(str):
    """The primary emotion of one worker's object, told apart from any other string."""

    __slots__ = ()


def _slim(pairs: list[tuple[str, object]]) -> object:
    """Keep of one JSON object what is needed, as the file is read: memory."""
    for key, value in pairs:
        if key == "EmoClass_Major":
            return _Primary(value if isinstance(value, str) else "")  # else null or NaN
    return pairs


def _json_entries(path: Path) -> Iterator[_Ballot]:
    """The JSON form: `{file: {worker: {"EmoClass_Major": ..., ...}, ...}, ...}`."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            turns = json.load(file, object_pairs_hook=_slim)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}:{error.lineno}: not JSON ({error.msg}); restore the original file."
        ) from error
    seen: set[str] = set()
    for file_name, workers in _entries(turns, f"{path}"):
        name = _turn_name(file_name, str(path))
        where = f"{path}: {name}"
        if name in seen:
            raise UserError(f"{where}: a second entry; restore the original file.")
        seen.add(name)
        for worker, primary in _entries(workers, where):
            if not isinstance(primary, _Primary):
                raise UserError(f"{where}: the entry of {worker} has no EmoClass_Major.")
            yield name, worker, primary


def _entries(value: object, where: str) -> list[tuple[str, object]]:
    if not isinstance(value, list) or not all(isinstance(pair, tuple) for pair in value):
        raise UserError(f"{where}: not an object of named entries; restore the original file.")
    return value


CORPUS = Corpus(
    name="msp_podcast",
    title="MSP-Podcast",
    source="ask the MSP lab of UT Dallas for it",
    licence="UT Dallas licence, no redistribution",
    label_rule=LabelRule(classes=("neutral", "happy", "angry", "sad")),
    vocabulary=tuple(sorted(_LABELS)),
    read=read,
    options={"split": (*_SPLITS, _ALL)},
    release_sizes={"1.11": 30_647},
    presets={
        # Hong et al., "AER-LLM: Ambiguity-aware emotion recognition leveraging large language
        # models", 2024, as in their code (github.com/mHealthUnimelb/AER-LLM, msp.ipynb): a turn
        # with any vote outside the four classes is not predicted.
        "aer_llm": LabelRule(
            classes=("neutral", "happy", "angry", "sad"), out_of_set="drop_utterance"
        ),
    },
    label_files=_label_files,
)
