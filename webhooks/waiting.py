"""Entries in the settler's hands, and how they are given back to the log."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property, partial

from django.db import OperationalError

import metering
from faults import DatabaseUnavailable, LogUnavailable, ProcessingError, Queued
from wal import journal
from wal.journal import Appending
from wal.models import Entry
from webhooks.credentials import cut_tokens_from_text
from webhooks.main_database import (
    LONGEST_SECONDS,
    TRANSACTION_SECONDS,
    is_unreachable,
    took_too_long,
)
from webhooks.observation import lines_about
from webhooks.outcome import Outcome
from webhooks.reading import books_read, read
from webhooks.wanted import Wanted

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Waiting:
    """An entry in the settler's hands."""

    entry: Entry
    #: Until when it waits for other processes, on time.monotonic()'s clock.
    limit: float
    #: None where it has been in the log before.
    appending: Appending | None = None
    #: As `Wanted` has them.
    retry_failed: bool = False
    give_up: bool = False
    #: Its outcome, or the Queued that it was given back with; LogUnavailable where it could
    #: not be appended.
    done: Future[Outcome] = field(default_factory=Future)
    #: Whether it is being applied, and so cannot be taken back.
    is_in_hand: bool = False
    is_abandoned: bool = False

    def __post_init__(self) -> None:
        if self.appending is not None:
            self.appending.done.add_done_callback(
                partial(self._tell_unless_appended, self.appending)
            )

    def _tell_unless_appended(self, appending: Appending, _: Future[int]) -> None:
        try:
            appending.wait()
        except LogUnavailable as unavailable:
            self.done.set_exception(unavailable)

    @cached_property
    def wanted(self) -> Wanted:
        """What it asks for; read from it when first asked, which is once it is in the log."""
        with metering.parsing.time():
            reading = read(self.entry)
        books_read.note(self.entry, reading)
        return Wanted(self.entry, reading, retry_failed=self.retry_failed, give_up=self.give_up)

    @property
    def book(self) -> str:
        """What the log labels the entry with."""
        return self.wanted.reading.book

    @property
    def seconds_alone(self) -> float:
        """How long a transaction may take that it is alone in.

        Where no request waits for it, twice as long for each time it was tried before: the last
        time may have been too short, and will not be by and by.
        """
        if self.appending is not None:
            return TRANSACTION_SECONDS
        before: int = min(self.entry.attempts, 99)
        return min(LONGEST_SECONDS, TRANSACTION_SECONDS * 2.0**before)


def give_back(waiting: Waiting, fault: Queued, error: Exception | None = None) -> None:
    """Free a claimed entry, which stays in the log for the next one who comes by."""
    entry, error = waiting.entry, error or fault
    fault.ids = {"wal_id": entry.pk}
    with lines_about(entry, waiting.book):
        # An entry that cannot be applied is tried again every second; a line each is too much.
        if isinstance(fault, ProcessingError) and entry.attempts in (0, 1, 10, 100, 1000):
            logger.error(
                "Log entry %s could not be applied",
                entry.pk,
                exc_info=error,
                extra={"error_code": fault.code},
            )
        # The answer says the code; what the database said is for whoever reads the log.
        reason = fault.message if isinstance(error, Queued) else f"{type(error).__name__}: {error}"
        told = cut_tokens_from_text(f"{fault.code}: {reason}")
        try:
            journal.release(entry.pk, book=waiting.book, error=told)
        except Exception:
            # Whatever it is: who waits wants to be told, and the settler to go on.
            logger.warning("Log entry %s stays claimed until its lease ends", entry.pk)


def as_queued(error: Exception) -> Queued:
    """What keeps an entry in the log for later; the one place that tells whose fault it is."""
    if isinstance(error, Queued):
        return type(error)(error.message)
    if is_unreachable(error):
        reason = str(error).strip() or type(error).__name__
        logger.warning("The database is out of reach: %s", reason)
        return DatabaseUnavailable()
    if took_too_long(error):
        return Queued("It takes longer than a transaction may; it is tried again, with more time.")
    if isinstance(error, OperationalError):
        return Queued("Something else holds what this alert needs; it is tried again.")
    return ProcessingError()
