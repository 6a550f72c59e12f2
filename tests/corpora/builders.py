"""Writes look-alikes of the corpora: the exact formats, invented votes, tiny tones for speech."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
LFS_STUB = (
    "version https://git-lfs.github.com/spec/v1\n"
    f"oid sha256:{'2759bb80' * 8}\n"
    "size 82260\n"
)  # fmt: skip


def write_tone(
    path: Path,
    *,
    seconds: float = 0.05,
    rate: int = RATE,
    frequency: float = 440.0,
    channels: int = 1,
    subtype: str | None = "PCM_16",
) -> Path:
    """A sine of amplitude 0.5 in the first channel, silence in the others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.zeros((round(seconds * rate), channels))
    samples[:, 0] = 0.5 * np.sin(2 * np.pi * frequency * np.arange(len(samples)) / rate)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


# --- CREMA-D -------------------------------------------------------------------------------------

CREMA_D_TABLE = Path("processedResults", "tabulatedVotes.csv")
_LETTERS = "ADFHNS"
_CREMA_D_HEADER = (
    '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote","meanEmoResp",'
    '"meanAngerResp","meanDisgustResp","meanFearResp","meanHappyResp","meanNeutralResp",'
    '"meanSadResp","medianEmoResp","meanEmoRespNorm","meanAngerRespNorm","meanDisgustRespNorm",'
    '"meanFearRespNorm","meanHappyRespNorm","meanNeutralRespNorm","meanSadRespNorm",'
    '"medianEmoRespNorm"'
)


def write_crema_d(
    root: Path, clips: Mapping[str, Mapping[str, int]], *, audio: bool = True
) -> Path:
    """A clone of the repository.

    Args:
        root: Where to.
        clips: Name -> voice-only votes by letter. In the face-only and audio-visual rows
            everybody votes for disgust, so a reader that takes them is found out.
        audio: Whether the wavs are there.
    """
    lines = [_CREMA_D_HEADER]
    for modality in (1, 2, 3):
        for number, (name, votes) in enumerate(clips.items(), start=1):
            shown = votes if modality == 1 else {"D": 7 + modality}
            lines.append(_crema_d_row(100_000 * modality + number, name, shown))
    table = root / CREMA_D_TABLE
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_bytes(("\n".join(lines) + "\n").encode())
    if audio:
        for pitch, name in enumerate(clips, start=200):
            write_tone(root / "AudioWAV" / f"{name}.wav", frequency=pitch)
    return root


def write_crema_d_responses(root: Path, rows: Iterable[Sequence[str]]) -> Path:
    """`finishedResponses.csv`, each row `(key, rater, session, queryType, clip, letter)`.

    A clip's number follows from its first appearance.
    """
    numbers: dict[str, int] = {}
    lines = [
        (
            '"","localid","pos","ans","ttr","queryType","numTries","clipNum","questNum","subType",'
            '"clipName","sessionNums","respEmo","respLevel","dispEmo","dispVal","dispLevel"'
        )
    ]
    for question, (key, rater, session, query, clip, letter) in enumerate(rows):
        number = numbers.setdefault(clip, len(numbers) + 1)
        lines.append(
            f'"{key}","{rater}",12,"{letter}_64","3561",{query},1,{number},{question % 30},4,'
            f'"{clip}",{session},"{letter}","64","A",80,"X"'
        )
    path = root / "finishedResponses.csv"
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return path


def write_crema_d_people(root: Path, people: Mapping[str, tuple[int, str, str]]) -> Path:
    """`VideoDemographics.csv`, from each actor's age, sex and race."""
    lines = ['"ActorID","Age","Sex","Race","Ethnicity"']
    lines += [
        f'{actor},{age},"{sex}","{race}","Not Hispanic"'
        for actor, (age, sex, race) in people.items()
    ]
    path = root / "VideoDemographics.csv"
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return path


def _crema_d_row(key: int, name: str, votes: Mapping[str, int]) -> str:
    counts = [votes.get(letter, 0) for letter in _LETTERS]
    total, top = sum(counts), max(counts)
    winners = ":".join(
        letter for letter, n in zip(_LETTERS, counts, strict=True) if n == top and total
    )
    levels = ["62.5" if n else "-1" for n in counts]
    means = ["61.25", *levels, "60", "58.125", *levels, "57.5"]
    agreement = f"{top / total:.15g}" if total else "NaN"
    row = [f'"{key}"', *counts, f'"{name}"', total, agreement, f'"{winners}"', *means]
    return ",".join(map(str, row))


