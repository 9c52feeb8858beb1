"""The worker processes: killed, stopped, orphaned; with real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.processes import eventually, suspend
from tests.server import ROOT
from tradelog.serving import listen
from tradelog.workers import STOP_SECONDS

RUN = """
import os, socket
from tradelog.workers import run_workers
if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    run_workers(listener, os.environ["TARGET"], workers=2, threads=4)
"""


#: The second signal comes in the moment in which the first one's is taken note of.
TOLD_AGAIN = """
import os, signal, threading
from granian.server.mp import MPServer

class Interrupt(threading.Event):
    def wait(self, timeout=None):
        super().wait(timeout)
        with self._cond:
            os.kill(os.getpid(), signal.SIGTERM)

make = MPServer.__init__

def __init__(self, **options):
    make(self, **options)
    self.main_loop_interrupt = Interrupt()

MPServer.__init__ = __init__
"""

APPLICATION = "tests.tradelog.patient_application:application"


class Workers:
    """run_workers in a process of its own, with two workers."""

    def __init__(self, folder: Path, target: str, *, before: str = "") -> None:
        self.folder = folder
        script = folder / "run.py"
        script.write_text(before + RUN)
        self.output = open(folder / "output.txt", "w+")
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TARGET": target, "FOLDER": str(folder)},
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.port = int(eventually(self.printed))

    def printed(self) -> str:
        return Path(self.output.name).read_text()

    def get(self, path: str = "/") -> int:
        """The id of the process that answered."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            return int(connection.getresponse().read())
        finally:
            connection.close()

    def both(self) -> set[int]:
        """The ids of both workers, once both answer."""
        found: set[int] = set()

        def complete() -> bool:
            found.add(self.get())
            return len({pid for pid in found if is_alive(pid)}) == 2

        eventually(complete)
        return {pid for pid in found if is_alive(pid)}


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    running = Workers(tmp_path, APPLICATION)
    yield running
    running.process.kill()
    running.process.wait()
    running.output.close()


def is_dead(pid: int) -> bool:
    return not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_killed_worker_is_replaced_however_often(workers: Workers) -> None:
    before = workers.both()
    victim = min(before)
    for _ in range(3):  # Granian by itself gives up at the second within five seconds.
        os.kill(victim, signal.SIGKILL)
        after = workers.both()
        (replacement,) = after - before
        before, victim = after, replacement
    assert workers.process.poll() is None


def test_both_killed_at_once_are_replaced(workers: Workers) -> None:
    before = workers.both()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert not workers.both() & before


def test_a_killed_worker_takes_no_waiting_connection_along(workers: Workers) -> None:
    victim, survivor = workers.both()
    for pid in (victim, survivor):
        suspend(pid)
    clients = [socket.create_connection(("127.0.0.1", workers.port), 20) for _ in range(40)]
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    os.kill(victim, signal.SIGKILL)
    os.kill(survivor, signal.SIGCONT)

    for client in clients:
        with client:
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_idle_connections_keep_nobody_waiting(workers: Workers) -> None:
    """As a proxy holds them: many more than there are threads."""
    kept = []
    for _ in range(40):
        connection = HTTPConnection("127.0.0.1", workers.port, timeout=20)
        connection.request("GET", "/")
        assert connection.getresponse().read()
        kept.append(connection)
    assert workers.get()
    for connection in kept:
        connection.close()


