"""Who comes before whom: the unsettled entries of some books, as far as their turn goes."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from django.db import connections

from wal.journal import UNSETTLED_SQL, owner
from wal.lease import FREE, expiry
from wal.models import Entry
from wal.statements import places, rows_as_json
from wal.writer import ALIAS

_COLUMNS = f"id, correlation_id AS name, book, claimed_by, {FREE} AS is_free"

_READ = ("id", "correlation_id", "body", "envelope")
#: Bodies of up to 64 KiB go into one value; a log may hold many that nobody has read.
_READ_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class InLine:
    """An entry that still wants its effect."""

    id: int
    correlation_id: uuid.UUID
    #: "" where nobody has read it yet.
    book: str
    #: Claimed by this process.
    is_ours: bool
    #: Claimed by nobody who is alive.
    is_free: bool


def line(
    books: Collection[str], entry_ids: Collection[int], *, up_to: int, most: int
) -> list[InLine]:
    """The unsettled entries of these books, of these ids, and all that are unread.

    Oldest first; `most` of each book, and none after `up_to`. What has been committed when it
    is asked is seen.
    """
    bounds = expiry()
    these = places(books) or "NULL"
    alone = places(entry_ids) or "NULL"
    statement = (
        f"SELECT {_COLUMNS} FROM webhook_wal WHERE {UNSETTLED_SQL} AND book = '' AND id <= %s"
        f" UNION ALL SELECT {_COLUMNS} FROM webhook_wal WHERE {UNSETTLED_SQL} AND book <> ''"
        f" AND id IN ({alone})"
        f" UNION ALL SELECT {_COLUMNS} FROM webhook_wal WHERE id IN (SELECT id FROM (SELECT id,"
        " row_number() OVER (PARTITION BY book ORDER BY id) AS place FROM webhook_wal"
        f" WHERE {UNSETTLED_SQL} AND book IN ({these}) AND id <= %s) AS its WHERE place <= %s)"
        " ORDER BY 1"
    )
    found = rows_as_json(
        statement,
        ("id", "name", "book", "claimed_by", "is_free"),
        [*bounds, up_to, *bounds, *entry_ids, *bounds, *books, up_to, most],
    )
    return [
        InLine(id, uuid.UUID(name), book, claimed_by == owner(), bool(is_free))
        for id, name, book, claimed_by, is_free in sorted(found)
    ]


def to_read(entry_ids: Sequence[int]) -> Iterator[Entry]:
    """These entries with what it takes to read them and nothing else, in no order."""
    columns = {
        "sqlite": ("id", "correlation_id", "hex(body)", "json(envelope)"),
        "postgresql": ("id", "correlation_id", "encode(body, 'hex')", "envelope"),
    }[connections[ALIAS].vendor]
    for first in range(0, len(entry_ids), _READ_TOGETHER):
        these = entry_ids[first : first + _READ_TOGETHER]
        query = f"SELECT {', '.join(_READ)} FROM webhook_wal WHERE id IN ({places(these)})"
        found = rows_as_json(query, columns, these)
        for id, name, body, envelope in found:
            values = (id, uuid.UUID(name), bytes.fromhex(body), envelope)
            yield Entry.from_db(ALIAS, _READ, values)
