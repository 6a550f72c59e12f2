"""The store of finished draws: a run that was killed goes on where it stopped.

One SQLite file holds every finished draw, and every scored answer, under the hash of all that it
depends on: the model and the engine that made it (`Backend.fingerprint`), and what was asked of it
(`Question`: sound, words, decoding and seed). Each is written when it is finished, so that a killed
process loses none; what is written goes to the disk itself once a second, so that a power cut
loses no more, and leaves a store that can be read. Several processes may share the file. What was
asked is kept beside the answers, so that a store can be
looked through, merged with another machine's and pruned (`store_upkeep.py`, `ambi draws`).
"""

import errno
import hashlib
import itertools
import logging
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock

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
_MAGIC = b"SQLite format 3\x00"
_TABLES = {"pools", "draws", "scores"}
BUSY_SECONDS = 60.0
DISK_SECONDS = 1.0


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
            OSError: The folder cannot be written, the disk is full, or another process holds the
                file for long.
        """
        self._fingerprint, self._model = fingerprint, model
        self._described: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = _open(path)
        self._to_disk = _ToDisk(path)
        self._to_disk.start()

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
        self._to_disk.due.set()
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
        self._to_disk.due.set()
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
        """Close the file; all of it is on the disk then."""
        self._to_disk.end()
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


class _ToDisk(threading.Thread):
    """Brings what was written to the disk itself, once a second, while others go on writing.

    A commit that waits for the disk would cost milliseconds a draw (`benchmarks/draw_store.py`).
    SQLite's checkpoint first makes the log durable, and then the file.

    Attributes:
        due: Set where something was written since the last time.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(name="draws to disk", daemon=True)
        self.due = threading.Event()
        self._path, self._over = path, threading.Event()

    def run(self) -> None:
        """Work until `end`."""
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            while not self._over.wait(DISK_SECONDS):
                if self.due.is_set():
                    self.due.clear()
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.OperationalError as error:
            _log.warning("Draws go to the disk when the system pleases (%s).", error)
        finally:
            connection.close()

    def end(self) -> None:
        """Stop."""
        self._over.set()
        self.join()


def _open(path: Path) -> sqlite3.Connection:
    with FileLock(f"{path}.lock"):  # of several processes one sets a broken store aside
        try:
            return _connect(path)
        except sqlite3.OperationalError as error:  # it is held, or the disk full: it may be sound
            raise OSError(errno.EIO, str(error)) from error
        except sqlite3.DatabaseError as error:
            aside = _set_aside(path)
            _log.warning("The store of draws was set aside as %s (%s).", aside, error)
            return _connect(path)


def _set_aside(path: Path) -> Path:
    """Rename a file that is no store, with SQLite's own files beside it, under a new name."""
    names = (f"{path.name}.broken-{number}" for number in itertools.count(1))
    aside = next(found for name in names if not (found := path.with_name(name)).exists())
    for suffix in ("", "-wal", "-shm"):  # left there, they would be read into the new store
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    return aside


def _connect(path: Path) -> sqlite3.Connection:
    if path.exists() and _head(path) not in (b"", _MAGIC):
        raise sqlite3.DatabaseError("it is no SQLite file")  # SQLite would delete the log beside it
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


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_MAGIC))


def check_store(connection: sqlite3.Connection) -> None:
    """Refuse a file that is neither new nor a sound store of this version."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if version != _VERSION and tables:
        raise sqlite3.DatabaseError(f"it is no store of version {_VERSION}")
    if version == _VERSION and not tables >= _TABLES:
        raise sqlite3.DatabaseError("it lacks tables")
    (fault,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if fault != "ok":
        raise sqlite3.DatabaseError(f"it is damaged: {' '.join(fault.split())}")
