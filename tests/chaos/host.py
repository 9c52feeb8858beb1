"""A host: one server with its workers, in a folder and on a port of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil

from benchmarks.ports import free_port
from tests.chaos.logs import WriteAheadLog
from tests.processes import kill_all

ROOT = Path(__file__).parent.parent.parent

_START_SECONDS = 60
#: The server gives requests in hand 10 seconds; PostgreSQL has to write its checkpoint.
_STOP_SECONDS = 60


class Broken(Exception):
    """The system did what it never may: it does not come up, or does not end well."""


class Host:
    """At first not running. `environment` is asked anew at each start of a process."""

    def __init__(
        self, data: Path, log: WriteAheadLog, environment: Callable[[], dict[str, str]]
    ) -> None:
        self.data = data
        self.data.mkdir()
        self.log = log
        self.port = free_port()
        self.output_path = data.with_suffix(".log")
        self._environment = environment
        self._output = self.output_path.open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start its server, and return at once."""
        assert not self.is_running
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=self._surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def wait_until_live(self) -> None:
        """Return when it answers; raise Broken if it does not come up."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_live():
            if not self.is_running or time.monotonic() > deadline:
                raise Broken(f"The server did not come up; see {self.output_path}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as a service manager does; raise Broken if it does not end well."""
        self.process.terminate()
        try:
            status = self.process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Broken(f"The server did not stop within {_STOP_SECONDS} s") from None
        if status:
            raise Broken(f"The server was stopped and ended with status {status}")

    def kill(self) -> None:
        """Kill it and its workers at once."""
        server = psutil.Process(self.process.pid)
        kill_all([server, *server.children(recursive=True)])
        self.process.wait()

    def close(self) -> None:
        """Be gone, whatever its state."""
        if self.is_running:
            self.kill()
        self._output.close()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "The server was never started"
        return self._process

    def workers(self) -> list[psutil.Process]:
        """Its worker processes, those that were not asked yet to end."""
        return [
            child
            for child in psutil.Process(self.process.pid).children()
            if any("spawn_main" in part for part in _command_line(child))
        ]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the service on its folder, beside its server or without one."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._surroundings(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def _surroundings(self) -> dict[str, str]:
        own = {
            "TRADELOG_DATA": str(self.data),
            "WAL_DATABASE_URL": self.log.url,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
        }
        return {**os.environ, **self._environment(), **own}

    def _is_live(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/health/live")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def end_stopped(process: psutil.Process) -> None:
    """Let a suspended process go on, if it is still there."""
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        os.kill(process.pid, signal.SIGCONT)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
