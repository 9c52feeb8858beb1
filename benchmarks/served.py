"""The servers that are compared, each a real process on a database of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

import psutil

from benchmarks.installation import ROOT, TOKEN, Installation
from benchmarks.ports import free_port
from tradelog.embedded import DATABASE

_START_SECONDS = 60
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Server:
    """A way to take alerts over HTTP."""

    #: Also the name of its database, but for the service itself.
    name: str
    title: str
    path: str
    command: Callable[[int], tuple[str, ...]]
    #: What is asked to tell that it is up.
    live: str
    has_log: bool = False
    #: Whether it answers only once an alert is kept.
    is_honest: bool = True

    @property
    def database(self) -> str:
        return DATABASE if self.has_log else self.name

    def unsettled(self, installation: Installation) -> int:
        """Entries in its log that still want their effect."""
        if not self.has_log:
            return 0
        with closing(sqlite3.connect(installation.folder / "wal.sqlite3")) as log:
            counted = "SELECT count(*) FROM webhook_wal WHERE status IN ('pending', 'processing')"
            return int(log.execute(counted).fetchone()[0])

    def wait_until_settled(self, installation: Installation) -> None:
        """Return when what it has acknowledged has had its effect, or raise RuntimeError."""
        deadline = time.monotonic() + _START_SECONDS
        while unsettled := self.unsettled(installation):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.title}: {unsettled} entries stay in the log")
            time.sleep(0.05)


def _plain(port: int) -> tuple[str, ...]:
    return ("-m", "benchmarks.plain_server", str(port))


TRADELOG = Server(
    "tradelog",
    "tradelog, HTTP to committed",
    f"/webhook/{TOKEN}/",
    lambda port: ("manage.py", "serve", f"--port={port}"),
    "/health/live",
    has_log=True,
)
PLAIN = Server("plain", "plain Django view", "/plain/", _plain, "/plain/")
QUEUE = Server("queue", "plain, queue in memory", "/queue/", _plain, "/queue/", is_honest=False)


class Running:
    """A server while it runs."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, server: Server) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}{server.path}"

    def processes(self) -> list[psutil.Process]:
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        """Those that answer requests."""
        found = [one for one in self.processes() if "spawn_main" in " ".join(one.cmdline())]
        return found

    def kill(self) -> None:
        """End all of it at once, with no chance to write what it still holds."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


@contextmanager
def running(
    server: Server, installation: Installation, *, tracer: tuple[str, ...] = (), **environment: str
) -> Iterator[Running]:
    """Start it, wait until it answers, stop it at the end."""
    port = free_port()
    if not server.has_log:
        installation.copy_database(server.database)
        environment = {"DATABASE_URL": installation.url(server.database), **environment}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*tracer, sys.executable, *server.command(port)],
            cwd=ROOT,
            env=installation.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            if not _wait_until_up(process, port, server.live):
                raise RuntimeError(f"{server.title} does not run")
            yield Running(process, port, server)
        except Exception as error:
            # What went wrong with it, it may have told.
            state = "runs" if process.poll() is None else f"ended with {process.returncode}"
            output.seek(0)
            told = output.read().decode(errors="replace")
            error.add_note(f"{server.title} {state}; it has printed:\n{told}")
            raise
        finally:
            _stop(process)


def _wait_until_up(process: subprocess.Popen[bytes], port: int, path: str) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status < 500:
                time.sleep(1)  # for the second worker
                return True
        except (OSError, HTTPException):
            time.sleep(0.05)
        finally:
            connection.close()
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
