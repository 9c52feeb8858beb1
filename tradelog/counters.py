"""A cache that counts across worker processes without a server to run.

django-ratelimit needs a cache in which `add` and `incr` are atomic. Of Django's
own, the one in memory is not shared and those in files and in the database are
not atomic; the main database may be down besides. So the counts live in a SQLite
file of their own. Where several hosts share them, CACHE_URL names a Valkey or Redis.
"""

from __future__ import annotations

import os
import pickle
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from wal.turn import Turnstile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (key TEXT PRIMARY KEY, value, expires REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counters_by_expiry ON counters (expires);
"""


class SharedCounters(BaseCache):
    """Keys and values in one SQLite file; every change is one atomic statement.

    Counts are lost with the power, and that is all right: they are worth a minute.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._path = Path(location)
        # Django makes a cache object for each thread, so this connection is one's own.
        self._opened: tuple[int, sqlite3.Connection] | None = None

    def add(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        if self.get(key, version=version) is not None:
            return False  # As nearly always: no turn is waited for.
        now = time.time()
        with self._writing() as cursor:
            cursor.execute("DELETE FROM counters WHERE expires <= ?", [now])
            cursor.execute(
                "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [self.make_and_validate_key(key, version), _stored(value), self._expiry(timeout)],
            )
            return cursor.rowcount == 1

    def set(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        with self._writing() as cursor:
            cursor.execute(
                "INSERT OR REPLACE INTO counters VALUES (?, ?, ?)",
                [self.make_and_validate_key(key, version), _stored(value), self._expiry(timeout)],
            )

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a count; its expiry stays. Raises ValueError where there is none."""
        with self._writing() as cursor:
            row = cursor.execute(
                "UPDATE counters SET value = value + ? WHERE key = ? AND expires > ?"
                " RETURNING value",
                [delta, self.make_and_validate_key(key, version), time.time()],
            ).fetchone()
        if row is None:
            raise ValueError(f"No count is kept under {key!r}.")
        return int(row[0])

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        row = (
            self._connection()
            .execute(
                "SELECT value FROM counters WHERE key = ? AND expires > ?",
                [self.make_and_validate_key(key, version), time.time()],
            )
            .fetchone()
        )
        return default if row is None else _read(row[0])

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        with self._writing() as cursor:
            cursor.execute(
                "UPDATE counters SET expires = ? WHERE key = ? AND expires > ?",
                [
                    self._expiry(timeout),
                    self.make_and_validate_key(key, version),
                    time.time(),
                ],
            )
            return cursor.rowcount == 1

    def delete(self, key: str, version: int | None = None) -> bool:
        with self._writing() as cursor:
            cursor.execute(
                "DELETE FROM counters WHERE key = ?", [self.make_and_validate_key(key, version)]
            )
            return cursor.rowcount == 1

    def clear(self) -> None:
        with self._writing() as cursor:
            cursor.execute("DELETE FROM counters")

    def _expiry(self, timeout: Any) -> float:
        expiry = self.get_backend_timeout(timeout)
        return float("inf") if expiry is None else expiry

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None or self._opened[0] != os.getpid():
            connection = sqlite3.connect(self._path, timeout=1, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.executescript(_SCHEMA)
            self._opened = (os.getpid(), connection)
        return self._opened[1]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Cursor]:
        connection = self._connection()
        with _THREADS, _turnstile(self._path).turn(), connection:
            yield connection.cursor()


#: Threads line up here, so that the turnstile sees one of a process at a time.
_THREADS = threading.Lock()
_turnstiles: dict[tuple[int, Path], Turnstile] = {}


def _turnstile(path: Path) -> Turnstile:
    place = (os.getpid(), path)
    if place not in _turnstiles:
        _turnstiles[place] = Turnstile(path)
    return _turnstiles[place]


def _stored(value: Any) -> Any:
    # Counts stay numbers, so that SQLite can add to them.
    return value if type(value) is int else pickle.dumps(value)


def _read(value: Any) -> Any:
    return pickle.loads(value) if isinstance(value, bytes) else value
