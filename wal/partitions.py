"""The log in months: native partitioning, where it lies on a PostgreSQL and where it is wished.

What is there becomes the first partition as it is, and each month from then on gets a table
of its own. Months are UTC's. An append goes nowhere else than before: a last partition takes
what no month is made for. Ids come from one sequence; that they, and correlation ids, are
unique is enforced within a partition.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db import connections, transaction

from wal.models import Entry
from wal.turn import take_turn
from wal.writer import ALIAS

_TABLE: Final = Entry._meta.db_table
#: Takes what no month is made for; and tells how a month's table is made.
_LATER: Final = f"{_TABLE}_later"
_NAME: Final = re.compile(rf"{_TABLE}_(?P<before>before_)?(?P<year>\d{{4}})_(?P<month>\d\d)")

#: Months that are made beforehand, after the one that is.
AHEAD: Final = 3

#: Seconds that readers and appends may be kept waiting for, before anything has begun.
_LOCK_SECONDS: Final = 5


class NotPartitionable(Exception):
    """The log is no table that can be partitioned; the message says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Which partitions were made and dropped, by name."""

    made: list[str]
    dropped: list[str]


def is_partitioned() -> bool:
    """Whether the log is kept in months."""
    return bool(_partitions())


def partition(today: date) -> Kept:
    """Keep the log in months from the next one on; nothing is copied.

    Nobody can append meanwhile, for as long as PostgreSQL takes to read the table once. Raises
    NotPartitionable, and what the database raises; then nothing has changed.
    """
    if connections[ALIAS].vendor != "postgresql":
        raise NotPartitionable(
            "The log is a SQLite file. Only one on a PostgreSQL (WAL_DATABASE_URL) has partitions."
        )
    if is_partitioned():
        raise NotPartitionable("The log is kept in months already.")
    first = _after(today)
    past = f"{_TABLE}_before_{first:%Y_%m}"
    with _alone() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [_TABLE])
        next_id = cursor.fetchone()[0]
        for statement in (
            f"ALTER TABLE {_TABLE} ALTER id DROP IDENTITY",
            f"ALTER TABLE {_TABLE} RENAME TO {past}",
            f"CREATE TABLE {_TABLE} (LIKE {past} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
            " PARTITION BY RANGE (received_at)",
            f"CREATE SEQUENCE {_TABLE}_id_seq START {next_id} OWNED BY {_TABLE}.id",
            f"ALTER TABLE {_TABLE} ALTER id SET DEFAULT nextval('{_TABLE}_id_seq')",
            f"CREATE TABLE {_LATER} (LIKE {past} INCLUDING ALL)",
            f"ALTER TABLE {_TABLE} ATTACH PARTITION {_LATER} DEFAULT",
            f"ALTER TABLE {_TABLE} ATTACH PARTITION {past}"
            f" FOR VALUES FROM (MINVALUE) TO ({_bound(first)})",
        ):
            cursor.execute(statement)
        return Kept([past, *_make_months(cursor, today, [past])], [])


def keep_up(today: date) -> Kept:
    """Make the months to come, and drop those past that are empty, which gives back their space.

    Changes nothing where the log is not kept in months. Raises what the database raises.
    """
    if not is_partitioned():
        return Kept([], [])
    with _alone() as cursor:
        there = _partitions()
        over = [name for name in there if _end(name) <= today and not _has_rows(cursor, name)]
        for name in over:
            cursor.execute(f"DROP TABLE {name}")
        return Kept(_make_months(cursor, today, there), over)


@contextmanager
def _alone() -> Iterator[Any]:
    connection = connections[ALIAS]
    with transaction.atomic(using=ALIAS), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
        # Writers wait their turn before they hold anything, so nobody waits in a circle.
        take_turn(connection, seconds=math.inf, durable=True)
        yield cursor


def _partitions() -> list[str]:
    """Those with an end, by name; none where the log is one table."""
    connection = connections[ALIAS]
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = to_regclass(%s) ORDER BY relname",
            [_TABLE],
        )
        return [name for (name,) in cursor.fetchall() if _NAME.fullmatch(name)]


def _make_months(cursor: Any, today: date, there: list[str]) -> list[str]:
    made = []
    covered = max((_end(name) for name in there if "_before_" in name), default=date.min)
    begin = today.replace(day=1)
    for _ in range(AHEAD + 1):
        end, name = _after(begin), f"{_TABLE}_{begin:%Y_%m}"
        if name not in there and end > covered:
            since = f"received_at >= {_bound(begin)} AND received_at < {_bound(end)}"
            for statement in (
                f"CREATE TABLE {name} (LIKE {_LATER} INCLUDING ALL)",
                f"WITH moved AS (DELETE FROM {_LATER} WHERE {since} RETURNING *)"
                f" INSERT INTO {name} SELECT * FROM moved",
                f"ALTER TABLE {_TABLE} ATTACH PARTITION {name}"
                f" FOR VALUES FROM ({_bound(begin)}) TO ({_bound(end)})",
            ):
                cursor.execute(statement)
            made.append(name)
        begin = end
    return made


def _has_rows(cursor: Any, name: str) -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT FROM {name})")
    return bool(cursor.fetchone()[0])


def _end(name: str) -> date:
    """The day from which on a partition holds nothing."""
    found = _NAME.fullmatch(name)
    assert found
    month = date(int(found["year"]), int(found["month"]), 1)
    return month if found["before"] else _after(month)


def _after(day: date) -> date:
    """The first day of the next month."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _bound(day: date) -> str:
    return f"'{datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()}'"
