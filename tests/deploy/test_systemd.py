"""The systemd units, as far as they can be judged without being run."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT
from tradelog import embedded, workers

UNITS = ROOT / "deploy" / "systemd"


@pytest.fixture
def analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze is installed")
    return program


def test_systemd_finds_no_fault_in_them(analyze: str, tmp_path: Path) -> None:
    # It looks whether programs are where they are said to be.
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/srv/tradelog/.venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))
    assert len(units) == 5
    told = subprocess.run([analyze, "verify", *units], capture_output=True, text=True)
    # Also of what else this machine has.
    ours = [line for line in told.stderr.splitlines() if "tradelog" in line]
    assert (told.returncode, ours) == (0, []), told.stderr


def test_the_service_can_reach_little(analyze: str) -> None:
    # Tenths, out of 10; an unconfined service has 96. Newer versions count a little more.
    for unit, most in (("tradelog", 20), ("tradelog-backup", 33), ("tradelog-prune", 33)):
        service = UNITS / f"{unit}.service"
        told = subprocess.run(
            [analyze, "security", "--offline=true", f"--threshold={most}", str(service)],
            capture_output=True,
            text=True,
        )
        assert told.returncode == 0, told.stdout


def test_a_stop_has_time_to_finish_what_is_in_hand() -> None:
    unit = configparser.ConfigParser(strict=False, delimiters="=", interpolation=None)
    unit.read(UNITS / "tradelog.service")
    assert unit["Service"]["KillMode"] == "mixed"
    needed = workers.STOP_SECONDS + embedded.STOP_SECONDS
    assert int(unit["Service"]["TimeoutStopSec"]) > needed
    # A worker's connections, as many to the database as it has threads, and its files.
    assert int(unit["Service"]["LimitNOFILE"]) > 2 * workers.CONNECTIONS
