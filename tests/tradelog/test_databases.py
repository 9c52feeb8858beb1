"""The log lies in the data folder, whatever that is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT

ASK = "from tradelog import settings; print(settings.DATABASES['wal']['NAME'])"


@pytest.mark.parametrize("name", ["a#b", "a?b=c", "a%20b", "it's"])
def test_the_log_lies_in_the_data_folder(tmp_path: Path, name: str) -> None:
    there = {"TRADELOG_DATA": str(tmp_path / name), "WAL_DATABASE_URL": ""}
    told = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env={**os.environ, **there},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == str(tmp_path / name / "wal.sqlite3")