# --- IEMOCAP -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Turn:
    """A turn and the lines below it, each `(annotator, ticks, comment)` in the file's words."""

    name: str
    votes: Sequence[tuple[str, str, str]]
    code: str = "xxx"

    @property
    def words(self) -> str:
        """What is said: words that no other file holds, so that they are found wherever they go."""
        return f"[LAUGHTER] Verbatim: {self.name[-4:]}, yeah."


def iemocap_text(turns: Iterable[Turn]) -> str:
    """One file of `EmoEvaluation`, with the dimensional ratings that follow the votes."""
    blocks = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"]
    for index, turn in enumerate(turns):
        times = f"[{6.2901 + index:.4f} - {7.2357 + index:.4f}]"
        lines = [f"{times}\t{turn.name}\t{turn.code}\t[2.5000, 2.5000, 2.5000]"]
        lines += [f"C-{rater}:\t{ticks}\t{comment}" for rater, ticks, comment in turn.votes]
        lines += [
            "A-E3:\tval 3; act 2; dom  2;\t()",
            "A-F1:\tval 2; act 3; dom  3;\t(Neutral; sad)",
        ]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def iemocap_transcription(dialogue: str, turns: Iterable[Turn]) -> str:
    """One file of `transcriptions`, with words of no turn and a turn that nobody annotated."""
    lines = [f"{turn.name} [006.2901-008.2357]: {turn.words}" for turn in turns]
    lines[1:1] = ["M: Yeah.", f"{dialogue}_MXX0 [009.0000-009.5000]: Right."]
    return "\n".join(lines) + "\n"


def write_iemocap(root: Path, turns: Sequence[Turn]) -> Path:
    """`IEMOCAP_full_release` under `root`, with the files around the annotation that are no part.

    Dialogues and sessions follow from the turns' names. Each of the other files says that
    everybody heard fear, so a reader that takes them is found out.
    """
    release = root / "IEMOCAP_full_release"
    dialogues: dict[str, list[Turn]] = {}
    for turn in turns:
        dialogues.setdefault(turn.name.rpartition("_")[0], []).append(turn)
    for dialogue, own in dialogues.items():
        session = release / f"Session{dialogue[4]}"
        folder = session / "dialog" / "EmoEvaluation"
        for part in ("Categorical", "Attribute", "Self-evaluation"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / f"{dialogue}.txt").write_text(iemocap_text(own), encoding="utf-8")
        spoken = session / "dialog" / "transcriptions" / f"{dialogue}.txt"
        spoken.parent.mkdir(exist_ok=True)
        spoken.write_text(iemocap_transcription(dialogue, own), encoding="utf-8")
        decoy = iemocap_text(Turn(turn.name, [("E1", "Fear;", "()")]) for turn in own)
        rating = f"{own[0].name} :Fear; :()\n"
        (folder / "Categorical" / f"{dialogue}_e2_cat.txt").write_text(rating)
        (folder / "Attribute" / f"{dialogue}_e2_atr.txt").write_text(rating)
        (folder / "Self-evaluation" / f"{dialogue}_f1.txt").write_text(decoy)
        (folder / f"{dialogue}.anvil").write_text(decoy)
        (folder / f"._{dialogue}.txt").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X  " + decoy.encode())
        for turn in own:
            write_tone(session / "sentences" / "wav" / dialogue / f"{turn.name}.wav")
    return release


# --- MSP-Podcast ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class PodcastTurn:
    """A turn of MSP-Podcast and each worker's primary emotion, in the release's words."""

    name: str
    votes: Mapping[str, str]
    part: str = "Test1"
    speaker: str = "127"
    gender: str = "Female"


@dataclass(frozen=True)
class PodcastRelease:
    """What differs between releases."""

    form: str
    labels: str
    audio: str
    consensus: str
    partition: str
    development: str


PODCAST_RELEASES = {
    "1.6": PodcastRelease(
        "workers", "label", "Audio", "labels_concensus.csv", "Partitions.txt", "Validation"
    ),
    "1.6-json": PodcastRelease(
        "json", "label", "Audio", "labels_concensus.csv", "Partitions.txt", "Validation"
    ),
    "1.9": PodcastRelease(
        "cells", "labels", "Audios", "labels_concensus.csv", "Partitions.txt", "Validation"
    ),
    "1.12": PodcastRelease(
        "cells", "Labels", "Audios", "labels_consensus.csv", "Partition.txt", "Development"
    ),
    "2.0": PodcastRelease(
        "worker_id", "Labels", "Audios", "labels_consensus.csv", "Partitions.txt", "Development"
    ),
}


