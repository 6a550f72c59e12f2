"""The store of finished draws: a run that was killed goes on where it stopped.

One SQLite file holds every finished draw, and every scored answer, under the hash of all that it
depends on: the model and the engine that made it (`Backend.fingerprint`), and the pool's key, which
covers sound, words, decoding and seed. Each is written when it is finished; several processes may
share the file.
"""

import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from ambi_tasks.cache import cache_root
from model_adapters.backend import Answer, Score

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_SCHEMA = """
CREATE TABLE IF NOT EXISTS draws (
    pool TEXT NOT NULL,
    draw_index INTEGER NOT NULL,
    text TEXT NOT NULL,
    log_likelihood REAL,
    tokens INTEGER,
    finish_reason TEXT NOT NULL,
    PRIMARY KEY (pool, draw_index)
) WITHOUT ROWID
"""
_SCORES_SCHEMA = """
CREATE TABLE IF NOT EXISTS scores (
    conversation TEXT NOT NULL,
    continuation TEXT NOT NULL,
    log_likelihood REAL NOT NULL,
    tokens INTEGER NOT NULL,
    greedy INTEGER NOT NULL,
    PRIMARY KEY (conversation, continuation)
) WITHOUT ROWID
"""
_BUSY_SECONDS = 60.0


def store_path() -> Path:
    """Where the draws lie."""
    return cache_root() / "draws.sqlite"


class DrawStore:
    """Finished draws of one model, as its fingerprint tells it from others."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        """Open the file, or start it; one that is no store is set aside, never deleted.

        Args:
            path: The SQLite file.
            fingerprint: See `Backend.fingerprint`.

        Raises:
            OSError: The folder cannot be written.
        """
        self._fingerprint = fingerprint
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _connect(path)
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"{path.name}.broken-{os.getpid()}")
            path.rename(aside)
            _log.warning("The store of draws was set aside as %s (%s).", aside, error)
            self._connection = _connect(path)

    def finished(self, pool: str, indices: Iterable[int]) -> dict[int, Answer]:
        """The draws of a pool that are there.

        Args:
            pool: The pool's key.
            indices: Which draws are wanted.
        """
        rows = self._connection.execute(
            "SELECT draw_index, text, log_likelihood, tokens, finish_reason FROM draws "
            "WHERE pool = ?",
            (self._key(pool),),
        )
        wanted = set(indices)
        return {index: Answer(*answer) for index, *answer in rows if index in wanted}

    def keep(self, pool: str, index: int, answer: Answer) -> None:
        """Write a finished draw; it is there at once, whatever happens to this process."""
        self._connection.execute(
            "INSERT OR IGNORE INTO draws VALUES (?, ?, ?, ?, ?, ?)",
            (
                self._key(pool),
                index,
                answer.text,
                answer.log_likelihood,
                answer.tokens,
                answer.finish_reason,
            ),
        )

    def finished_scores(self, conversation: str, continuations: Iterable[str]) -> dict[str, Score]:
        """The scored answers to a question that are there.

        Args:
            conversation: The question's key.
            continuations: Which answers are wanted.
        """
        rows = self._connection.execute(
            "SELECT continuation, log_likelihood, tokens, greedy FROM scores "
            "WHERE conversation = ?",
            (self._key(conversation),),
        )
        wanted = set(continuations)
        return {
            text: Score(log_likelihood, tokens, bool(greedy))
            for text, log_likelihood, tokens, greedy in rows
            if text in wanted
        }

    def keep_score(self, conversation: str, continuation: str, score: Score) -> None:
        """Write a scored answer, as `keep` does a draw."""
        self._connection.execute(
            "INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?, ?)",
            (
                self._key(conversation),
                continuation,
                score.log_likelihood,
                score.tokens,
                int(score.greedy),
            ),
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _key(self, pool: str) -> str:
        return hashlib.sha256(f"{self._fingerprint}/{pool}".encode()).hexdigest()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # survives a killed process
        connection.execute(_SCHEMA)
        connection.execute(_SCORES_SCHEMA)
        connection.execute("SELECT finish_reason FROM draws LIMIT 1").fetchall()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection
