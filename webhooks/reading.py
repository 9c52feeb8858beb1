"""Log entries, read: which signal, of which book."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from faults import Fault, InvalidJSON, InvalidPayload, ProcessingError
from wal.models import Entry
from webhooks.models import WebhookLog
from webhooks.payload import parse
from webhooks.signal import Signal

#: The label of entries that belong to no book, because nobody can read them.
NO_BOOK = "-"

#: Given so that the one in the message is not looked at.
_ANY_KEY: Final = "-"


@dataclass(frozen=True)
class Reading:
    """An entry, read: its signal, or the fault that kept it from being one."""

    signal: Signal | None
    fault: Fault | None

    @cached_property
    def book(self) -> str:
        """What the log labels the entry with, and what orders it among others."""
        return self.signal.book if self.signal else NO_BOOK


def read(entry: Entry) -> Reading:
    """Read an entry; pure, so it comes to the same whenever it is done. Raises nothing."""
    return _read(bytes(entry.body), entry.envelope.get("given_key", ""))


def read_again(log: WebhookLog) -> Reading:
    """Read an alert that has its row from there. Raises nothing.

    All but its key, which the row does not keep as it was given (a header goes before the
    message's field, whatever is in that): `given_key` tells nothing.
    """
    return _read(log.payload.encode(), _ANY_KEY)


def _read(body: bytes, given_key: str) -> Reading:
    try:
        return Reading(parse(body, given_key), None)
    except (InvalidJSON, InvalidPayload) as fault:
        return Reading(None, fault)
    except Exception as error:
        # A fault of ours. Who appended it is told that it stays in the log, and other
        # books do not stop at it.
        unread = ProcessingError()
        unread.__cause__ = error
        return Reading(None, unread)


class BooksRead:
    """The books of entries that this process has read, so that each is read for it once."""

    #: More than can be open at once in one process.
    _MOST = 10_000

    def __init__(self) -> None:
        self._books: OrderedDict[uuid.UUID, str] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, entry: Entry, reading: Reading) -> None:
        """Remember what was found."""
        with self._lock:
            self._books[entry.correlation_id] = reading.book
            if len(self._books) > self._MOST:
                self._books.popitem(last=False)

    def get(self, correlation_id: uuid.UUID) -> str | None:
        """The book of an entry; None where this process has not read it."""
        return self._books.get(correlation_id)


books_read = BooksRead()


def book_of(entry: Entry) -> str:
    """The book of an entry; reads it where neither the log nor this process knows it yet."""
    return entry.book or books_read.get(entry.correlation_id) or read_book(entry)


def read_book(entry: Entry) -> str:
    """The book of an entry that nobody has read yet."""
    reading = read(entry)
    books_read.note(entry, reading)
    return reading.book
