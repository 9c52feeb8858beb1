"""The one way for an alert to reach a position.

The live path appends an entry to the log and then settles its book's entries up
to its own. Recovery does the second half alone. Within a process the threads of
one book line up at a gate; between processes the log's claims decide; and should
a claim expire under somebody who is merely slow, the book's lock and the unique
columns of the main database still let only one effect through.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import TimeoutError as WriteTimeout
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, OperationalError

import deadline
from faults import DatabaseUnavailable, Fault, ProcessingError, Queued
from wal import journal
from wal.models import Entry, EntryStatus
from webhooks.applying import NO_BOOK, Reading, apply, read
from webhooks.credentials import cut_tokens_from_text
from webhooks.frontdoor import Delivery
from webhooks.main_database import is_unreachable, transact
from webhooks.models import WebhookLog
from webhooks.observation import lines_about, observe
from webhooks.outcome import Outcome, settled_as
from webhooks.parking import parking_time

logger = logging.getLogger(__name__)

#: What a write to the log can raise.
LOG_TROUBLE = (DatabaseError, WriteTimeout)

#: Seconds of an answer's time that are not spent on waiting for others.
_SETTLING_SECONDS = 0.2 * settings.ANSWER_SECONDS

#: Seconds between two looks at an entry that another process is working on.
_POLL_SECONDS = 0.004

#: The gates of this process, shared out among books by hash: two books at one gate
#: only take turns.
_GATES = tuple(threading.Lock() for _ in range(512))


def receive(delivery: Delivery, *, correlation_id: uuid.UUID, received_at: datetime) -> Outcome:
    """Take an alert: append it to the log, then give it its effect.

    Raises LogUnavailable if nothing was accepted, and Queued if the alert is
    safe in the log but has no effect yet.
    """
    with deadline.within(settings.ANSWER_SECONDS):
        entry = journal.append(
            delivery.body,
            correlation_id=correlation_id,
            received_at=received_at,
            envelope={
                "token": delivery.token.name,
                "strategies": sorted(delivery.token.strategies),
                "address": delivery.address,
                "given_key": delivery.given_key,
                **({"via_mail": True} if delivery.via_mail else {}),
            },
        )
        patience = deadline.left(settings.ANSWER_SECONDS) - _SETTLING_SECONDS
        return settle_through(entry, patience=patience)


def settle_through(
    entry: Entry, *, patience: float, retry_failed: bool = False, give_up: bool = False
) -> Outcome:
    """Apply the unsettled entries of this entry's book up to and with itself, in log order.

    Waits up to `patience` seconds for other processes that hold some of them.
    Raises Queued (or DatabaseUnavailable, ProcessingError) if this entry has to
    wait longer; it is then free for the next one who comes by. With
    `retry_failed` an alert that failed is tried once more, with `give_up` an exit whose
    time to wait is over fails.
    """
    limit = time.monotonic() + patience
    reading = read(entry)
    _books.note(entry, reading)
    with lines_about(entry, reading.book):
        try:
            if reading.book == NO_BOOK:
                _take(entry, limit)
                return _settle(entry, reading)
            with _gate(reading.book, limit):
                for older in _older(entry, reading.book, limit):
                    _take(older, limit)
                    _settle_older(older)
                _take(entry, limit)
                return _settle(entry, reading, retry_failed=retry_failed, give_up=give_up)
        except Exception as error:
            fault = _as_queued(error)
            fault.ids = {"wal_id": entry.pk}
            _give_back(entry, reading.book, fault, error)
            if fault is error:
                raise
            raise fault from error


def give_up_waiting(entry: Entry, *, patience: float) -> Outcome:
    """Settle a parked entry whose time is over, once nothing is left that could bring its entry.

    Raises Queued as `settle_through` does.
    """
    book = read(entry).book
    in_time = journal.unsettled(book).filter(received_at__lte=entry.received_at + parking_time())
    for waiting in journal.walk(in_time):
        if _books.of(waiting) == book:
            settle_through(waiting, patience=patience)
    return settle_through(entry, patience=patience, give_up=True)


def _older(entry: Entry, book: str, limit: float) -> Iterator[Entry]:
    """The book's unsettled entries before this one, as long as there is time for them."""
    for older in journal.walk(journal.unsettled(book, up_to=entry.pk - 1)):
        if _books.of(older) == book:
            if time.monotonic() >= limit:
                raise Queued
            yield older


