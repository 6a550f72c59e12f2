"""A badge that says how many models the board has, and how many entries anybody can recompute.

JSON for the `endpoint` badge of shields.io; the board's site serves the file, and a README shows
`https://img.shields.io/endpoint?url=<its address>`.
Source: shields.io/badges/endpoint-badge, schema version 1.
"""

import json
from collections.abc import Sequence

from ambi_tasks.leaderboard.entry import Entry
from ambi_tasks.leaderboard.submission import ModelSubmission


def badge_json(entries: Sequence[Entry]) -> str:
    """The badge of a board, without the demo corpus and the references.

    Args:
        entries: Of a board.
    """
    counted = [
        one
        for one in entries
        if isinstance(one.submission, ModelSubmission) and one.submission.corpus.name != "demo"
    ]
    models = {one.key.partition("/")[0].casefold() for one in counted}
    recomputed = sum(one.status == "recomputed" for one in counted)
    entries_word = "entry" if len(counted) == 1 else "entries"
    message = (
        f"{len(models)} model{'s' * (len(models) != 1)}, {len(counted)} {entries_word}, "
        f"{recomputed} recomputed"
    )
    badge = {
        "schemaVersion": 1,
        "label": "ambi leaderboard",
        "message": message,
        "color": "blue" if counted else "lightgrey",
    }
    return json.dumps(badge, indent=2) + "\n"
