"""How commands are told to stop: by SIGTERM as a service, by Ctrl-C on a terminal.

On the ground floor: `manage.py` and every command that goes on and on (`--follow`).
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

logger = logging.getLogger(__name__)

#: The signals that `end_when_told` has taken note of.
_told: list[int] = []


def end_when_told() -> None:
    """Have SIGTERM and Ctrl-C end this process by way of its clean-up."""
    signal.signal(signal.SIGTERM, _take_note_and_end)
    # Who runs in the background of a shell ignores the other one.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _take_note_and_end)


def end_if_told() -> None:
    """End where a signal was to have ended us before; asked before what goes on for ever.

    What a handler raises is lost where it comes in the middle of a destructor.
    """
    if _told:
        _end(_told[0])


def _take_note_and_end(signum: int, frame: FrameType | None) -> None:
    _told.append(signum)
    _end(signum)


def _end(signum: int) -> None:
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + signum)


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or Ctrl-C sets; the next one ends the process as ever.

    For the main thread, which is to finish what it has in hand once the event is set.
    """
    end_if_told()
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