def test_answers_on_a_kept_connection_come_at_once(workers: Workers) -> None:
    """Without TCP_NODELAY all but the first few wait for a delayed acknowledgement, 40 ms."""
    workers.both()
    connection = HTTPConnection("127.0.0.1", workers.port, timeout=20)
    took = []
    for _ in range(40):
        began = time.monotonic()
        connection.request("POST", "/", b"{}")
        connection.getresponse().read()
        took.append(time.monotonic() - began)
    connection.close()
    assert sum(seconds > 0.035 for seconds in took) < 10


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_the_requests_in_hand(
    workers: Workers, told: signal.Signals
) -> None:
    workers.both()
    names = [f"request-{number}" for number in range(3)]
    with ThreadPoolExecutor(len(names)) as clients:
        answers = [clients.submit(workers.get, f"/{name}") for name in names]
        eventually(lambda: all((workers.folder / name).exists() for name in names))
        # To the whole group, as a terminal sends Ctrl-C.
        os.killpg(workers.process.pid, told)
        refusal = eventually(lambda: _refusal(workers.port))
        for name in names:
            (workers.folder / name).unlink()
        assert all(answer.result() for answer in answers)

    # What came meanwhile was told to come again, on another connection.
    assert refusal["error"]["code"] == "WAL_UNAVAILABLE"
    assert workers.process.wait(20) == 0
    assert "Unexpected exit" not in workers.printed()
    assert "panicked" not in workers.printed()


def test_ctrl_c_is_no_accident_of_the_workers(workers: Workers) -> None:
    """A terminal sends it to all of the group; a worker that left by itself would be told of."""
    workers.both()
    os.killpg(workers.process.pid, signal.SIGINT)
    # Told twice, a worker would not leave until it is killed.
    assert workers.process.wait(STOP_SECONDS - 2) == 0
    assert workers.printed() == f"{workers.port}\n"


def test_told_twice_to_stop_it_stops(tmp_path: Path) -> None:
    """As `make` passes on what a service manager sends to all of a group."""
    twice = Workers(tmp_path, APPLICATION, before=TOLD_AGAIN)
    twice.both()
    twice.process.terminate()
    try:
        assert twice.process.wait(STOP_SECONDS - 2) == 0
    finally:
        twice.process.kill()
        twice.output.close()


def test_orphaned_workers_finish_and_free_the_port(workers: Workers) -> None:
    orphans = workers.both()
    with ThreadPoolExecutor() as clients:
        answer = clients.submit(workers.get, "/request")
        eventually((workers.folder / "request").exists)
        workers.process.kill()
        workers.process.wait()
        (workers.folder / "request").unlink()
        assert answer.result() in orphans

    eventually(lambda: not any(map(is_alive, orphans)))
    # As the next server does: a process counts as dead before its last thread has let go.
    listen("127.0.0.1", workers.port, patience=10).close()


def test_an_application_that_does_not_load_ends_it(tmp_path: Path) -> None:
    failing = Workers(tmp_path, "tests.tradelog.no_such_module:application")
    assert failing.process.wait(30) == 1
    assert "WorkersFailed: The worker processes do not start" in failing.printed()
    assert "No module named 'tests.tradelog.no_such_module'" in failing.printed()
    failing.output.close()


def test_a_request_its_client_gave_up_keeps_no_stop_waiting(workers: Workers) -> None:
    with socket.create_connection(("127.0.0.1", workers.port), 20) as client:
        client.sendall(b"GET /request HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually((workers.folder / "request").exists)
    (workers.folder / "request").unlink()
    workers.process.terminate()
    assert workers.process.wait(STOP_SECONDS - 2) == 0


def test_a_stop_told_to_every_process_at_once_finishes_too(workers: Workers) -> None:
    """As systemd tells it."""
    pids = workers.both()
    with ThreadPoolExecutor() as clients:
        answer = clients.submit(workers.get, "/request")
        eventually((workers.folder / "request").exists)
        for pid in (workers.process.pid, *pids):
            os.kill(pid, signal.SIGTERM)
        eventually(lambda: _refusal(workers.port))
        (workers.folder / "request").unlink()
        assert answer.result() in pids
    assert workers.process.wait(20) == 0


def _refusal(port: int) -> Any:
    """What a stopping server answers; None as long as it serves."""
    connection = HTTPConnection("127.0.0.1", port, timeout=0.5)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        body = response.read()
    except (OSError, HTTPException):
        return None  # The worker that took it had nothing in hand, and left.
    finally:
        connection.close()
    if response.status != 503:
        return None
    assert response.headers["Connection"] == "close"
    return json.loads(body)
