"""How a command that goes on and on (`--follow`) is told to stop.

On the ground floor, beside the chores that a server does: run as a service, such a command
is stopped by SIGTERM, on a terminal by Ctrl-C.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

logger = logging.getLogger(__name__)


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or Ctrl-C sets; the next one ends the process as ever.

    For the main thread, which is to finish what it has in hand once the event is set.
    """
    stop = threading.Event()
    told: SimpleQueue[bool] = SimpleQueue()
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    def forget() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    def take_note(signum: int, frame: FrameType | None) -> None:
        forget()
        # Not `stop.set()`: a handler runs in the middle of whatever its thread does, and that
        # may be holding the event's lock.
        told.put(True)

    def pass_on() -> None:
        if told.get():
            stop.set()
            logger.info("Stopping after what is in hand; told once more, at once")

    threading.Thread(target=pass_on, name="stop", daemon=True).start()
    for each in before:
        signal.signal(each, take_note)
    try:
        yield stop
    finally:
        forget()
        told.put(False)
