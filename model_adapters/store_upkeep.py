"""Looking after a store of draws: what it holds, its rows, another machine's, and what may go."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ambi_tasks.errors import UserError
from model_adapters.draw_store import BUSY_SECONDS, check_store

ANSWER_COLUMNS = (
    *("kind", "model", "fingerprint", "question", "started", "draw_index", "text"),
    *("log_likelihood", "tokens", "finish_reason", "sampling_log_likelihood", "greedy"),
)
"""Of the rows that `answers` gives."""

_OF_DRAWS = "finish_reason, sampling_log_likelihood"


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a store holds of one model.

    Attributes:
        model: What people call it.
        fingerprint: What tells it from others.
        questions: How many were asked.
        draws: Answers drawn.
        scores: Given answers scored.
        tokens: Of both.
        first: When the first question was asked, in UTC.
        last: When the last one was.
    """

    model: str
    fingerprint: str
    questions: int
    draws: int
    scores: int
    tokens: int
    first: str
    last: str


@contextmanager
def open_store(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store that exists, to look after it.

    Raises:
        UserError: There is none, or it is no store.
    """
    if not path.is_file():
        raise UserError(f"There is no store of draws at {path}.")
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        check_store(connection)
        connection.execute("SELECT pool FROM pools LIMIT 1").fetchall()
        yield connection
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path} cannot be used as a store of draws ({error}).") from error
    finally:
        connection.close()


def holdings(connection: sqlite3.Connection) -> list[Holdings]:
    """What a store holds, by model, the latest last."""
    rows = connection.execute(
        """
        SELECT model, fingerprint, COUNT(*), SUM(n_draws), SUM(n_scores), SUM(n_tokens),
               MIN(started), MAX(started)
        FROM (
            SELECT pools.*,
                (SELECT COUNT(*) FROM draws WHERE draws.pool = pools.pool) AS n_draws,
                (SELECT COUNT(*) FROM scores WHERE scores.pool = pools.pool) AS n_scores,
                (SELECT COALESCE(SUM(tokens), 0) FROM draws WHERE draws.pool = pools.pool)
                + (SELECT COALESCE(SUM(tokens), 0) FROM scores WHERE scores.pool = pools.pool)
                AS n_tokens
            FROM pools
        )
        GROUP BY model, fingerprint ORDER BY MAX(started), model, fingerprint
        """
    )
    return [Holdings(*row) for row in rows]


def answers(connection: sqlite3.Connection, model: str | None) -> Iterator[dict[str, object]]:
    """Every draw and every scored answer of a store, with what was asked, as plain rows.

    Args:
        connection: Of `open_store`.
        model: Of this model alone; None for all.
    """
    for table, columns in (
        ("draws", f"draw_index, text, log_likelihood, draws.tokens, {_OF_DRAWS}, NULL"),
        ("scores", "NULL, continuation, log_likelihood, scores.tokens, NULL, NULL, greedy"),
    ):
        rows = connection.execute(
            f"SELECT '{table[:-1]}', model, fingerprint, question, started, {columns} "  # noqa: S608 - our own words
            f"FROM {table} JOIN pools USING (pool) WHERE ? IS NULL OR model = ? "
            "ORDER BY model, fingerprint, pool, 6, 7",
            (model, model),
        )
        for row in rows:
            found = dict(zip(ANSWER_COLUMNS, row, strict=True))
            greedy = found["greedy"]
            yield found | {"greedy": None if greedy is None else bool(greedy)}


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of merging another store.

    Attributes:
        added: Draws and scores that were not there.
        known: Those that were there and are the same.
        differing: Those that were there and are not the same; ours were kept.
    """

    added: int
    known: int
    differing: int


def merge(connection: sqlite3.Connection, other: Path) -> Merged:
    """Add what another store holds; where both hold a draw, ours stays.

    Args:
        connection: Of `open_store`.
        other: The other store's file, which is not changed.

    Raises:
        UserError: There is none, or it is no store.
    """
    with open_store(other):
        pass
    connection.execute("ATTACH ? AS other", (str(other),))
    added = known = differing = 0
    with _transaction(connection):
        connection.execute("INSERT OR IGNORE INTO pools SELECT * FROM other.pools")
        for table, name, content in (
            ("draws", "draw_index", "text"),
            ("scores", "continuation", "log_likelihood"),
        ):
            both = f"FROM main.{table} AS a JOIN other.{table} AS b USING (pool, {name})"
            same, different = connection.execute(
                f"SELECT SUM(a.{content} = b.{content}), SUM(a.{content} != b.{content}) {both}"
            ).fetchone()
            known, differing = known + (same or 0), differing + (different or 0)
            found = connection.execute(f"INSERT OR IGNORE INTO {table} SELECT * FROM other.{table}")  # noqa: S608
            added += found.rowcount
    connection.execute("DETACH other")
    return Merged(added, known, differing)


def prune(connection: sqlite3.Connection, fingerprints: Iterable[str]) -> int:
    """Delete what is held of models, and give the room back.

    Args:
        connection: Of `open_store`.
        fingerprints: Of the models.

    Returns:
        How many draws and scores were deleted.
    """
    deleted = 0
    with _transaction(connection):
        for fingerprint in fingerprints:
            for table in ("draws", "scores"):
                deleted += connection.execute(
                    f"DELETE FROM {table} WHERE pool IN "  # noqa: S608 - our own words
                    "(SELECT pool FROM pools WHERE fingerprint = ?)",
                    (fingerprint,),
                ).rowcount
            connection.execute("DELETE FROM pools WHERE fingerprint = ?", (fingerprint,))
    connection.execute("VACUUM")
    return deleted


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
