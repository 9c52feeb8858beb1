"""A lock of PostgreSQL's that is held while other transactions come and go.

On the ground floor: migrations, backups and pruning keep out of each other's way by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from django.db import connections


@contextmanager
def held(alias: str, key: int) -> Iterator[None]:
    """Wait for the lock, and hold it on a database until the end; PostgreSQL only."""
    # In a transaction of a connection of its own: what is done meanwhile commits, and a lock
    # of the session would stay behind a PgBouncer, on whatever connection had it.
    with closing(connections[alias].copy()) as connection:
        connection.set_autocommit(False)
        with connection.cursor() as cursor:
            # Where a server ends idle transactions, it would end this one.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        yield
