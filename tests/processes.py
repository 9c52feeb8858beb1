"""Processes that are killed together, suspended, or waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import psutil

T = TypeVar("T")


def eventually(condition: Callable[[], T]) -> T:
    """Wait until this is so; what it says then."""
    deadline = time.monotonic() + 60
    while not (result := condition()):
        assert time.monotonic() < deadline, "it has not come about"
        time.sleep(0.005)
    return result


def kill_all(doomed: Iterable[psutil.Process]) -> None:
    """Kill them in this order; some may have ended by themselves, or with one before them."""
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def suspend(pid: int) -> None:
    """Suspend a process; on return none of its threads runs any more.

    The signal alone is on its way: on a busy machine a thread goes on for milliseconds.
    """
    process = psutil.Process(pid)
    process.suspend()
    deadline = time.monotonic() + 20
    while not all(
        psutil.Process(thread.id).status() == psutil.STATUS_STOPPED for thread in process.threads()
    ):
        assert time.monotonic() < deadline, f"Process {pid} cannot be suspended"
        time.sleep(0.001)
