"""Ports of loopback for servers of tests and benchmarks, no two of which ever meet."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from pathlib import Path

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
    folder.mkdir(exist_ok=True)
    for first in range(_FIRST, _LAST, _BLOCK):
        # Open until the process ends, which gives the block back, however it ends.
        claim = os.open(folder / str(first), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(claim)
            continue
        return cycle(range(first, first + _BLOCK))
    raise NoPorts(f"No block of ports is free; {folder} has their locks.")
