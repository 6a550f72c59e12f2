"""What a pull request is told: the recomputed scores, what they change, what is wrong.

The text goes into a comment on a page that others write too, so nothing of a submission is in it
but names of a narrow alphabet, numbers, and findings in a block of code.
"""

from collections.abc import Iterator, Sequence

from ambi_tasks.leaderboard.board import Board
from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.reading import Finding
from ambi_tasks.leaderboard.scores import entry_scores
from ambi_tasks.leaderboard.submission import ScoreRecord
from ambi_tasks.leaderboard.validation import Examined
from ambi_tasks.metrics import get_metric

_MAIN = "js"
_MOST_FINDINGS = 50


def markdown_comment(
    examined: Sequence[Examined], stray: Sequence[Finding], present: Board | None
) -> str:
    """Write the verdict on some submissions.

    Args:
        examined: The submissions.
        stray: What lies where no submission belongs.
        present: The board to compare with.
    """
    if not examined and not stray:
        return "## Leaderboard\n\nNo submission was changed.\n"
    parts = ["## Leaderboard"]
    if stray:
        parts.append(_findings(stray))
    for one in examined:
        parts += _about(one, present)
    return "\n\n".join(parts) + "\n"


def _about(examined: Examined, present: Board | None) -> Iterator[str]:
    entry = examined.entry
    yield f"### {_code(examined.reading.key)}: {'refused' if entry is None else entry.status}"
    if examined.findings:
        yield _findings(examined.findings)
    if entry is None:
        return
    rivals = _comparable(entry, present)
    now = next((one for one in rivals if one.key == entry.key), None)
    day = entry.submission.submitter.date
    best = _best([one for one in rivals if one.key != entry.key and one.ranks(day)])
    if present is not None:
        yield _place(now, best)
    yield "\n".join(_table(entry, now, best))


def _place(now: Entry | None, best: Entry | None) -> str:
    if now is None and best is None:
        return "There is no model on the board yet that compares with it."
    said = "The entry is on the board already." if now else "The entry is new."
    return said if best is None else f"{said} The best other model by {_MAIN}: {_code(best.key)}."


def _comparable(entry: Entry, present: Board | None) -> list[Entry]:
    if present is None:
        return []
    return [one for one in present.entries if one.comparable == entry.comparable]


def _best(entries: Sequence[Entry]) -> Entry | None:
    scored = [
        (record.value, one)
        for one in entries
        if (record := one.submission.scores.get(_MAIN)) and record.value is not None
    ]
    return min(scored, key=lambda pair: pair[0])[1] if scored else None


def _table(entry: Entry, now: Entry | None, best: Entry | None) -> Iterator[str]:
    """Metric, value, interval; and the difference to what is there, where something is."""
    scores = entry_scores(entry)
    beside = [("change", now)] * (now is not None) + [("against the best", best)] * (
        best is not None
    )
    yield "| metric | value | 95 % interval |" + "".join(f" {title} |" for title, _ in beside)
    yield "|---|--:|--:|" + "--:|" * len(beside)
    for name, record in sorted(scores.items()):
        if record.value is None:
            continue
        better = "higher" if get_metric(name).higher_is_better else "lower"
        cells = [f"{name}, {better} is better", f"{record.value:.4f}", _interval(record)]
        for _, other in beside:
            assert other is not None
            cells.append(_difference(record, other.submission.scores.get(name)))
        yield "| " + " | ".join(cells) + " |"


def _interval(record: ScoreRecord) -> str:
    if record.low is None or record.high is None:
        return "-"
    return f"{record.low:.4f} to {record.high:.4f}"


def _difference(one: ScoreRecord, other: ScoreRecord | None) -> str:
    if other is None or other.value is None or one.value is None:
        return "-"
    return f"{one.value - other.value:+.4f}"


def _findings(findings: Sequence[Finding]) -> str:
    """In a block of code, which neither links nor calls anybody."""
    lines = [f"{one.severity}: {one}" for one in findings[:_MOST_FINDINGS]]
    if left := len(findings) - len(lines):
        lines.append(f"and {left:,} more")
    safe = [ascii(line)[1:-1].replace("`", "'") for line in lines]
    return "\n".join(["```text", *safe, "```"])


def _code(key: str) -> str:
    return "`" + key.replace("`", "'") + "`"
