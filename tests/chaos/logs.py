"""The write-ahead logs of a system under test, as the suite itself reaches them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

#: A connection of either kind: `execute(...)` gives a cursor.
Connection = sqlite3.Connection | psycopg.Connection[Any]


class WriteAheadLog(Protocol):
    """Where entries lie: one host's own, or one that all hosts share."""

    #: WAL_DATABASE_URL; empty: a file in the host's folder.
    url: str

    def connect(self) -> closing[Any]:
        """`with log.connect() as connection:`"""

    def locked(self) -> Any:
        """`with log.locked():` nobody else can write to it; raises OSError if it is not had."""


class FileLog:
    """A host's own, in SQLite."""

    url = ""

    def __init__(self, path: Path) -> None:
        self._path = path

    def connect(self) -> closing[Any]:
        return closing(sqlite3.connect(self._path, timeout=5))

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(sqlite3.connect(self._path, timeout=5, isolation_level=None)) as other:
            try:
                other.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                raise OSError from error
            yield
            other.execute("ROLLBACK")


class PostgresLog:
    """One on a PostgreSQL."""

    def __init__(self, *, url: str, address: str) -> None:
        self.url = url
        self._address = address

    def connect(self) -> closing[Any]:
        return closing(psycopg.connect(self._address))

    @contextmanager
    def locked(self) -> Iterator[None]:
        try:
            with psycopg.connect(self._address) as other:
                other.execute("LOCK TABLE webhook_wal IN ACCESS EXCLUSIVE MODE")
                yield
        except psycopg.Error as error:
            raise OSError from error


def unsettled(log: WriteAheadLog, *, parked: bool = True) -> int:
    """How many entries of the log still wait for something; with `parked` also for their entry."""
    states = "'pending', 'processing'" + (", 'parked'" if parked else "")
    with log.connect() as connection:
        count = connection.execute(f"SELECT count(*) FROM webhook_wal WHERE status IN ({states})")
        return int(count.fetchone()[0])
