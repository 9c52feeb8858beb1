"""Recovery: the log's unsettled entries, through the same pipeline as live alerts."""

from __future__ import annotations

import logging
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from django.utils import timezone

from faults import DatabaseUnavailable, Fault, Queued
from positions.models import Lot
from trades.models import Strategy, Trade
from wal import journal
from wal.models import Entry, EntryStatus
from wal.steps import walk
from webhooks.main_database import TRANSACTION_SECONDS, ask
from webhooks.models import WebhookLog
from webhooks.outcome import Outcome
from webhooks.parking import parking_time
from webhooks.pipeline import give_up_waiting, hand_over, outcome_of
from webhooks.reading import book_of
from webhooks.waiting import Waiting

logger = logging.getLogger(__name__)

#: Entries handed over at a time.
_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Share:
    """The books that fall to one of several processes."""

    #: From 0 on.
    number: int
    of: int

    def has(self, entry: Entry) -> bool:
        """Whether the entry is of one of these books."""
        return self.may_have(book_of(entry))

    def may_have(self, label: str) -> bool:
        """Whether an entry that the log labels so may be; "" where nobody has read it yet."""
        # Not Python's own hash, which is another one in each process.
        return not label or zlib.crc32(label.encode()) % self.of == self.number


@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries to replay."""

    #: These alone, whatever their state; empty: all that want something.
    entry_ids: frozenset[int] = frozenset()
    #: Also what failed before.
    failed: bool = False
    #: Received at this time or later, UTC.
    since: datetime | None = None
    limit: int | None = None
    #: Leave what another process holds a live claim on.
    only_free: bool = False
    #: Only what wants its effect, and of that this share; `how_many` tells all of it.
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one entry."""

    entry: Entry
    #: None where it stays in the log, or where it was only looked at.
    outcome: Outcome | None
    #: Why it stays in the log, or why it failed.
    fault: Fault | None

    @property
    def is_settled_well(self) -> bool:
        """Whether nothing about it wants somebody's attention."""
        return self.outcome is not None and self.outcome.entry_status in (
            EntryStatus.COMPLETED,
            EntryStatus.DUPLICATE,
            EntryStatus.PARKED,
        )


def check_tables() -> None:
    """Raise what the main database says where tables or columns are missing there.

    Of one that is out of reach the entries tell, as they stay in the log.
    """
    try:
        ask(TRANSACTION_SECONDS)
    except (OperationalError, InterfaceError):
        return
    for model in (Strategy, Trade, Lot, WebhookLog):
        model._default_manager.first()


def chosen(choice: Choice) -> Iterator[Entry]:
    """The entries to replay, in the order of the log; exits whose time is over come last."""
    return islice(chain.from_iterable(_walks(choice)), choice.limit)


def how_many(choice: Choice) -> int:
    """The number of entries that `chosen` gives, without reading them."""
    found = sum(query.count() for query in _queries(choice))
    return found if choice.limit is None else min(found, choice.limit)


def _walks(choice: Choice) -> Iterator[Iterator[Entry]]:
    """The entries of each query; it is asked when its first entry is wanted."""
    for query in _queries(choice):
        if (share := choice.share) is None:
            yield walk(query)
        else:
            # Those of the others' books are not even read.
            yield filter(share.has, walk(query, labelled=share.may_have))


def _queries(choice: Choice) -> list[QuerySet[Entry]]:
    if choice.entry_ids:
        return [Entry.objects.filter(pk__in=choice.entry_ids)]
    if choice.share is not None:
        return [journal.unsettled()]
    entries = [journal.free() if choice.only_free else journal.unsettled()]
    if choice.failed:
        entries.append(journal.having(EntryStatus.FAILED))
    entries.append(journal.parked(before=timezone.now() - parking_time()))
    if choice.since is not None:
        entries = [query.filter(received_at__gte=choice.since) for query in entries]
    return entries


def replay(choice: Choice) -> Iterator[Replayed]:
    """Settle the chosen entries, and tell what came of each, in the order of the log.

    Stops at the first that finds the database out of reach: the rest would too.
    """
    # A claim that is alive is waited for until it would have ended.
    patience = 0.0 if choice.only_free else settings.LEASE_SECONDS + 1.0
    retry = choice.failed or bool(choice.entry_ids)
    left = sys.maxsize if choice.limit is None else choice.limit
    # Handed over before the first is waited for, so that they share transactions.
    ahead: deque[tuple[Entry, Waiting | None]] = deque()
    is_away = False
    for entries in _walks(choice):
        # A query is asked once those before it are done.
        while True:
            while not is_away and len(ahead) < min(left, _TOGETHER):
                if (entry := next(entries, None)) is None:
                    break
                waiting = None
                if entry.status != EntryStatus.PARKED:
                    waiting = hand_over(entry, patience=patience, retry_failed=retry)
                ahead.append((entry, waiting))
            if not ahead:
                break
            entry, waiting = ahead.popleft()
            left -= 1
            try:
                if waiting is None:
                    outcome = give_up_waiting(entry, patience=patience)
                else:
                    outcome = outcome_of(waiting)
            except Queued as fault:
                is_away = is_away or isinstance(fault, DatabaseUnavailable)
                yield Replayed(entry, None, fault)
            else:
                yield Replayed(entry, outcome, outcome.fault)


def line_about(replayed: Replayed) -> str:
    """What is to be said of an entry that wants attention."""
    fault = replayed.fault
    if replayed.outcome is None:
        replayed.entry.refresh_from_db(fields=["last_error"])
        return f"entry {replayed.entry.pk}: stays in the log: {replayed.entry.last_error or fault}"
    assert fault is not None
    return f"entry {replayed.entry.pk}: {replayed.outcome.log.status}: {fault.code}: {fault}"
