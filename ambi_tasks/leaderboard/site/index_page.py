"""What the first page shows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ambi_tasks.leaderboard.reading import Finding
from ambi_tasks.leaderboard.site.columns import MODEL_COLUMNS, SKILL_COLUMN, STATUS_COLUMN, Column
from ambi_tasks.leaderboard.site.overall import (
    Overall,
    is_demonstration,
    main_standings,
    overall,
    overall_references,
)
from ambi_tasks.leaderboard.site.standings import CEILING, FLOOR, PRIMARY, Standings, value_of
from ambi_tasks.leaderboard.site.wording import corpus_title, summary
from ambi_tasks.metrics import get_metric


@dataclass(frozen=True, slots=True)
class BoardPage:
    """A page in the navigation."""

    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Card:
    """What the first page says of a corpus."""

    path: str
    title: str
    models: int
    best: float | None
    floor: float | None
    ceiling: float | None
    demonstration: bool


@dataclass(frozen=True, slots=True)
class IndexView:
    """The first page."""

    cards: Sequence[Card]
    corpora: Sequence[str]
    rows: Sequence[Overall]
    references: Sequence[Overall]
    columns: Sequence[Column]
    strategies: Sequence[str]
    refused: Sequence[str]


def index_view(
    found: Sequence[Standings], boards: Mapping[str, BoardPage], refused: Sequence[Finding]
) -> IndexView:
    """Put together what the page shows.

    Args:
        found: All entries of the board.
        boards: Corpus -> its page.
        refused: Why others are not on the board.
    """
    rows = overall(found)
    corpora = [name for name, group in main_standings(found).items() if group.models]
    columns = [
        *MODEL_COLUMNS,
        Column("rank", "Group by mean skill, of those on all corpora with verified scores"),
        Column("corpora", "On how many it has an entry", descending=True),
        Column("mean skill ↑", SKILL_COLUMN.hint, descending=True),
        *(
            Column(
                f"{PRIMARY}, {corpus_title(name)}",
                summary(PRIMARY),
                descending=get_metric(PRIMARY).higher_is_better,
            )
            for name in corpora
        ),
        Column("size", "Parameters of the model"),
        Column("weights", number=False),
        Column("draws", "Answers for an utterance"),
        STATUS_COLUMN,
    ]
    return IndexView(
        cards=[_card(name, board, found) for name, board in boards.items()],
        corpora=corpora,
        rows=rows,
        references=overall_references(found),
        columns=columns,
        strategies=sorted({row.any.model.strategy.name for row in rows}),
        refused=list(map(str, refused)),
    )


def _card(name: str, board: BoardPage, found: Sequence[Standings]) -> Card:
    groups = [one for one in found if one.corpus.name == name]
    main = next((one for one in groups if one.is_default), None)
    taking_part = [] if main is None else [one for one in main.models if not one.apart]
    best = taking_part[0].scores if taking_part else {}
    marks = {} if main is None else main.references
    with_marks = FLOOR in marks and CEILING in marks
    return Card(
        path=board.path,
        title=board.title,
        models=sum(len(one.models) for one in groups),
        best=None if math.isnan(value_of(best, PRIMARY)) else value_of(best, PRIMARY),
        floor=value_of(marks[FLOOR].scores, PRIMARY) if with_marks else None,
        ceiling=value_of(marks[CEILING].scores, PRIMARY) if with_marks else None,
        demonstration=is_demonstration(name),
    )
