"""Signals that tell a command to stop, whenever they come."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from tests.server import ROOT
from tradelog.embedded import Cluster

#: `manage.py`, which is sent a signal in the middle of a destructor as it starts.
_SERVING = """
import os, sys
import manage

class Kept:
    def __del__(self):
        os.kill(os.getpid(), int(os.environ["TOLD"]))

def at(event, arguments):
    if event == "socket.bind" and "kept" in globals():
        del globals()["kept"]

kept = Kept()
sys.addaudithook(at)
sys.argv[0] = "manage.py"
manage.main()
"""


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["serve --quiet", "check_alerts --follow"])
def test_what_comes_in_the_middle_of_a_destructor_stops_what_goes_on_for_ever(
    tmp_path: Path, told: signal.Signals, command: str
) -> None:
    environment = {
        **os.environ,
        "TRADELOG_DATA": str(tmp_path),
        "DATABASE_URL": "",
        "TOLD": str(int(told)),
        "PORT": str(free_port()),
    }
    ended = subprocess.run(
        [sys.executable, "-c", _SERVING, *command.split()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    # The exception that was to end it was lost.
    assert "Exception ignored in: <function Kept.__del__" in ended.stderr
    assert ended.returncode == {signal.SIGTERM: 143, signal.SIGINT: -2}[told], ended.stderr
    assert not Cluster(tmp_path / "postgres").is_running()
