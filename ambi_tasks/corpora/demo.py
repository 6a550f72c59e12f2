"""The bundled demo corpus: simulated emotion, simulated annotators, for trying the software."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from ambi_tasks.audio import Clip
from ambi_tasks.corpora.corpus import Corpus, Utterance
from ambi_tasks.corpora.csv_table import rows
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule, Vote

_EMOTIONS = ("neutral", "happy", "angry", "sad")


def read(root: Path) -> Iterator[Utterance]:
    """Read `votes.csv`: one row per vote, the votes of an utterance next to each other.

    Args:
        root: The folder of `votes.csv`; its paths are relative to it.

    Raises:
        UserError: The table is missing or malformed, or an utterance's votes are apart or
            contradict each other.
    """
    seen: set[str] = set()
    columns = ["utterance", "path", "speaker", "rater", "emotion"]
    table = rows(root / "votes.csv", columns)
    for name, group in groupby(table, key=lambda item: item[1]["utterance"]):
        votes = list(group)
        where, first = votes[0]
        if name in seen:
            raise UserError(f"{where}: the votes of {name} are not next to each other.")
        seen.add(name)
        _check(votes)
        yield Utterance(
            id=name,
            clip=Clip(str(root / first["path"])),
            votes=tuple(Vote((row["emotion"],), row["rater"]) for _, row in votes),
            speaker=first["speaker"],
        )


def _check(votes: Sequence[tuple[str, dict[str, str]]]) -> None:
    """Refuse votes that say different things about their utterance."""
    _, first = votes[0]
    raters: set[str] = set()
    for where, row in votes:
        for column in ("path", "speaker"):
            if row[column] != first[column]:
                raise UserError(
                    f"{where}: the {column} of {row['utterance']} was '{first[column]}' "
                    f"and is now '{row[column]}'."
                )
        if row["rater"] in raters:
            raise UserError(f"{where}: a second vote of {row['rater']} for {row['utterance']}.")
        if row["emotion"] not in _EMOTIONS:
            raise UserError(
                f"{where}: unknown emotion '{row['emotion']}'; there are {', '.join(_EMOTIONS)}."
            )
        raters.add(row["rater"])


CORPUS = Corpus(
    name="demo",
    title="The demo corpus",
    source="it comes with the package",
    licence="CC0 1.0",
    label_rule=LabelRule(classes=_EMOTIONS),
    read=read,
    bundled_root=Path(__file__).parent.parent / "demo" / "corpus",
)
