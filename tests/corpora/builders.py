"""Writes look-alikes of the corpora: the exact formats, invented votes, tiny tones for speech."""

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
