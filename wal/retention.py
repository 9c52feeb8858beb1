"""What the log may forget, in writes so small that appends go on between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import connections
from django.db.models import QuerySet

from wal.models import Entry, EntryStatus, Refusal
from wal.writer import ALIAS, writer

#: Nothing is left to do about these.
SETTLED: Final = (EntryStatus.COMPLETED, EntryStatus.FAILED, EntryStatus.DUPLICATE)

#: Pages of SQLite's file that are given back in one write: a few milliseconds.
_PAGES_TOGETHER: Final = 200

_INCREMENTAL: Final = 2


def settled(*, received_before: datetime) -> QuerySet[Entry]:
    """Entries that came to their end and were received before that time."""
    return Entry.objects.using(ALIAS).filter(status__in=SETTLED, received_at__lt=received_before)


def forget(entry_ids: Sequence[int]) -> int:
    """Delete those of the entries that are settled, for good on return; tell how many.

    Waits for the writer as long as it takes. Raises what the database raises.
    """
    entries = Entry.objects.using(ALIAS).filter(pk__in=list(entry_ids), status__in=SETTLED)
    # Durable: what is deleted after it in the main database must not come to lie before it.
    deleted, _ = writer().submit(entries.delete, durable=True, limit=math.inf).result()
    return deleted


def refusals(*, before: datetime) -> QuerySet[Refusal]:
    """Alerts that were refused by rate before that time."""
    return Refusal.objects.using(ALIAS).filter(refused_at__lt=before)


def forget_refusals(refusal_ids: Sequence[int]) -> int:
    """Delete records of refused alerts; tell how many there were."""
    gone = Refusal.objects.using(ALIAS).filter(pk__in=list(refusal_ids))
    deleted, _ = writer().submit(gone.delete, durable=False, limit=math.inf).result()
    return deleted


def give_back_pages() -> tuple[int, int]:
    """Return what is free in the log's file to the disk: bytes given back, bytes still free.

    A file that was made without `auto_vacuum` keeps its free pages and fills them again,
    as a PostgreSQL does, of which this says nothing.
    """
    connection = connections[ALIAS]
    if connection.vendor != "sqlite":
        return 0, 0
    free = _pragma("freelist_count")
    size = _pragma("page_size")
    left = free
    if _pragma("auto_vacuum") == _INCREMENTAL:
        while left:
            writer().submit(_free_some_pages, durable=False).result()
            now = _pragma("freelist_count")
            if now >= left:
                break  # A busy server fills them as fast.
            left = now
        with connection.cursor() as cursor:
            # The file gets shorter at a checkpoint; this one waits for nobody and holds up nobody.
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return (free - left) * size, left * size


def _free_some_pages() -> None:
    with connections[ALIAS].cursor() as cursor:
        for _ in range(_PAGES_TOGETHER):
            # One at a time: Python's sqlite3 takes a single step of a statement that
            # returns no columns, and a step frees one page.
            cursor.execute("PRAGMA incremental_vacuum(1)")


def _pragma(name: str) -> int:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return int(cursor.fetchone()[0])
