"""CREMA-D: acted English sentences, rated by 4 to 12 listeners a clip and modality.

Source: Cao et al., "CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset", IEEE Transactions
on Affective Computing 5(4), 2014. The emotion in a file's name is the one the actor intended; it is
not read.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.corpus import Corpus, Utterance
from ambi_tasks.corpora.csv_table import rows
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, Vote

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_CLASS_OF_LETTER = {
    "A": "anger",
    "D": "disgust",
    "F": "fear",
    "H": "happy",
    "N": "neutral",
    "S": "sad",
}
_COUNTS = Path("processedResults", "tabulatedVotes.csv")
_RESPONSES = Path("finishedResponses.csv")
_PEOPLE = Path("VideoDemographics.csv")
_KEY_COLUMN = ""
_KEYS_PER_MODALITY = 100_000
_MODALITIES = {"voice": 1, "face": 2, "audio_visual": 3}
_CLIP_NAME = re.compile(r"\d{4}_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}")  # actor, sentence, emotion, intensity
_TABLES = ("tabulated", "responses")
# The authors give no split. These are the test actors of the five folds of EMO-SUPERB (Wu et al.,
# "EMO-SUPERB: An in-depth look at speech emotion recognition", 2024).
_ACTORS_OF_FOLD = {
    "1": range(1001, 1019),
    "2": range(1019, 1037),
    "3": range(1037, 1055),
    "4": range(1055, 1073),
    "5": range(1073, 1092),
}
_ALL = "all"
# Keys of the two rows of the published finishedResponses.csv that repeat another response.
_KNOWN_REPEATS = ("137526", "312184")

_Votes = tuple[Vote, ...]


def read(
    root: Path, *, modality: str = "voice", vote_table: str = _TABLES[0], fold: str = _ALL
) -> Iterator[Utterance]:
    """Read the votes of one modality.

    Args:
        root: A clone of the CREMA-D repository.
        modality: What the raters were given: the `voice`, the `face`, or `audio_visual` both. The
            clip is the voice whatever the raters were given.
        vote_table: `tabulated` reads the authors' counts in processedResults/tabulatedVotes.csv,
            which leave out the responses whose first click came late; `responses` reads every
            response of finishedResponses.csv, with its rater.
        fold: `all` actors, or those of one of the folds `1` to `5`.

    Raises:
        UserError: A table is missing, or a row of it is malformed or doubled.
    """
    tables = {"tabulated": _tabulated_votes, "responses": _single_responses}
    people = _demographics(root / _PEOPLE)
    for name, votes in tables[vote_table](root, _MODALITIES[modality]):
        actor = name[:4]
        if fold != _ALL and int(actor) not in _ACTORS_OF_FOLD[fold]:
            continue
        if people and actor not in people:
            raise UserError(
                f"{root / _PEOPLE}: no row for the actor {actor}; restore the original file."
            )
        yield Utterance(
            id=name,
            clip=Clip(str(root / "AudioWAV" / f"{name}.wav")),
            votes=votes,
            speaker=actor,
            attributes=people.get(actor, {}),
        )


def _tabulated_votes(root: Path, wanted: int) -> Iterator[tuple[str, _Votes]]:
    """Read `tabulatedVotes.csv`.

    The table has three rows a clip and no column for the modality: the unnamed key column holds
    100,000 x modality + clip number.
    """
    seen: set[str] = set()
    for where, row in rows(
        root / _COUNTS, [_KEY_COLUMN, "fileName", "numResponses", *_CLASS_OF_LETTER]
    ):
        try:
            modality = int(row[_KEY_COLUMN]) // _KEYS_PER_MODALITY
            counts = {label: int(row[letter]) for letter, label in _CLASS_OF_LETTER.items()}
            responses = int(row["numResponses"])
        except ValueError as error:
            raise UserError(f"{where}: a count or key is not a whole number ({error}).") from error
        if modality not in _MODALITIES.values():
            raise UserError(f"{where}: the key {row[_KEY_COLUMN]} is of no known modality.")
        if modality != wanted:
            continue
        name = _clip_name(row["fileName"], where)
        if min(counts.values()) < 0:
            raise UserError(f"{where}: the votes of {name} ({counts}) hold a negative count.")
        if sum(counts.values()) != responses:
            raise UserError(
                f"{where}: the votes of {name} ({counts}) do not add up to its "
                f"numResponses of {responses}."
            )
        if name in seen:
            raise UserError(f"{where}: a second row for {name} in the same modality.")
        seen.add(name)
        yield name, tuple(Vote((label,)) for label, n in counts.items() for _ in range(n))


class _Response(NamedTuple):
    """A row of `finishedResponses.csv`, as far as it matters when it is repeated."""

    key: str
    content: str
    vote: Vote


def _single_responses(root: Path, wanted: int) -> Iterator[tuple[str, _Votes]]:
    """Read `finishedResponses.csv`: one row a response, in no order of clips.

    A clip stands before a rater once in a session and modality. `localid` is the rater: so the
    authors' own scripts take it.
    """
    table = root / _RESPONSES
    columns = [_KEY_COLUMN, "localid", "queryType", "clipNum", "clipName", "sessionNums", "respEmo"]
    clips: dict[tuple[int, str], dict[str, _Response]] = {}
    repeats = 0
    for where, row in rows(table, columns):
        if row["queryType"] not in map(str, _MODALITIES.values()):
            raise UserError(f"{where}: the queryType '{row['queryType']}' is no known modality.")
        if row["queryType"] != str(wanted):
            continue
        responses = clips.setdefault(_clip(row, where), {})
        response = _response(row, where)
        if earlier := responses.get(row["sessionNums"]):
            response = _one_of(earlier, response, where)
            repeats += 1
        responses[row["sessionNums"]] = response
    if repeats:
        _log.info("%s: %d repeated responses are left out.", table, repeats)
    for (_, name), responses in sorted(clips.items()):
        yield name, tuple(response.vote for response in responses.values())


def _clip(row: Mapping[str, str], where: str) -> tuple[int, str]:
    """A clip's number, which orders the clips as in the other table, and its name."""
    try:
        return int(row["clipNum"]), _clip_name(row["clipName"], where)
    except ValueError as error:
        raise UserError(f"{where}: the clipNum is not a whole number ({error}).") from error


