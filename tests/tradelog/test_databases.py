"""The databases as settings have them: where the log lies, and what a connection notices."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from tests.chaos.proxy import Proxy
from tests.server import ROOT
from tradelog.databases import on_postgresql

ASK = "from tradelog import settings; print(settings.DATABASES['wal']['NAME'])"


@pytest.mark.parametrize("name", ["a#b", "a?b=c", "a%20b", "it's"])
def test_the_log_lies_in_the_data_folder(tmp_path: Path, name: str) -> None:
    there = {"TRADELOG_DATA": str(tmp_path / name), "WAL_DATABASE_URL": ""}
    told = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env={**os.environ, **there},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == str(tmp_path / name / "wal.sqlite3")


def test_a_peer_that_is_gone_is_noticed_while_it_is_spoken_to(databases: None) -> None:
    main = connections["default"].settings_dict
    if not main["HOST"].startswith("/"):
        pytest.skip("the proxy passes on to a Unix socket")
    options = on_postgresql({"OPTIONS": {}}, threads=1)["OPTIONS"]
    del options["pool"]
    with (
        closing(Proxy(Path(main["HOST"]) / f".s.PGSQL.{main['PORT'] or 5432}")) as proxy,
        psycopg.connect(
            host="127.0.0.1", port=proxy.port, user=main["USER"], dbname="postgres", **options
        ) as connection,
        socket.socket(fileno=os.dup(connection.fileno())) as line,
    ):
        kept = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    probes = (
        options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"]
    )
    assert kept == 1000 * probes
