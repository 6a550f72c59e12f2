"""All exports of a board, as files: every_eval_ever/, eval_results/, tables, badge."""

import datetime
import json
from collections.abc import Sequence

from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.exports.badge import badge_json
from ambi_tasks.leaderboard.exports.every_eval_ever import record_of
from ambi_tasks.leaderboard.exports.hugging_face import yaml_of
from ambi_tasks.leaderboard.exports.readme_table import markdown_tables
from ambi_tasks.leaderboard.scores import ScoresOf, entry_scores

TABLE, DEMO_TABLE, BADGE = "table.md", "demo_table.md", "badge.json"


def record_path(key: str) -> str:
    """Where the record of Every Eval Ever of an entry lies.

    Args:
        key: Of the entry.
    """
    return f"every_eval_ever/{_name(key)}.json"


def export_files(
    entries: Sequence[Entry],
    moment: datetime.datetime,
    *,
    dataset: str | None = None,
    url: str | None = None,
    scores_of: ScoresOf = entry_scores,
) -> dict[str, str]:
    """Write nothing, but say what is to be written.

    Args:
        entries: Of a board.
        moment: When the records are made.
        dataset: See `hugging_face.yaml_of`; without it and `url` there is no eval_results/.
        url: Likewise.
        scores_of: Where the scores of an entry come from.

    Returns:
        Path -> text.
    """
    demo = [one for one in entries if one.submission.corpus.name == "demo"]
    files = {
        TABLE: markdown_tables(entries, scores_of=scores_of),
        DEMO_TABLE: markdown_tables(demo, demo=True, scores_of=scores_of),
        BADGE: badge_json(entries),
    }
    for entry in entries:
        if entry.is_reference:
            continue
        record = record_of(entry, moment, scores_of=scores_of)
        files[record_path(entry.key)] = json.dumps(record, indent=2) + "\n"
        if dataset and url:
            text = yaml_of(entry, dataset=dataset, url=url, scores_of=scores_of)
            files[f"eval_results/{_name(entry.key)}.yaml"] = text
    return files


def _name(key: str) -> str:
    return key.replace("/", "__")
