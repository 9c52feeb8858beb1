"""The two databases as Django connects to them: what settings.DATABASES is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from deadline import PunctualConnection

#: What people call them, by alias.
NAMES: Final = {"wal": "write-ahead log", "default": "main database"}


def on_postgresql(database: dict[str, Any], *, threads: int) -> dict[str, Any]:
    """A PostgreSQL, with a pool because the server's threads come and go."""
    return {
        **database,
        # A socket's folder is written %2Fso, as libpq has it; django-environ leaves it so.
        "HOST": unquote(database.get("HOST") or ""),
        "OPTIONS": {
            "connect_timeout": 2,
            # A peer that is gone without a word is noticed.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            # Nor is it asked while something is on its way to it: as long, in milliseconds.
            "tcp_user_timeout": 25_000,
            # Else psycopg prepares no statement, not even those it is told to (`rows.py`).
            "prepare_threshold": 5,
            **database.get("OPTIONS", {}),
            "pool": {
                "min_size": 0,
                # One connection a thread at most.
                "max_size": threads + 4,
                # Not under a request's deadline, so short; the pipeline tries again while it may.
                "timeout": 0.5,
                "max_idle": 60,
                # By itself the pool tries for minutes, at longer and longer intervals,
                # and meanwhile opens no other connection: the database would be back
                # long before we noticed.
                "reconnect_timeout": 2,
                "connection_class": PunctualConnection,
            },
        },
    }


def in_file(path: Path) -> dict[str, Any]:
    """A SQLite file; not by a URL, in which a folder's # or ? would end its path."""
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}


def of_the_log(database: dict[str, Any], *, threads: int, folder: Path) -> dict[str, Any]:
    """The log's database, of whichever kind it is; `folder`: where tests have theirs."""
    if database["ENGINE"] == "django.db.backends.sqlite3":
        return {
            **database,
            # Kept open: opening a SQLite file costs more than the append.
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                # IMMEDIATE: a transaction that reads first and writes later would otherwise
                # fail with "database is locked" instead of waiting its turn.
                "transaction_mode": "IMMEDIATE",
                # Shorter than a caller waits (wal.turn.PATIENCE), so that it learns why.
                "timeout": 1,
                # FULL: a commit returns when the entry is on disk, not when it is in a cache.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
            # A file, so that the threads and processes of a test see one log.
            "TEST": {"NAME": str(folder / "test_wal.sqlite3")},
        }
    if database["ENGINE"] == "django.db.backends.postgresql":
        # A connection that was cut would refuse an alert before the next one is tried.
        return {**on_postgresql(database, threads=threads), "CONN_HEALTH_CHECKS": True}
    return database
