"""Reading the main database as it is at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def one_moment() -> Iterator[None]:
    """All queries inside see the tables as they are now, while a server goes on writing.

    They are for going through whole tables. PostgreSQL forgets in a crash how large those are,
    and may take them for a few rows each; held against each other row by row, thirty thousand
    alerts took it minutes.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL enable_nestloop = off")
            # It may take twice as long; alerts, which come meanwhile, may not.
            cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        yield
