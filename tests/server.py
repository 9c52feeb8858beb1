"""A real server in processes of its own, on the databases of the test run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import psutil
from django.conf import settings
from django.db import connections

from benchmarks.ports import free_port
from tests.alerts import Answer, alert
from tests.environment import TOKEN
from tests.processes import kill_all

ROOT = Path(__file__).parent.parent

#: The address of a database that nobody can reach.
NOWHERE = "postgres://postgres@%2Fnowhere/tradelog"


def databases_of_this_run() -> dict[str, str]:
    """The environment under which another process works on this run's test databases."""
    main = connections["default"].settings_dict
    user, password, host = (quote(main[name], safe="") for name in ("USER", "PASSWORD", "HOST"))
    secret = f":{password}" if password else ""
    port = f":{main['PORT']}" if main["PORT"] else ""
    return {
        "DATABASE_URL": f"postgres://{user}{secret}@{host}{port}/{main['NAME']}",
        "WAL_DATABASE_URL": f"sqlite:///{connections['wal'].settings_dict['NAME']}",
        "TRADELOG_DATA": str(settings.TRADELOG_DATA),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


class Page(NamedTuple):
    status: int
    headers: HTTPMessage
    text: str


class Server:
    """`with Server(WORKERS="2") as server: server.post(...)`; settings by keyword."""

    def __init__(self, **environment: str) -> None:
        self.port = free_port()
        self._environment = {
            **os.environ,
            **databases_of_this_run(),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            # A second one takes as long to start as the first; who needs it says so.
            "WORKERS": "1",
            **environment,
        }
        self._output = tempfile.TemporaryFile()
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error:
            error.add_note(f"The server has printed:\n{self.output}")
        self.stop()
        self._output.close()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=self._environment,
            stdout=self._output,
            stderr=self._output,
        )
        self._wait_until_live()

    def stop(self) -> None:
        """End it as a service manager does."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End all of its processes at once, with no chance to tidy up."""
        kill_all([psutil.Process(self.process.pid), *self.workers()])
        self.process.wait()

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return psutil.Process(self.process.pid).children(recursive=True)

    @property
    def output(self) -> str:
        """What it has printed so far."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def wait_until(self, condition: Callable[[], object], *, seconds: float = 30.0) -> None:
        """Wait until this is so, which it must be within these seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def wait_for_line(self, part: str) -> str:
        """Wait until it has printed this; all that it has printed then."""
        self.wait_until(lambda: part in self.output)
        return self.output

    def connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=10)

    def post(
        self, body: bytes | str | None = None, *, path: str = f"/webhook/{TOKEN}/",
        headers: dict[str, str] | None = None, connection: HTTPConnection | None = None,
        **fields: Any,
    ) -> Answer:  # fmt: skip
        """Post an alert; the connection is closed unless it is the caller's."""
        own = connection or self.connection()
        try:
            own.request(
                "POST", path, json.dumps(alert(**fields)) if body is None else body, headers or {}
            )
            response = own.getresponse()
            return Answer(response.status, json.loads(response.read()), response.headers)
        finally:
            if connection is None:
                own.close()

    def get(self, path: str) -> Answer:
        connection = self.connection()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return Answer(response.status, json.loads(response.read()), response.headers)
        finally:
            connection.close()

    def page(
        self,
        path: str,
        *,
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Page:
        """What a browser is answered; with a form, to its POST."""
        connection = self.connection()
        try:
            if form is None:
                connection.request("GET", path, headers=headers or {})
            else:
                kind = {"Content-Type": "application/x-www-form-urlencoded"}
                connection.request("POST", path, urlencode(form), {**kind, **(headers or {})})
            response = connection.getresponse()
            return Page(response.status, response.headers, response.read().decode())
        finally:
            connection.close()

    def _wait_until_live(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = self.connection()
                connection.request("GET", "/health/live")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            finally:
                connection.close()
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not come up:\n{self.output}")
            time.sleep(0.05)
