"""Build the demo corpus: `python -m ambi_tasks.demo.build_corpus`.

The votes follow from the seed alone; the clips from the votes' prosody and espeak-ng.
"""

import argparse
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from ambi_tasks.audio import SAMPLING_RATE
from ambi_tasks.demo import CORPUS_FOLDER
from ambi_tasks.demo.speech import (
    EMOTIONS,
    RATERS,
    Counts,
    SimulatedClip,
    draw_clips,
    espeak_version,
    require_espeak,
    synthesize,
)
from ambi_tasks.demo.splits import DEMO_CORPUS
from ambi_tasks.errors import UserError

CLIPS = 60
"""Clips of the bundled corpus: five of each voice."""

SEED = 0
"""Seed of the bundled corpus."""

COLUMNS = ("utterance", "path", "speaker", "rater", "emotion")
"""Header of `votes.csv`."""

_CARD = """# The demo corpus of ambi_tasks

**Simulated emotion, simulated annotators.** No person spoke and no person voted here. The corpus
is for trying the software: it is small, free of rights and free of personal data. What is measured
on it says nothing about people, about emotion or about how good a model is; it belongs in no
paper and on no leaderboard.

## What it holds

* `votes.csv`: {votes} votes, one per row, with the columns `{columns}`.
  `path` is relative to the table. The annotators are simulated, {first_rater} to {last_rater};
  {fewest} to {most} of them vote on a clip.
* `clips/`: {clips} clips, FLAC, 16 kHz, 16 bit, mono, {shortest:.1f} to {longest:.1f} s long, by
  {speakers} synthetic voices with the accents {accents}.

{shares}

On {unanimous} clips all votes agree; on {mixed} they are spread over three or four emotions.

## How it was made

`python -m ambi_tasks.demo.build_corpus` draws, for each clip, a prosody (pitch, speaking rate,
energy and pitch range) near the typical prosody of one emotion or between those of several. A fixed
rule turns the prosody into a distribution over {emotions}, and the votes
are independent draws from it. The simulated annotators do not differ from each other. Then
espeak-ng speaks a sentence of neutral content with that prosody. The rule is in
`ambi_tasks/demo/speech.py`, voices and sentences are in `ambi_tasks/demo/splits.py`. The prosody of
the emotions is a caricature, set by hand; it was not fitted to any recording.

Seed {seed}; spoken by {version}. The same script gives the same votes
whatever espeak-ng does; with the same version of it, also the same clips. The demo model was
trained on other voices, sentences and lead-ins of the same rule.

## Licence

CC0 1.0: clips, votes and this card are dedicated to the public domain.
"""


def utterance_id(index: int) -> str:
    """The id of a clip by its number, counted from 0."""
    return f"demo_{index + 1:03d}"


def speaker_id(voice: str) -> str:
    """The speaker that a voice is, e.g. `voice_f3`."""
    return f"voice_{voice.lower()}"


def bundled_clips() -> list[SimulatedClip]:
    """The clips of the bundled corpus, before they are spoken."""
    return list(draw_clips(DEMO_CORPUS, CLIPS, SEED))


def vote_rows(clips: Sequence[SimulatedClip]) -> Iterator[tuple[str, ...]]:
    """The rows of `votes.csv`, without the header.

    Each clip's annotators are drawn from the pool, and share its votes at random.

    Args:
        clips: The clips, in the order of their ids.
    """
    generator = np.random.default_rng([SEED, len(RATERS)])
    for index, clip in enumerate(clips):
        utterance = utterance_id(index)
        votes = [label for label, n in zip(EMOTIONS, clip.votes, strict=True) for _ in range(n)]
        chosen = generator.permutation(len(RATERS))[: len(votes)]
        for rater, emotion in sorted(zip(chosen.tolist(), votes, strict=True)):
            path = f"clips/{utterance}.flac"
            yield utterance, path, speaker_id(clip.voice), RATERS[rater], emotion


def votes_table(clips: Sequence[SimulatedClip]) -> str:
    """The content of `votes.csv`."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(vote_rows(clips))
    return table.getvalue()


def build_corpus(folder: Path) -> None:
    """Write the votes, the clips and the card.

    Args:
        folder: Folder of the corpus; files of the same names are replaced.

    Raises:
        UserError: espeak-ng is missing or fails.
    """
    require_espeak()
    clips = bundled_clips()
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    seconds = []
    for index, clip in enumerate(tqdm(clips, "speaking", unit="clip")):
        speech = synthesize(clip)
        path = folder / "clips" / f"{utterance_id(index)}.flac"
        soundfile.write(path, speech, SAMPLING_RATE, subtype="PCM_16")
        seconds.append(len(speech) / SAMPLING_RATE)
    (folder / "votes.csv").write_text(votes_table(clips), encoding="utf-8")
    (folder / "README.md").write_text(_card(clips, seconds), encoding="utf-8")


def _card(clips: Sequence[SimulatedClip], seconds: Sequence[float]) -> str:
    votes = np.array([clip.votes for clip in clips])
    emotions_with_votes = (votes > 0).sum(axis=1)
    return _CARD.format(
        votes=votes.sum(),
        columns=",".join(COLUMNS),
        first_rater=RATERS[0],
        last_rater=RATERS[-1],
        fewest=votes.sum(axis=1).min(),
        most=votes.sum(axis=1).max(),
        clips=len(clips),
        shortest=min(seconds),
        longest=max(seconds),
        speakers=len({clip.voice for clip in clips}),
        accents=", ".join(sorted({clip.accent for clip in clips})),
        shares=_shares_table(votes),
        unanimous=(emotions_with_votes == 1).sum(),
        mixed=(emotions_with_votes > 2).sum(),  # noqa: PLR2004
        emotions=", ".join(EMOTIONS),
        seed=SEED,
        version=espeak_version(),
    )


def _shares_table(votes: Counts) -> str:
    most_voted = Counter(votes.argmax(axis=1).tolist())
    rows = [
        f"| {emotion} | {votes[:, index].sum()} | {most_voted[index]} |"
        for index, emotion in enumerate(EMOTIONS)
    ]
    return "\n".join(
        ["| emotion | votes | clips where it has most votes |", "|---|--:|--:|", *rows]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Build the demo corpus of ambi_tasks.")
    parser.add_argument("--out", type=Path, default=CORPUS_FOLDER, help="folder of the corpus")
    out = parser.parse_args(arguments).out
    try:
        build_corpus(out)
    except UserError as error:
        raise SystemExit(str(error)) from error
    print(f"The corpus is in {out}.")


if __name__ == "__main__":
    main()
