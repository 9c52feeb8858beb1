"""Whose turn it is to write to the log, decided fairly between processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turnstile:
    """A lock between processes in which nobody is overtaken for long.

    SQLite's own lock is taken by whoever happens to try at the right moment; a
    process that sleeps between its tries can lose for seconds. Here a writer
    first holds the turnstile, then waits for the lock itself. Whoever has just
    written and wants to write again finds the turnstile held by the one who
    waits, and so comes after it.

    Both locks are flocks: they vanish with their process, however it dies.
    """

    def __init__(self, path: Path) -> None:
        self._turnstile = os.open(f"{path}-turnstile", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this process's turn. One thread of a process at a time may call it."""
        fcntl.flock(self._turnstile, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._turnstile)
        os.close(self._lock)
