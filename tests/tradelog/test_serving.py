"""`manage.py serve`, as a user runs it: one data folder, real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

import psutil
import pytest

from benchmarks.ports import free_port
from data_folder import InUse, sole_server
from tests.environment import TOKEN
from tests.processes import eventually, kill_all, suspend
from tests.server import ROOT
from tradelog.embedded import Cluster
from tradelog.serving import CannotServe, listen


class Service:
    """`manage.py serve` on a data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.environment = {
            **os.environ,
            "TRADELOG_DATA": str(data),
            "DATABASE_URL": "",
            "PORT": str(self.port),
        }
        self.process: subprocess.Popen[str]

    def start(self, *options: str) -> None:
        self.output = open(self.data.with_suffix(".output"), "w+")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", *options],
            cwd=ROOT,
            env=self.environment,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        eventually(self.is_ready)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `manage.py` command beside it."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def printed(self) -> str:
        return Path(self.output.name).read_text()

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.printed()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5):
                return True
        except (URLError, ConnectionError, TimeoutError):
            return False

    def kill_everything(self) -> None:
        main = psutil.Process(self.process.pid)
        doomed = [main, *main.children(recursive=True)]
        if (database := self.database()).is_running():
            number = int((database.path / "postmaster.pid").read_text().split()[0])
            postmaster = psutil.Process(number)
            doomed += [postmaster, *postmaster.children()]
        kill_all(doomed)
        self.process.wait()
        self.output.close()

    def database(self) -> Cluster:
        return Cluster(self.data / "postgres")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("my service") / "data")
    running.start()
    yield running
    if running.process.poll() is None:
        running.kill_everything()
    running.output.close()


def post(url: str, message: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(message).encode())
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_tells_all_that_a_newcomer_needs(service: Service) -> None:
    printed = service.printed()
    urls = re.findall(r"http://127\.0\.0\.1\S+/webhook/\S+", printed)
    assert urls[0] == f"http://127.0.0.1:{service.port}/webhook/{TOKEN}/"
    assert f"/webhook/{TOKEN}/" in printed.split("TradingView, which")[1]
    assert "manage.py createsuperuser" in printed
    assert f"  http://127.0.0.1:{service.port}/\n" in printed

    # The message, filled in as TradingView does, is an alert that works.
    message = printed[printed.index("{\n") : printed.index("}\n") + 1]
    filled = {
        "{{exchange}}:{{ticker}}": "BINANCE:BTCUSDT",
        "{{strategy.order.action}}": "buy",
        "{{strategy.order.contracts}}": "0.5",
        "{{strategy.order.price}}": "67000.5",
        "{{syminfo.currency}}": "USDT",
        "{{time}}": "2026-01-05T14:00:00Z",
        "{{timenow}}": "2026-01-05T14:05:01Z",
        "{{strategy.order.id}}": "Long",
        "{{strategy.market_position}}": "long",
        "{{strategy.market_position_size}}": "0.5",
        "{{strategy.prev_market_position}}": "flat",
        "{{strategy.prev_market_position_size}}": "0",
        "{{interval}}": "5",
        "{{strategy.order.comment}}": "",
    }
    for placeholder, value in filled.items():
        assert message.count(placeholder) == 1
        message = message.replace(placeholder, value)
    answer = post(urls[0], json.loads(message))
    assert (answer["status"], answer["action"]) == ("processed", "opened")
    assert "drift" not in answer


def test_the_readme_shows_the_same_message() -> None:
    from tradelog.alert_messages import ALERT_MESSAGE

    assert ALERT_MESSAGE in (ROOT / "README.md").read_text()


def test_quiet_it_tells_no_token(tmp_path: Path) -> None:
    quiet = Service(tmp_path / "data")
    quiet.start("--quiet")
    quiet.process.terminate()
    assert quiet.process.wait(60) == 0
    quiet.output.close()
    printed = quiet.printed()
    assert f"tradelog is served at http://127.0.0.1:{quiet.port}\n" in printed
    assert TOKEN not in printed


