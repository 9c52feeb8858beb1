"""Append, claim, settle: the whole life of a log entry.

Every write goes through this process's writer (`wal.writer`); reads do not wait
for it. Times are aware UTC.
"""

from __future__ import annotations

import math
import os
import socket
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WriteTimeout
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

import deadline
from faults import LogUnavailable
from wal import lease, statements
from wal.models import UNSETTLED, Entry, EntryStatus
from wal.statements import Mark
from wal.turn import PATIENCE
from wal.writer import ALIAS, writer

T = TypeVar("T")

#: Seconds for which entries and marks wait to be committed by whoever settles entries. That
#: is less than it takes to be answered, and more than it does to settle some.
SOON = 0.01

#: Entries that one statement sets back.
_SET_BACK_TOGETHER = 5000

#: As the index of unsettled entries is written: by parameters SQLite does not see that a
#: query is about its rows, and reads the whole log.
UNSETTLED_SQL = "status IN ({})".format(", ".join(f"'{status}'" for status in UNSETTLED))

#: The states whose entries an index holds, and how it finds them.
INDEXED = {status: f"{UNSETTLED_SQL} AND status = '{status}'" for status in UNSETTLED} | {
    status: f"status = '{status}'"
    for status in (EntryStatus.PARKED, EntryStatus.FAILED, EntryStatus.DUPLICATE)
}

_HERE = f"{socket.gethostname()[:32]}/{uuid.uuid4().hex[:12]}"


def owner() -> str:
    """The name under which this process claims entries; never used by another one."""
    return f"{_HERE}/{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Appending:
    """An alert on its way to the disk."""

    #: Has its id once `done` has.
    entry: Entry
    #: Its id, once it is durable.
    done: Future[int]

    def wait(self) -> Entry:
        """The entry, once it is durable. Raises LogUnavailable, which says what is known then."""
        try:
            _wait_for(self.done)
        except WriteTimeout as error:
            if self.done.cancelled():
                raise LogUnavailable from error
            # The disk has it, and has not said whether it keeps it.
            raise LogUnavailable(
                "The log did not answer in time. Sent again, the alert counts once."
            ) from error
        except Exception as error:
            raise LogUnavailable from error
        return self.entry


def append(
    body: bytes, *, correlation_id: uuid.UUID, received_at: datetime, envelope: dict[str, Any]
) -> Appending:
    """Have an alert put on disk, claimed for this process.

    It is born claimed because whoever appends is about to apply it: that saves
    a write, and its claim ends like any other if the process dies. It is left to whoever
    applies it to commit it as well (`commit`); if none comes by SOON, the writer does.
    """
    entry = Entry(
        correlation_id=correlation_id,
        body=body,
        envelope=envelope,
        received_at=received_at,
        status=EntryStatus.PROCESSING,
        attempts=1,
        claimed_by=owner(),
        claimed_until=lease.end(),
    )
    done = writer().submit_item(statements.append, entry, durable=True, patience=SOON)
    done.add_done_callback(partial(_take_id, entry))
    return Appending(entry, done)


def commit() -> None:
    """Write what waits to be written, on this thread. Raises nothing; who waits is told."""
    writer().commit()


def claim(
    entry_ids: Collection[int], *, among: Iterable[EntryStatus] = (EntryStatus.PENDING,)
) -> set[int]:
    """Take entries, as far as no other process holds them; tell which are ours now.

    An entry whose claim has expired may always be taken: its process is dead, or
    so slow that what it still does is refused by the main database.
    """
    if not entry_ids:
        return set()
    take = partial(statements.claim, entry_ids, tuple(among), owner(), lease.end())
    # On this thread, which has nothing else to do until it knows.
    claimed = writer().submit(take, durable=False, patience=SOON)
    commit()
    return _wait_for(claimed)


def settle(marks: list[Mark]) -> Future[None]:
    """Say what became of entries; the future tells when that can be read.

    As with `append`, it is left to the caller to commit them with what comes next. Losing
    them is harmless: replay makes them again.
    """
    return writer().submit_item(statements.settle, marks, durable=False, patience=SOON)


def release(entry_id: int, *, book: str, error: str) -> None:
    """Give a claimed entry back, so that the next one to come by applies it."""
    _note(
        lambda: (
            Entry.objects.using(ALIAS)
            .filter(pk=entry_id, status=EntryStatus.PROCESSING, claimed_by=owner())
            .update(
                status=EntryStatus.PENDING,
                book=book,
                last_error=error,
                claimed_by="",
                claimed_until=None,
            )
        )
    )


