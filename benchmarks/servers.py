"""Compares WSGI servers under a minimal Django view that reads a POST and answers JSON.

    .venv/bin/python -m pip install gunicorn==27.0.1
    .venv/bin/python benchmarks/servers.py

Needs wrk. Each server runs with 2 workers of 32 threads. Prints two tables: throughput
and latency under wrk, which keeps its connections; and what became of requests, each on
a connection of its own, while a worker was killed every second.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PORT = 8899
WORKERS, THREADS = 2, 32
CLIENTS = (16, 64)
RUNS = 3
SECONDS = 5
BODY = json.dumps(
    {"strategy": "RSI", "symbol": "BINANCE:BTCUSDT", "action": "buy", "quantity": "1.5"}
)

_TARGET = "servers:application"
_SERVERS = {
    "granian, a socket a worker": (
        *("-m", "granian", "--interface", "wsgi", "--port", str(PORT), "--log-level", "critical"),
        *("--workers", str(WORKERS), "--blocking-threads", str(THREADS)),
        *("--respawn-failed-workers", _TARGET),
    ),
    "granian, one socket (ours)": (str(HERE / "servers.py"), "one-socket"),
    "gunicorn gthread": (
        *("-m", "gunicorn", "--bind", f"127.0.0.1:{PORT}", "--worker-class", "gthread"),
        *("--workers", str(WORKERS), "--threads", str(THREADS)),
        *("--log-level", "critical", _TARGET),
    ),
}


def _make_application() -> Any:
    import django
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpRequest, JsonResponse
    from django.urls import path

    def alert(request: HttpRequest) -> JsonResponse:
        message = json.loads(request.body)
        return JsonResponse({"strategy": message["strategy"], "process": os.getpid()})

    settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="x", ROOT_URLCONF=(path("", alert),))
    django.setup()
    return get_wsgi_application()


if __name__ == "servers":
    application = _make_application()


@contextmanager
def _serving(name: str) -> Iterator[None]:
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}"}
    process = subprocess.Popen(
        [sys.executable, *_SERVERS[name]], env=environment, start_new_session=True
    )
    try:
        while True:
            try:
                _post()
                break
            except OSError:
                if process.poll() is not None:
                    sys.exit(f"{name} does not run")
                time.sleep(0.1)
        time.sleep(1)  # for the second worker
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            print(f"{name} did not stop within 15 s")
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _post() -> int:
    """The id of the worker that answered."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=10)
    try:
        connection.request("POST", "/", BODY)
        return int(json.load(connection.getresponse())["process"])
    finally:
        connection.close()


def _wrk(clients: int) -> tuple[float, float, float]:
    """Requests a second, and the latency's median and 99th percentile in ms."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method = 'POST'\nwrk.body = [[{BODY}]]\n")
        script.flush()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{clients}", f"-d{SECONDS}s", "--latency", "-s", script.name,
             f"http://127.0.0.1:{PORT}/"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert "Non-2xx" not in done.stdout, done.stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert rate
    return float(rate[1]), _milliseconds(done.stdout, 50), _milliseconds(done.stdout, 99)


def _milliseconds(report: str, percentile: int) -> float:
    found = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s)", report)
    assert found
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def _while_killing() -> Counter[str]:
    """What became of requests of 16 clients while a worker was killed every second."""
    became: Counter[str] = Counter()
    over = time.monotonic() + SECONDS

    def send() -> None:
        while time.monotonic() < over:
            try:
                _post()
                became["answered"] += 1
            except (OSError, HTTPException) as error:
                became[type(error).__name__] += 1

    clients = [threading.Thread(target=send) for _ in range(16)]
    for client in clients:
        client.start()
    while time.monotonic() < over - 1:
        time.sleep(1)
        try:
            os.kill(_post(), signal.SIGKILL)
        except (OSError, HTTPException) as error:
            became[type(error).__name__] += 1
    for client in clients:
        client.join()
    return became


def main() -> None:
    measured: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for _ in range(RUNS):  # Interleaved: whatever else the machine does meets all of them.
        for name in _SERVERS:
            with _serving(name):
                for clients in CLIENTS:
                    measured.setdefault((name, clients), []).append(_wrk(clients))
    print("| server | clients | requests/s | median ms | 99th percentile ms |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for (name, clients), runs in measured.items():
        rate, median, high = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"| {name} | {clients} | {rate:,.0f} | {median:.1f} | {high:.1f} |")
    print("\nOf the requests sent while a worker was killed every second:")
    for name in _SERVERS:
        try:
            with _serving(name):
                print(f"{name}: {dict(_while_killing())}")
        except Exception as error:
            print(f"{name}: {error}")


if __name__ == "__main__":
    if sys.argv[1:] == ["one-socket"]:
        from tradelog.workers import run_workers

        listener = socket.create_server(("127.0.0.1", PORT), backlog=1024)
        run_workers(listener, _TARGET, workers=WORKERS, threads=THREADS)
    else:
        main()
