"""The bundled demo corpus: simulated emotion, simulated annotators, for trying the software."""

from collections.abc import Iterator
from pathlib import Path

from ambi_tasks.corpora.corpus import Corpus, Utterance
from ambi_tasks.corpora.table import read_table
from ambi_tasks.errors import UserError
from ambi_tasks.labels import LabelRule

_EMOTIONS = ("neutral", "happy", "angry", "sad")


def read(root: Path) -> Iterator[Utterance]:
    """Read `votes.csv`, a table as `table.read_table` describes it, with these emotions alone.

    Args:
        root: The folder of `votes.csv`; its paths are relative to it.

    Raises:
        UserError: The table is missing or malformed, or names another emotion.
    """
    for utterance in read_table(root / "votes.csv"):
        for vote in utterance.votes:
            if strangers := [label for label in vote.labels if label not in _EMOTIONS]:
                raise UserError(
                    f"{root / 'votes.csv'}: {utterance.id}: unknown emotion '{strangers[0]}'; "
                    f"there are {', '.join(_EMOTIONS)}."
                )
        yield utterance


CORPUS = Corpus(
    name="demo",
    title="The demo corpus",
    source="it comes with the package",
    licence="CC0 1.0",
    open_licence=True,
    label_rule=LabelRule(classes=_EMOTIONS),
    vocabulary=_EMOTIONS,
    read=read,
    label_files=lambda root: [root / "votes.csv"],
    bundled_root=Path(__file__).parent.parent / "demo" / "corpus",
)
