"""The heads of tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from ambi_tasks.leaderboard.site.standings import PRIMARY
from ambi_tasks.leaderboard.site.wording import arrowed, summary
from ambi_tasks.metrics import get_metric


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head.

    Attributes:
        title: What it is called.
        hint: A word of explanation.
        number: Whether it holds numbers.
        metric: Whether it holds a metric.
        descending: Whether the largest come first at the first click.
        sorted: How it is sorted, at the beginning.
    """

    title: str
    hint: str = ""
    number: bool = True
    metric: bool = False
    descending: bool = False
    sorted: str = ""


def metric_column(name: str, *, sorted_now: bool = False) -> Column:
    """The head of a metric.

    Args:
        name: Of the metric.
        sorted_now: Whether the table is sorted by it at the beginning, the best first.
    """
    higher = get_metric(name).higher_is_better
    now = ("descending" if higher else "ascending") if sorted_now else ""
    return Column(arrowed(name), summary(name), metric=True, descending=higher, sorted=now)


MODEL_COLUMNS = (Column("model", number=False), Column("strategy", number=False))
STATUS_COLUMN = Column("scores", "Verified: recomputed from predictions and votes", number=False)
SKILL_COLUMN = Column("skill ↑", f"By {PRIMARY}: 0 label prior, 1 human ceiling", descending=True)


def main_columns(metrics: Sequence[str]) -> list[Column]:
    """Those of the main table of a corpus.

    Args:
        metrics: Beside `PRIMARY`.
    """
    return [
        *MODEL_COLUMNS,
        Column("rank", f"Group by {PRIMARY}; small: best to worst rank that the tests allow"),
        metric_column(PRIMARY, sorted_now=True),
        SKILL_COLUMN,
        *(metric_column(name) for name in metrics),
        Column("size", "Parameters of the model"),
        Column("weights", number=False),
        Column("draws", "Answers for an utterance"),
        Column("tokens", "Generated for an utterance, on average"),
        STATUS_COLUMN,
    ]
