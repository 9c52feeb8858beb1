"""Alerts that were refused by rate: that they were there, and of which book.

A refused alert is in no log, and TradingView gives it up after its fourth try. Its row
here is what an audit finds where a trade is missing.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future

from django.utils import timezone

from wal.models import Refusal
from wal.writer import ALIAS, writer

logger = logging.getLogger(__name__)

#: Rows that may wait for the writer; what comes on top has its line in the server's log.
_MOST_WAITING = 1000

_room = threading.BoundedSemaphore(_MOST_WAITING)


def record(*, book: str, token_name: str, address: str) -> None:
    """Have a refusal written, without waiting for it and without an fsync; never raises.

    `book` is the label log entries have, "" where the alert told none.
    """
    if not _room.acquire(blocking=False):
        return
    refused_at = timezone.now()

    def insert() -> None:
        Refusal.objects.using(ALIAS).create(
            refused_at=refused_at, book=book, token_name=token_name, address=address or None
        )

    writer().submit(insert, durable=False).add_done_callback(_end)


def _end(done: Future[None]) -> None:
    _room.release()
    if (error := done.exception()) is not None:
        logger.warning("A refusal could not be recorded: %s", str(error).strip())
