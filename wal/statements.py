"""The statements that every alert takes, written out and for many entries at once.

The ORM spends longer on building one than the database on carrying it out. And SQLite lets
go of Python's lock at each row it is given or gives: on a busy server, getting it back takes
longer than the row. So entries go in by one statement, and come back as one value.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

import deadline
from wal import lease
from wal.models import Entry, EntryStatus
from wal.writer import ALIAS


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of an entry."""

    entry_id: int
    #: Ids start again if the log is replaced; then this tells that it is another entry.
    correlation_id: uuid.UUID
    status: EntryStatus
    book: str
    webhook_log_id: int | None = None
    error: str = ""


#: Far more than reading them takes: a PostgreSQL that has not answered by then is not heard.
_READ_SECONDS: Final = 5.0

_APPENDED = (
    "correlation_id, body, envelope, received_at, attempts, claimed_by, claimed_until,"
    " status, book, last_error"
)
_ROW = "(%s, %s, %s, %s, %s, %s, %s, 'processing', '', '')"

_SETTLE = """
UPDATE webhook_wal SET status = v.status, webhook_log_id = v.log, book = v.book,
    last_error = v.error, settled_at = v.settled, claimed_by = '', claimed_until = NULL
FROM {} AS v WHERE webhook_wal.id = v.id AND webhook_wal.correlation_id = v.name
"""
_MARKS = {
    "sqlite": "(SELECT {} FROM json_each(%s))".format(
        ", ".join(
            f"json_extract(value, '$.{name}') AS {name}"
            for name in ("id", "name", "status", "log", "book", "error", "settled")
        )
    ),
    "postgresql": "(SELECT * FROM json_to_recordset(%s) AS marks(id bigint, name uuid,"
    " status text, log bigint, book text, error text, settled timestamptz))",
}


def append(entries: list[Entry]) -> Sequence[int]:
    """Insert entries in their order; their ids."""
    connection = connections[ALIAS]
    statement = f"INSERT INTO webhook_wal ({_APPENDED}) VALUES {', '.join([_ROW] * len(entries))}"
    values = [value for entry in entries for value in _values(entry, connection)]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(statement, values)
            # Nobody else inserts meanwhile, so they follow one another.
            last = int(cursor.lastrowid)
            return range(last - len(entries) + 1, last + 1)
        cursor.execute(f"{statement} RETURNING id", values)
        return [int(key) for (key,) in cursor.fetchall()]


def _values(entry: Entry, connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
    # By the connection's own means: the fields would check again what is known to fit.
    has_uuids, ops = connection.features.has_native_uuid_field, connection.ops
    return (
        entry.correlation_id if has_uuids else entry.correlation_id.hex,
        entry.body,
        ops.adapt_json_value(entry.envelope, None),
        ops.adapt_datetimefield_value(entry.received_at),
        entry.attempts,
        entry.claimed_by,
        ops.adapt_datetimefield_value(entry.claimed_until),
    )


def claim(
    entry_ids: Collection[int], among: Sequence[EntryStatus], owner: str, until: datetime
) -> set[int]:
    """Claim those of the entries that have one of these statuses, or an expired claim."""
    connection = connections[ALIAS]
    end = connection.ops.adapt_datetimefield_value(until)
    statement = (
        "UPDATE webhook_wal SET status = 'processing', attempts = attempts + 1, claimed_by = %s,"
        f" claimed_until = %s WHERE id IN ({places(entry_ids)}) AND (status IN"
        f" ({places(among)}) OR {lease.EXPIRED}) RETURNING id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [owner, end, *entry_ids, *map(str, among), *lease.expiry()])
        return {int(key) for (key,) in cursor.fetchall()}


def places(values: Collection[object]) -> str:
    """Where so many parameters go into a statement's list."""
    return ", ".join(["%s"] * len(values))


def settle(several: list[list[Mark]]) -> list[None]:
    """Mark entries with what became of them."""
    connection = connections[ALIAS]
    now = str(connection.ops.adapt_datetimefield_value(timezone.now()))
    told = [
        {
            "id": mark.entry_id,
            "name": mark.correlation_id.hex,
            "status": mark.status,
            "log": mark.webhook_log_id,
            "book": mark.book,
            "error": mark.error,
            "settled": now,
        }
        for marks in several
        for mark in marks
    ]
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE.format(_MARKS[connection.vendor]), [json.dumps(told)])
    return [None] * len(several)


def rows_as_json(query: str, columns: Sequence[str], parameters: Sequence[Any]) -> list[list[Any]]:
    """The rows of a query in their order, read as one value; gives up a PostgreSQL that hangs."""
    connection = connections[ALIAS]
    gathered, row = {
        "sqlite": ("json_group_array", "json_array"),
        "postgresql": ("json_agg", "json_build_array"),
    }[connection.vendor]
    statement = f"SELECT {gathered}({row}({', '.join(columns)})) FROM ({query}) AS found"
    with deadline.within(_READ_SECONDS), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = cursor.fetchone()[0]
    if isinstance(found, str):
        found = json.loads(found)
    return found or []
