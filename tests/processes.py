"""Processes that are killed together."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil


def kill_all(doomed: Iterable[psutil.Process]) -> None:
    """Kill them in this order; some may have ended by themselves, or with one before them."""
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
