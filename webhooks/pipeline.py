"""The one way for an alert to reach a position.

The live path appends an entry to the log and then has it settled, after the older entries
of its book. Recovery does the second half alone. Within a process the settler orders what
waits (webhooks.settler); between processes the log's claims decide; and should a claim
expire under somebody who is merely slow, the book's lock and the unique columns of the
main database still let only one effect through.
"""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import TimeoutError as TooLong
from datetime import datetime

from django.conf import settings

import deadline
import metering
from faults import Fault, ProcessingError, Queued
from wal import journal
from wal.journal import Appending
from wal.models import Entry
from wal.steps import walk
from webhooks.frontdoor import Delivery
from webhooks.observation import tell_entry
from webhooks.outcome import Outcome
from webhooks.parking import parking_time
from webhooks.reading import book_of, read
from webhooks.settler import settler
from webhooks.waiting import Waiting, give_back

#: Seconds of an answer's time that are not spent on waiting for others.
_SETTLING_SECONDS = 0.2 * settings.ANSWER_SECONDS


def receive(delivery: Delivery, *, correlation_id: uuid.UUID, received_at: datetime) -> Outcome:
    """Take an alert: append it to the log, then give it its effect.

    Raises LogUnavailable if nothing was accepted, and Queued if the alert is
    safe in the log but has no effect yet (ProcessingError where that is a fault of ours). What
    can never have one is told as such then too: its sender need not wait for the database to
    hear of it.
    """
    with deadline.within(settings.ANSWER_SECONDS):
        appending = journal.append(
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
        try:
            return _outcome_of_new(appending)
        except Fault:
            raise
        except Exception as error:
            # What is in the log is not to be sent again.
            ours = ProcessingError()
            ours.ids = {"wal_id": appending.wait().pk}
            raise ours from error


def _outcome_of_new(appending: Appending) -> Outcome:
    begun = time.perf_counter()
    appending.done.add_done_callback(
        lambda _: metering.appending.observe(time.perf_counter() - begun)
    )
    patience = deadline.left(settings.ANSWER_SECONDS) - _SETTLING_SECONDS
    waiting = hand_over(appending.entry, patience=patience, appending=appending)
    try:
        return outcome_of(waiting)
    except Queued as queued:
        if (refusal := waiting.wanted.refusal) is None:
            raise
        refusal.ids = queued.ids
        raise refusal from None
    finally:
        tell_entry(appending.entry, waiting.book)


def settle_through(entry: Entry, *, patience: float, give_up: bool = False) -> Outcome:
    """Settle the entries of this entry's book up to and with itself, in log order.

    Waits up to `patience` seconds for other processes that hold some of them.
    Raises Queued (or DatabaseUnavailable, ProcessingError) if this entry has to
    wait longer; it is then free for the next one who comes by. With
    `give_up` an exit whose time to wait is over fails.
    """
    return outcome_of(hand_over(entry, patience=patience, give_up=give_up))


def hand_over(
    entry: Entry,
    *,
    patience: float,
    retry_failed: bool = False,
    give_up: bool = False,
    appending: Appending | None = None,
) -> Waiting:
    """As `settle_through`, and wait for nothing; `outcome_of` tells what came of it.

    With `retry_failed` an alert that failed is tried once more.
    """
    waiting = Waiting(
        entry,
        limit=time.monotonic() + patience,
        appending=appending,
        retry_failed=retry_failed,
        give_up=give_up,
    )
    if appending is None:
        # It is in the log, so it can be read now, while the settler waits for the database.
        _ = waiting.wanted
    settler().submit(waiting)
    return waiting


def outcome_of(waiting: Waiting) -> Outcome:
    """What came of an entry, waited for until the deadline where there is one.

    Raises Queued, or LogUnavailable if nothing was accepted.
    """
    try:
        return waiting.done.result(timeout=deadline.left(threading.TIMEOUT_MAX))
    except TooLong:
        if waiting.appending is not None:
            waiting.appending.wait()  # No longer: what is not on disk by now is not accepted.
        late = Queued("It is in the log; its turn did not come in time, so it is applied later.")
        if settler().abandon(waiting):
            give_back(waiting, late)
        elif waiting.done.done():
            return waiting.done.result()  # It came just now.
        late.ids = {"wal_id": waiting.entry.pk}
        raise late from None


def give_up_waiting(entry: Entry, *, patience: float) -> Outcome:
    """Settle a parked entry whose time is over, once nothing is left that could bring its entry.

    Raises Queued as `settle_through` does.
    """
    book = read(entry).book
    in_time = journal.unsettled(book).filter(received_at__lte=entry.had_at + parking_time())
    for waiting in walk(in_time):
        if book_of(waiting) == book:
            settle_through(waiting, patience=patience)
    return settle_through(entry, patience=patience, give_up=True)
