"""The backlog drains by itself: a thread of the server replays what is left in the log."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import Error, close_old_connections, connections

from webhooks.main_database import TRANSACTION_SECONDS
from webhooks.replay import Choice, replay

logger = logging.getLogger(__name__)

#: Seconds between two looks at the log.
INTERVAL = 1.0


def start_draining() -> Callable[[], None]:
    """Start this process's draining thread; what is returned stops it, after its entry.

    Of all processes on one data folder one drains at a time: the one that holds
    a lock, which passes on when it dies.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_drain, args=(stop,), name="drain", daemon=True)
    thread.start()

    def stop_draining() -> None:
        stop.set()
        thread.join(timeout=2 * TRANSACTION_SECONDS)

    return stop_draining


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
    path = Path(settings.TRADELOG_DATA) / "drain.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _is_ours(lock):
            if stop.wait(INTERVAL):
                return
        while not stop.wait(INTERVAL):
            try:
                if settled := drain_once(stop):
                    logger.info("Settled %d entries that were left in the log", settled)
            except Error as error:
                logger.warning("The log cannot be read: %s", str(error).strip())
            except Exception:
                # The next look may go better, and nobody else is looking.
                logger.exception("Draining the log failed")
    finally:
        os.close(lock)
        close_old_connections()


def _is_ours(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
