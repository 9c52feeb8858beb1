"""The system under test: a real server, its PostgreSQL, its log, and the line between them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil

from tests.chaos.proxy import Proxy
from tradelog.embedded import DATABASE, PORT, Cluster
from tradelog.postgres_programs import SUPERUSER

ROOT = Path(__file__).parent.parent.parent
TOKEN = "chaos-0123456789abcdef0123456789"

#: Short, so that what a killed process held is soon free.
LEASE_SECONDS = 1

_START_SECONDS = 60
#: The server gives requests in hand 10 seconds; PostgreSQL has to write its checkpoint.
_STOP_SECONDS = 60


class Broken(Exception):
    """The system did what it never may: it does not come up, or does not end well."""


class System:
    """Everything in one folder, at first stopped.

    Until `connect_through_proxy` the server runs PostgreSQL itself, as users have it; from
    then on it reaches the same PostgreSQL through a proxy, and the suite runs PostgreSQL.
    """

    def __init__(self, folder: Path, *, park_seconds: int) -> None:
        self.park_seconds = park_seconds
        self.data = folder / "data"
        self.data.mkdir()
        self.cluster = Cluster(self.data / "postgres")
        self.proxy = Proxy(self.cluster.socket_directory / f".s.PGSQL.{PORT}")
        self.log_path = self.data / "wal.sqlite3"
        self.output_path = folder / "server.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.is_through_proxy = False
        self._output = self.output_path.open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> System:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if self._process and self._process.poll() is None:
                self.kill_server()
            self.cluster.stop()
        finally:
            self.proxy.close()
            self._output.close()

    # --- The server ---

    def start_server(self) -> None:
        """Start it, and return at once."""
        assert self._process is None or self._process.poll() is not None
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def wait_until_live(self) -> None:
        """Return when it answers; raise Broken if it does not come up."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_live():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Broken(f"The server did not come up; see {self.output_path}")
            time.sleep(0.05)

    def stop_server(self) -> None:
        """Stop it as a service manager does; raise Broken if it does not end well."""
        self.process.terminate()
        try:
            status = self.process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Broken(f"The server did not stop within {_STOP_SECONDS} s") from None
        if status:
            raise Broken(f"The server was stopped and ended with status {status}")

    def kill_server(self) -> None:
        """Kill it and its workers at once."""
        server = psutil.Process(self.process.pid)
        for process in (server, *server.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def workers(self) -> list[psutil.Process]:
        """Its worker processes, those that were not asked yet to end."""
        return [
            child
            for child in psutil.Process(self.process.pid).children()
            if any("spawn_main" in part for part in _command_line(child))
        ]

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "The server was never started"
        return self._process

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the service beside it."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    # --- PostgreSQL ---

    @property
    def database(self) -> str:
        """Where the suite itself reaches PostgreSQL, as libpq has it: past the proxy."""
        folder = self.cluster.socket_directory
        return f"host='{folder}' port={PORT} user={SUPERUSER} dbname={DATABASE}"

    def postgres_processes(self) -> list[psutil.Process]:
        """The server of the data folder and its children, the postmaster first."""
        postmaster = int((self.cluster.path / "postmaster.pid").read_text().split()[0])
        parent = psutil.Process(postmaster)
        return [parent, *parent.children()]

    def connect_through_proxy(self) -> None:
        """From the next start of the server on; the server must be stopped."""
        self.is_through_proxy = True
        self.cluster.start()

    def bring_database_back(self) -> None:
        """Start PostgreSQL again where that is the suite's part; else the server does it."""
        if self.is_through_proxy:
            self.cluster.start()

    def _environment(self) -> dict[str, str]:
        through_proxy = f"postgres://{SUPERUSER}@127.0.0.1:{self.proxy.port}/{DATABASE}"
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tradelog.settings",
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": "a-key-for-chaos-alone-0123456789-0123456789-0123456789",
            "DEBUG": "false",
            "TRADELOG_DATA": str(self.data),
            # Empty, not absent: an `.env` file must not set them.
            "DATABASE_URL": through_proxy if self.is_through_proxy else "",
            "WAL_DATABASE_URL": "",
            "CACHE_URL": "",
            "WEBHOOK_TOKENS": f"chaos:{TOKEN}",
            "WEBHOOK_RATE": "1000000/m",
            "WEBHOOK_TOKEN_RATE": "",
            "WEBHOOK_ALLOWED_IPS": "",
            "TRUSTED_PROXIES": "",
            "ALERT_URLS": "",
            "ALLOWED_HOSTS": "127.0.0.1",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "WORKERS": "2",
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "PARK_SECONDS": str(self.park_seconds),
        }

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
