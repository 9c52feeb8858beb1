"""The backlog drains by itself: a chore of the server replays what is left in the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import connections

from chores import start_chore
from webhooks.main_database import TRANSACTION_SECONDS
from webhooks.replay import Choice, replay

logger = logging.getLogger(__name__)

#: Seconds between two looks at the log.
INTERVAL = 1.0


def start_draining() -> Callable[[], None]:
    """Start this process's draining; what is returned stops it, after its entry."""
    return start_chore("drain", _drain, every=INTERVAL, patience=2 * TRANSACTION_SECONDS)


def drain_once(stop: threading.Event | None = None) -> int:
    """Settle what is free in the log now; tell how many entries came to their end."""
    settled = 0
    try:
        for replayed in replay(Choice(only_free=True)):
            if replayed.outcome is not None:
                settled += 1
            if stop and stop.is_set():
                break
    finally:
        connections["default"].close()
    return settled


def _drain(stop: threading.Event) -> None:
    if settled := drain_once(stop):
        logger.info("Settled %d entries that were left in the log", settled)