def test_a_second_one_in_the_same_folder_says_so(service: Service) -> None:
    second = service.run("serve", "--port", str(free_port()))
    assert second.returncode == 1
    assert "already being served from this folder" in second.stderr
    assert f"http://127.0.0.1:{service.port}" in second.stderr
    assert service.is_ready()


def test_another_command_uses_its_database_and_leaves_it_running(service: Service) -> None:
    assert service.run("showmigrations", "trades").returncode == 0
    assert service.database().is_running()


def test_a_killed_database_comes_back(service: Service) -> None:
    number = int((service.database().path / "postmaster.pid").read_text().split()[0])
    psutil.Process(number).kill()
    # Only then is it another one that runs: the killed one is there for a moment more.
    eventually(lambda: "died; it is started again" in service.printed())
    eventually(lambda: service.is_ready() and service.database().is_running())


def test_serves_again_after_everything_was_killed(service: Service) -> None:
    service.kill_everything()

    service.start()  # At once: on the port of the killed workers, and on the killed database.

    assert service.is_ready()


def test_serves_again_while_workers_of_a_killed_server_linger(service: Service) -> None:
    main = psutil.Process(service.process.pid)

    def workers() -> list[psutil.Process]:
        found = []
        for child in main.children():
            # What the start itself needed may just be ending.
            with suppress(psutil.NoSuchProcess):
                if child.num_threads() > 1:
                    found.append(child)
        return found

    # It serves as soon as the first of them does.
    eventually(lambda: len(workers()) == 2)
    lingering = workers()
    for worker in lingering:
        suspend(worker.pid)
    main.kill()
    service.process.wait()
    service.output.close()
    killed = service.process

    def release() -> None:
        # Once the next one has claimed the folder, it tries the port within milliseconds.
        eventually(lambda: service.process is not killed)
        claim = service.data / "serve.lock"
        eventually(lambda: claim.read_text().endswith(f" {service.process.pid}"))
        time.sleep(0.5)
        for worker in lingering:
            worker.resume()

    releasing = threading.Thread(target=release)
    releasing.start()

    service.start()

    releasing.join()
    # Until they are gone, it may have been one of them that answered.
    assert not psutil.wait_procs(lingering, timeout=30)[1]
    eventually(service.is_ready)


def test_sigterm_ends_it_with_its_database(service: Service) -> None:
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(30) == 0, service.printed()
    assert not service.database().is_running()
    assert "Traceback" not in service.printed()


def test_a_taken_port_is_told_at_once(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = service.run("serve", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize(
    "arguments", [["--port", "65536"], ["--port", "http"], ["--workers", "0"], ["--loud"]]
)
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    done = Service(tmp_path / "data").run("serve", *arguments)
    assert done.returncode == 2
    assert "usage: manage.py serve" in done.stderr
    assert not (tmp_path / "data" / "postgres").exists()


def test_help_starts_nothing(tmp_path: Path) -> None:
    done = Service(tmp_path / "data").run("serve", "--help")
    assert done.returncode == 0
    assert "prints the webhook URL" in " ".join(done.stdout.split())
    assert not (tmp_path / "data" / "postgres").exists()


def test_listening_waits_for_the_port_of_a_killed_server() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    with pytest.raises(CannotServe, match=f"PORT={port + 1}"):
        listen("127.0.0.1", port)
    threading.Timer(0.3, taken.close).start()
    listen("127.0.0.1", port, patience=20).close()


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_a_host_that_is_not_here(host: str) -> None:
    with pytest.raises(CannotServe, match="no address of this machine"):
        listen(host, free_port())


def test_a_killed_server_is_remembered_and_a_stopped_one_is_not(tmp_path: Path) -> None:
    claim = (
        "import os, sys; from pathlib import Path; import django; django.setup()\n"
        "from data_folder import sole_server\n"
        "with sole_server(Path(sys.argv[1]), 'http://first') as killed: os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", claim, str(tmp_path)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL

    with sole_server(tmp_path, "http://second") as before_was_killed:
        assert before_was_killed
        with pytest.raises(InUse, match="http://second"), sole_server(tmp_path, "third"):
            pass
    with sole_server(tmp_path, "http://fourth") as before_was_killed:
        assert not before_was_killed
