"""Ports of loopback for servers of tests and benchmarks, no two of which ever meet."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from pathlib import Path

from metering import take_place

#: Below those that systems give to clients (32768 and up on Linux, 49152 elsewhere), of which
#: any may be taken between the look for a free one and the server's start.
_FIRST, _LAST = 10_000, 32_000

#: Ports that a process has for itself, to be used in turn.
_BLOCK = 500


class NoPorts(Exception):
    """Every block of ports belongs to a process that still runs."""


def free_port() -> int:
    """A port nobody listens on, and that no other process is given until this one ends.

    Raises NoPorts.
    """
    ports = _ports_of(os.getpid())
    return next(port for port in ports if _is_free(port))


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        return False


@cache
def _ports_of(process: int) -> Iterator[int]:
    """A forked process has ports of its own."""
    folder = Path(tempfile.gettempdir()) / f"tradelog-ports-{os.getuid()}"
    first = _FIRST + _BLOCK * int(take_place(folder))
    if first + _BLOCK > _LAST:
        raise NoPorts(f"No block of ports is free; {folder} has their locks.")
    return cycle(range(first, first + _BLOCK))