def _clip_name(name: str, where: str) -> str:
    if not _CLIP_NAME.fullmatch(name):
        raise UserError(f"{where}: '{name}' is not a clip name like 1001_DFA_ANG_XX.")
    return name


def _response(row: Mapping[str, str], where: str) -> _Response:
    letter = row["respEmo"]
    if letter not in _CLASS_OF_LETTER:
        raise UserError(
            f"{where}: unknown respEmo '{letter}'; there are {', '.join(_CLASS_OF_LETTER)}."
        )
    content = "\0".join(text for column, text in row.items() if column != _KEY_COLUMN)
    return _Response(row[_KEY_COLUMN], content, Vote((_CLASS_OF_LETTER[letter],), row["localid"]))


def _one_of(earlier: _Response, later: _Response, where: str) -> _Response:
    """Which of two responses of one session to one clip counts.

    Raises:
        UserError: They differ, and neither is a repeat that the published table is known to hold.
    """
    if later.key in _KNOWN_REPEATS or later.content == earlier.content:
        return earlier
    if earlier.key in _KNOWN_REPEATS:
        return later
    raise UserError(
        f"{where}: another response than row {earlier.key} of the same session to the same clip; "
        f"restore the original file, or read the counts of the other table with "
        f'--metadata \'{{"vote_table": "tabulated"}}\'.'
    )


def _demographics(path: Path) -> dict[str, dict[str, str]]:
    """Each actor's sex, age in years and race, nothing where the table is absent."""
    if not path.is_file():
        return {}
    people: dict[str, dict[str, str]] = {}
    for where, row in rows(path, ["ActorID", "Age", "Sex", "Race"]):
        actor = row["ActorID"]
        if actor in people:
            raise UserError(f"{where}: a second row for the actor {actor}.")
        people[actor] = {"sex": row["Sex"].lower(), "age": row["Age"], "race": row["Race"]}
    return people


CORPUS = Corpus(
    name="crema_d",
    title="CREMA-D",
    source="clone github.com/CheyneyComputerScience/CREMA-D with Git LFS",
    licence="ODbL 1.0 (database), DbCL 1.0 (contents)",
    open_licence=True,
    label_rule=LabelRule(classes=tuple(_CLASS_OF_LETTER.values())),
    vocabulary=tuple(_CLASS_OF_LETTER.values()),
    read=read,
    expected_utterances=7_442,
    known_faults={
        "silent": (("1076_MTI_SAD_XX",),),
        "identical": (
            ("1006_TIE_HAP_XX", "1006_TIE_NEU_XX"),
            ("1013_WSI_DIS_XX", "1013_WSI_SAD_XX"),
            ("1017_IWW_ANG_XX", "1017_IWW_FEA_XX"),
        ),
    },
    options={
        "modality": tuple(_MODALITIES),
        "vote_table": _TABLES,
        "fold": (_ALL, *_ACTORS_OF_FOLD),
    },
    label_files=lambda root: [root / _COUNTS, root / _RESPONSES, root / _PEOPLE],
)
