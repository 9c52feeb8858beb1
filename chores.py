"""Work that a server does beside its requests, over and over, in one process at a time.

On the ground floor: draining the log, watching for trouble and reading mail are each such
a chore, and each is a thread of every worker process, of which one at a time is at work.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import Error, close_old_connections

logger = logging.getLogger(__name__)


def start_chore(
    name: str, work: Callable[[threading.Event], None], *, every: float, patience: float
) -> Callable[[], None]:
    """Do `work` every so many seconds; what is returned stops it, within `patience` seconds.

    `work` is given an event and returns soon once that is set. What it raises is told in
    the log lines, and it is done again all the same. Of all processes on one data folder
    one works at a time: the one that holds the lock `name`, which passes on when it dies.
    """
    stop = threading.Event()
    thread = threading.Thread(
        target=_repeat, args=(name, work, every, stop), name=name, daemon=True
    )
    thread.start()

    def stop_chore() -> None:
        stop.set()
        thread.join(timeout=patience)

    return stop_chore


def _repeat(
    name: str, work: Callable[[threading.Event], None], every: float, stop: threading.Event
) -> None:
    with sole(name) as is_ours:
        while not is_ours():
            if stop.wait(every):
                return
        while not stop.wait(every):
            try:
                work(stop)
            except Error as error:
                logger.warning(
                    "%s: a database is out of reach: %s", name.capitalize(), str(error).strip()
                )
            except Exception:
                # The next time may go better, and nobody else does it.
                logger.exception("%s failed", name.capitalize())
            finally:
                close_old_connections()


@contextmanager
def sole(name: str) -> Iterator[Callable[[], bool]]:
    """Asks, each time it is called, for the chore's lock: whether this process has it.

    Held until the end, or until the process dies.
    """
    path = Path(settings.TRADELOG_DATA) / f"{name}.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield lambda: _is_ours(lock)
    finally:
        os.close(lock)


def _is_ours(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
