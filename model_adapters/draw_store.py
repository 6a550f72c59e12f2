"""The store of finished draws: a run that was killed goes on where it stopped.

One SQLite file holds every finished draw, and every scored answer, under the hash of all that it
depends on: the model and the engine that made it (`Backend.fingerprint`), and what was asked of it
(`Question`: sound, words, decoding and seed). Each is written when it is finished; several
processes may share the file. What was asked is kept beside the answers, so that a store can be
looked through, merged with another machine's and pruned (`store_upkeep.py`, `ambi draws`).
"""

import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ambi_tasks.cache import cache_root
from model_adapters.backend import Answer, Score

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_VERSION = 3  # of the tables below
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS pools (
    pool TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    question TEXT NOT NULL,
    started TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS draws (
    pool TEXT NOT NULL,
    draw_index INTEGER NOT NULL,
    text TEXT NOT NULL,
    log_likelihood REAL,
    tokens INTEGER,
    finish_reason TEXT NOT NULL,
    sampling_log_likelihood REAL,
    PRIMARY KEY (pool, draw_index)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
    pool TEXT NOT NULL,
    continuation TEXT NOT NULL,
    log_likelihood REAL NOT NULL,
    tokens INTEGER NOT NULL,
    greedy INTEGER NOT NULL,
    PRIMARY KEY (pool, continuation)
) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""
_TABLES = {"pools", "draws", "scores"}
BUSY_SECONDS = 60.0


def store_path() -> Path:
    """Where the draws lie."""
    return cache_root() / "draws.sqlite"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a model, by content.

    Attributes:
        content: JSON: `turns` (role, text, number of clips), the `clips`' hashes, and of the
            `decoding` what is no default, null where given answers are scored.
    """

    content: str

    @property
    def key(self) -> str:
        """Its hash."""
        return hashlib.sha256(self.content.encode()).hexdigest()


class DrawStore:
    """Finished draws of one model, as its fingerprint tells it from others."""

    def __init__(self, path: Path, fingerprint: str, model: str) -> None:
        """Open the file, or start it; one that is no store is set aside, never deleted.

        Args:
            path: The SQLite file.
            fingerprint: See `Backend.fingerprint`.
            model: What people call the model.

        Raises:
            OSError: The folder cannot be written.
        """
        self._fingerprint, self._model = fingerprint, model
        self._described: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _connect(path)
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"{path.name}.broken-{os.getpid()}")
            path.rename(aside)
            _log.warning("The store of draws was set aside as %s (%s).", aside, error)
            self._connection = _connect(path)

    def finished(self, question: Question, indices: Iterable[int]) -> dict[int, Answer]:
        """The draws that are there.

        Args:
            question: What they answer.
            indices: Which of them are wanted.
        """
        rows = self._connection.execute(
            "SELECT draw_index, text, log_likelihood, tokens, finish_reason, "
            "sampling_log_likelihood FROM draws WHERE pool = ?",
            (self._pool(question),),
        )
        wanted = set(indices)
        return {index: Answer(*answer) for index, *answer in rows if index in wanted}

    def keep(self, question: Question, index: int, answer: Answer) -> None:
        """Write a finished draw; it is there at once, whatever happens to this process."""
        self._connection.execute(
            "INSERT OR IGNORE INTO draws VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self._described_pool(question),
                index,
                answer.text,
                answer.log_likelihood,
                answer.tokens,
                answer.finish_reason,
                answer.sampling_log_likelihood,
            ),
        )

    def finished_scores(self, question: Question, continuations: Iterable[str]) -> dict[str, Score]:
        """The scored answers that are there.

        Args:
            question: What they answer.
            continuations: Which answers are wanted.
        """
        rows = self._connection.execute(
            "SELECT continuation, log_likelihood, tokens, greedy FROM scores WHERE pool = ?",
            (self._pool(question),),
        )
        wanted = set(continuations)
        return {
            text: Score(log_likelihood, tokens, bool(greedy))
            for text, log_likelihood, tokens, greedy in rows
            if text in wanted
        }

    def keep_score(self, question: Question, continuation: str, score: Score) -> None:
        """Write a scored answer, as `keep` does a draw."""
        self._connection.execute(
            "INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?, ?)",
            (
                self._described_pool(question),
                continuation,
                score.log_likelihood,
                score.tokens,
                int(score.greedy),
            ),
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _pool(self, question: Question) -> str:
        return hashlib.sha256(f"{self._fingerprint}/{question.key}".encode()).hexdigest()

    def _described_pool(self, question: Question) -> str:
        pool = self._pool(question)
        if pool not in self._described:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            row = (pool, self._model, self._fingerprint, question.content, now)
            self._connection.execute("INSERT OR IGNORE INTO pools VALUES (?, ?, ?, ?, ?)", row)
            self._described.add(pool)
        return pool


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        check_store(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # survives a killed process
        connection.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def check_store(connection: sqlite3.Connection) -> None:
    """Refuse a file that is neither new nor a store of this version."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if version != _VERSION and tables:
        raise sqlite3.DatabaseError(f"it is no store of version {_VERSION}")
    if version == _VERSION and not tables >= _TABLES:
        raise sqlite3.DatabaseError("it lacks tables")