def set_back(entry_ids: Sequence[int], envelopes: Mapping[int, dict[str, Any]]) -> None:
    """Let settled entries want their effect once more: all of these, durably, or none.

    `envelopes` are new ones for some of them, by id. Waits for the writer as long as it takes.
    Raises what the database raises.
    """
    write = partial(_set_back, entry_ids, envelopes)
    writer().submit(write, durable=True, limit=math.inf).result()


def _set_back(entry_ids: Sequence[int], envelopes: Mapping[int, dict[str, Any]]) -> None:
    entries = Entry.objects.using(ALIAS)
    for first in range(0, len(entry_ids), _SET_BACK_TOGETHER):
        # They keep their book: unread ones would all be read by whatever comes next.
        entries.filter(pk__in=entry_ids[first : first + _SET_BACK_TOGETHER]).exclude(
            status__in=UNSETTLED
        ).update(status=EntryStatus.PENDING, attempts=0, settled_at=None, webhook_log_id=None)
    for entry_id, envelope in envelopes.items():
        entries.filter(pk=entry_id).update(envelope=envelope)


def release_own() -> None:
    """Give back whatever this process still holds; it is about to end."""
    _write(
        lambda: (
            having(EntryStatus.PROCESSING)
            .filter(claimed_by=owner())
            .update(status=EntryStatus.PENDING, claimed_by="", claimed_until=None)
        )
    )


def check_writable() -> None:
    """Raise what keeps an entry from being appended now, if anything does."""
    _write(_append_and_take_back)


def _append_and_take_back() -> None:
    # It takes the same turn and the same lock as an append, and wants room on the disk as that
    # does: SQLite writes a page that was changed and changed back. Nobody sees it, and below
    # the first id it uses none up.
    tried = Entry(pk=0, body=b"", received_at=timezone.now())
    tried.save(using=ALIAS, force_insert=True)
    Entry.objects.using(ALIAS).filter(pk=0).delete()


def having(status: EntryStatus) -> QuerySet[Entry]:
    """Entries of a state that is `INDEXED`, in no order.

    In the order of ids, SQLite would read the whole log in that order rather than look up
    the few and sort them.
    """
    return _found_by(INDEXED[status])


def doubtful() -> QuerySet[Entry]:
    """Duplicates of which something is noted, in no order."""
    return _found_by("status = 'duplicate' AND NOT (last_error = '')")


def unsettled(book: str | None = None) -> QuerySet[Entry]:
    """Entries that still want their effect, in no order.

    With a book: that book's, and those nobody has read yet, which may be its too.
    """
    entries = _found_by(UNSETTLED_SQL)
    return entries if book is None else entries.filter(book__in=("", book))


def free() -> QuerySet[Entry]:
    """Entries that still want their effect and that nobody alive holds, in no order."""
    return _found_by(f"{UNSETTLED_SQL} AND {lease.FREE}", lease.expiry())


def parked(*, before: datetime) -> QuerySet[Entry]:
    """Exits that wait for their entry, received and parked before that time, in no order."""
    # Those from before that was noted may be told too soon; their alerts tell it as well.
    its_time = Q(settled_at__isnull=True) | Q(settled_at__lt=before)
    return having(EntryStatus.PARKED).filter(its_time, received_at__lt=before)


def _found_by(condition: str, parameters: Sequence[Any] = ()) -> QuerySet[Entry]:
    found = RawSQL(condition, parameters, output_field=BooleanField())
    return Entry.objects.using(ALIAS).filter(found)


def _take_id(entry: Entry, done: Future[int]) -> None:
    if not done.cancelled() and done.exception() is None:
        entry.pk = done.result()
        entry._state.adding, entry._state.db = False, ALIAS


def _write(statement: Callable[[], T]) -> T:
    return _wait_for(writer().submit(statement, durable=False))


def _wait_for(done: Future[T]) -> T:
    """Have a write, or see to it that nothing is written: who asked may be gone by then."""
    try:
        return done.result(timeout=deadline.left(PATIENCE))
    except WriteTimeout:
        if not done.cancel() and done.done():
            return done.result()
        raise


def _note(statement: Callable[[], object]) -> None:
    """Write what is true whenever it is written; wait for it as long as there is time."""
    done = writer().submit(statement, durable=False)
    with suppress(WriteTimeout):
        done.result(timeout=deadline.left(PATIENCE))