def _take(entry: Entry, limit: float) -> None:
    """Make sure this process holds the claim, waiting while another one does.

    An entry that somebody else has settled meanwhile needs no claim: applying it
    finds the effect it had.
    """
    while True:
        if entry.status == EntryStatus.PROCESSING and entry.claimed_by == journal.owner():
            return
        if entry.status in (EntryStatus.COMPLETED, EntryStatus.DUPLICATE):
            return
        if journal.claim(entry.pk, among=(EntryStatus.PENDING, EntryStatus(entry.status))):
            return
        if time.monotonic() >= limit:
            raise Queued
        time.sleep(_POLL_SECONDS)
        entry.refresh_from_db(fields=["status", "claimed_by", "claimed_until"])


def _settle_older(entry: Entry) -> None:
    reading = read(entry)
    with lines_about(entry, reading.book):
        try:
            _settle(entry, reading)
        except Exception as error:
            fault = _as_queued(error)
            _give_back(entry, reading.book, fault, error)
            if isinstance(fault, DatabaseUnavailable):
                raise
            # The fault is the older entry's; this one merely has to follow it.
            raise Queued from error


def _settle(
    entry: Entry, reading: Reading, *, retry_failed: bool = False, give_up: bool = False
) -> Outcome:
    outcome = transact(lambda: apply(entry, reading, retry_failed=retry_failed, give_up=give_up))
    _mark(entry.pk, entry.correlation_id, reading.book, outcome.entry_status, outcome.log)
    observe(outcome)
    for log in outcome.released:
        _mark(log.wal_id, log.correlation_id, reading.book, settled_as(log), log)
    return outcome


def _mark(
    entry_id: int, correlation_id: uuid.UUID, book: str, status: EntryStatus, log: WebhookLog
) -> None:
    try:
        journal.settle(
            entry_id,
            status,
            webhook_log_id=log.pk,
            book=book,
            error=f"{log.error_code}: {log.error_message}" if log.error_code else "",
            correlation_id=correlation_id,
        )
    except LOG_TROUBLE:
        # The effect is there and the alert will not be applied twice; replay marks it.
        logger.warning("Log entry %s could not be marked as %s", entry_id, status)


def _as_queued(error: Exception) -> Queued:
    """What keeps an entry in the log for later; the one place that tells whose fault it is."""
    if isinstance(error, Queued):
        return error
    if is_unreachable(error):
        logger.warning("The database is out of reach: %s", str(error).strip())
        return DatabaseUnavailable()
    if isinstance(error, OperationalError):
        return Queued("Something else holds what this alert needs; it is tried again.")
    return ProcessingError()


def _give_back(entry: Entry, book: str, fault: Fault, error: Exception) -> None:
    # An entry that cannot be applied is tried again every second; a line each is too much.
    if isinstance(fault, ProcessingError) and entry.attempts in (0, 1, 10, 100, 1000):
        logger.error(
            "Log entry %s could not be applied",
            entry.pk,
            exc_info=error,
            extra={"error_code": fault.code},
        )
    # The answer says the code; what the database said is for whoever reads the log.
    reason = fault.message if error is fault else f"{type(error).__name__}: {error}"
    try:
        journal.release(entry.pk, book=book, error=cut_tokens_from_text(f"{fault.code}: {reason}"))
    except LOG_TROUBLE:
        logger.warning("Log entry %s stays claimed until its lease ends", entry.pk)


@contextmanager
def _gate(book: str, limit: float) -> Iterator[None]:
    gate = _GATES[zlib.crc32(book.encode()) % len(_GATES)]
    if not gate.acquire(timeout=max(0.0, limit - time.monotonic())):
        raise Queued
    try:
        yield
    finally:
        gate.release()


class _Books:
    """The books of entries this process has read, so that each is read for it once."""

    #: More than can be open at once in one process.
    _MOST = 10_000

    def __init__(self) -> None:
        self._read: OrderedDict[uuid.UUID, str] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, entry: Entry, reading: Reading) -> None:
        with self._lock:
            self._read[entry.correlation_id] = reading.book
            if len(self._read) > self._MOST:
                self._read.popitem(last=False)

    def of(self, entry: Entry) -> str:
        """The book of an entry, by its label where it has one."""
        if entry.book:
            return entry.book
        book = self._read.get(entry.correlation_id)
        if book is None:
            reading = read(entry)
            self.note(entry, reading)
            book = reading.book
        return book


_books = _Books()
