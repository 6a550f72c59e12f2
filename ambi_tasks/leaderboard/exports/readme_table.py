"""The board as a Markdown table, for a README."""

from collections.abc import Iterator, Sequence

from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.scores import ScoresOf, entry_scores
from ambi_tasks.leaderboard.submission import ModelSubmission, ReferenceSubmission, ScoreRecord
from ambi_tasks.leaderboard.truth import board_corpora, run_metadata
from ambi_tasks.metrics import get_metric

METRICS = ("js", "bc", "r2", "acc")

REFERENCE_NAMES = {
    "uniform": "floor: uniform",
    "label_prior": "floor: label prior",
    "split_half": "human ceiling (split half)",
}


def markdown_tables(
    entries: Sequence[Entry],
    *,
    demo: bool = False,
    metrics: Sequence[str] = METRICS,
    scores_of: ScoresOf = entry_scores,
) -> str:
    """A table for each corpus, options and label rule, those by default first; best entries first.

    Args:
        entries: Of a board.
        demo: Whether to show the demo corpus, which is no benchmark.
        metrics: The columns; the first orders the rows.
        scores_of: Where the scores of an entry come from.
    """
    shown = [one for one in entries if demo or one.submission.corpus.name != "demo"]
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for one in shown:
        groups.setdefault(one.comparable, []).append(one)
    ordered = sorted(groups.items(), key=lambda pair: (pair[0][0], _chosen(pair[1][0]), pair[0]))
    tables = ["\n".join(_table(group, metrics, scores_of)) for _, group in ordered]
    return "\n\n".join(tables) + "\n"


def _table(entries: Sequence[Entry], metrics: Sequence[str], scores_of: ScoresOf) -> Iterator[str]:
    scored = [(one, scores_of(one)) for one in entries]
    sign = -1 if get_metric(metrics[0]).higher_is_better else 1
    scored.sort(key=lambda pair: _rank(pair[1].get(metrics[0]), sign))
    title = board_corpora()[entries[0].submission.corpus.name].title
    demo = " (demonstration, no benchmark)" if title == "The demo corpus" else ""
    arrows = [f"{name} {'↑' if get_metric(name).higher_is_better else '↓'}" for name in metrics]
    utterances = f"{entries[0].submission.corpus.utterances:,} utterances"
    yield f"**{title}**{demo}{_chosen(entries[0])}, {utterances}"
    yield ""
    yield "| model | strategy | " + " | ".join(arrows) + " | scores |"
    yield "|---|---|" + "--:|" * len(metrics) + "---|"
    for entry, scores in scored:
        name, strategy = _names(entry)
        cells = [_cell(scores.get(metric)) for metric in metrics]
        yield "| " + " | ".join([name, strategy, *cells, entry.status]) + " |"


def _chosen(entry: Entry) -> str:
    """What is not by default of the corpus; empty where all is."""
    chosen = run_metadata(entry.submission.corpus)
    return "".join(f", {name}={value}" for name, value in chosen.items()).replace("_", "\\_")


def _names(entry: Entry) -> tuple[str, str]:
    """Both are of an alphabet that means nothing to Markdown, but for `_` and `*`."""
    submission = entry.submission
    if isinstance(submission, ReferenceSubmission):
        return f"*{REFERENCE_NAMES[submission.reference]}*", ""
    assert isinstance(submission, ModelSubmission)
    variant = f" {submission.variant}" if submission.variant else ""
    name = submission.model.name.replace("_", "\\_")
    return name, f"{submission.strategy.name}{variant}"


def _rank(record: ScoreRecord | None, sign: int) -> float:
    return float("inf") if record is None or record.value is None else sign * record.value


def _cell(record: ScoreRecord | None) -> str:
    if record is None or record.value is None:
        return "-"
    if record.low is None or record.high is None:
        return f"{record.value:.3f}"
    return f"{record.value:.3f} [{record.low:.3f}, {record.high:.3f}]"