def write_msp_podcast(root: Path, turns: Sequence[PodcastTurn], release: str = "1.12") -> Path:
    """The folder of a release; every worker's secondary emotions are `Fear,Sad`."""
    form = PODCAST_RELEASES[release]
    labels = root / form.labels
    labels.mkdir(parents=True)
    parts = {turn.name: turn.part.replace("Development", form.development) for turn in turns}
    consensus = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    consensus += [
        f"{turn.name}.wav,X,4.2,3.6,4.4,{turn.speaker},{turn.gender},{parts[turn.name]}"
        for turn in turns
        if turn.part != "Test3"
    ]
    (labels / form.consensus).write_text("\n".join(consensus) + "\n")
    partition = [f"{part}; {name}.wav" for name, part in parts.items()]
    (root / form.partition).write_text("\n".join(partition) + "\n")
    speakers = dict.fromkeys(f"Speaker_{turn.speaker}; {turn.gender}" for turn in turns)
    own = [f"{turn.name}.wav; {turn.speaker}" for turn in turns]
    (root / "Speaker_ids.txt").write_text("\n".join([*speakers, "", *own]) + "\n")
    _write_podcast_votes(labels, turns, form.form)
    for turn in turns:
        write_tone(root / form.audio / f"{turn.name}.wav")
    return root


def _write_podcast_votes(labels: Path, turns: Sequence[PodcastTurn], form: str) -> None:
    votes = [(turn.name, *vote) for turn in turns for vote in turn.votes.items()]
    if form == "json":
        entries: dict[str, dict[str, dict[str, object]]] = {}
        for name, worker, primary in votes:
            entry = {"EmoClass_Major": primary, "EmoClass_Second": "Fear,Sad", "EmoAct": 6.0}
            entries.setdefault(f"{name}.wav", {})[worker] = entry
        (labels / "labels_detailed.json").write_text(json.dumps(entries, indent=1))
        return
    with (labels / "labels_detailed.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if form == "cells":
            writer.writerow(["FileName", "EmoDetail"])
            writer.writerows(
                (f"{name}.wav", f"{worker}; {primary}; Fear,Sad; A:6.0; V:5.0; D:5.0;")
                for name, worker, primary in votes
            )
            return
        column = {"workers": "Workers", "worker_id": "WorkerID"}[form]
        writer.writerow(["FileName", column, "EmoClass_Major", "EmoClass_Second", "EmoAct"])
        writer.writerows((f"{name}.wav", *vote, "Fear,Sad", "6.0") for name, *vote in votes)


# --- MSP-IMPROV ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ImprovTurn:
    """A turn of MSP-IMPROV, by the part of its name that varies, and `(worker, primary)` votes."""

    name: str
    votes: Sequence[tuple[str, str]]


def msp_improv_text(turns: Iterable[ImprovTurn]) -> str:
    """The annotation file; its consensus letters and secondary emotions say other things."""
    blocks = []
    for turn in turns:
        lines = [f"UTD-IMPROV-{turn.name}.avi; O; A:2.800000; V:2.500000; D:NaN ; N:3.800000;"]
        lines += [
            f"{worker}; {primary}; Excited,Other (Sad; Angry: so-so?); A:2.0; V:3.0; D:NaN; N:4.0;"
            for worker, primary in turn.votes
        ]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def write_msp_improv(
    root: Path,
    turns: Sequence[ImprovTurn],
    *,
    labels: str = "Evalution.txt",
    audio: str = "Audio",
) -> Path:
    """The folder of the release; some copies spell the file otherwise, or have no audio folder."""
    (root / labels).write_text(msp_improv_text(turns), encoding="utf-8")
    for turn in turns:
        scenario, speaker, kind, _ = turn.name.split("-")
        folder = root / audio / f"session{speaker[-1]}" / scenario / kind
        write_tone(folder / f"MSP-IMPROV-{turn.name}.wav")
    return root


# --- the demo corpus -----------------------------------------------------------------------------


def write_demo(root: Path, clips: Mapping[str, Sequence[str]], *, audio: bool = True) -> Path:
    """`votes.csv` and its wavs.

    Args:
        root: Where to.
        clips: Utterance -> its raters' emotions. What stands before the first `_` is the speaker.
        audio: Whether the wavs are there.
    """
    root.mkdir(parents=True, exist_ok=True)
    lines = ["utterance,path,speaker,rater,emotion"]
    for name, emotions in clips.items():
        speaker = name.partition("_")[0]
        lines += [
            f"{name},audio/{name}.wav,{speaker},r{rater},{emotion}"
            for rater, emotion in enumerate(emotions, start=1)
        ]
    (root / "votes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if audio:
        for pitch, name in enumerate(clips, start=200):
            write_tone(root / "audio" / f"{name}.wav", frequency=pitch)
    return root
