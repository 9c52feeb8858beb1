"""Embedded PostgreSQL clusters of a test's own: asked, looked at, held, killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import psycopg

from tests.processes import kill_all
from tests.server import ROOT
from tradelog.embedded import Cluster

AS_ROOT = os.geteuid() == 0

#: Holds a cluster, says so, and lets go when its input ends.
HOLDER = """
import sys
from tradelog.embedded import Cluster
Cluster(sys.argv[1]).hold()
print("held", flush=True)
sys.stdin.read()
"""


def cleaned_up(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    cluster.stop()
    if cluster.socket_directory != cluster.path:
        shutil.rmtree(cluster.socket_directory, ignore_errors=True)


def ask(cluster: Cluster, statement: str) -> Any:
    """The first value of a statement's first row; None if it returns no rows."""
    database = cluster.database
    with psycopg.connect(
        host=database["HOST"],
        port=database["PORT"],
        user=database["USER"],
        dbname=database["NAME"],
        connect_timeout=5,
    ) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmaster(cluster: Cluster) -> psutil.Process:
    return psutil.Process(int((cluster.path / "postmaster.pid").read_text().split()[0]))


def server_processes(cluster: Cluster) -> list[psutil.Process]:
    main = postmaster(cluster)
    return [main, *main.children()]


def kill_server(cluster: Cluster) -> None:
    kill_all(server_processes(cluster))


def users_of_server(cluster: Cluster) -> set[str]:
    users = {postmaster(cluster).username()}
    for process in server_processes(cluster):
        # PostgreSQL ends some of its processes as soon as they have done their work.
        with suppress(psutil.NoSuchProcess):
            users.add(process.username())
    return users


def holder(cluster: Cluster) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(cluster.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def has_hold(process: subprocess.Popen[str]) -> bool:
    assert process.stdout
    return process.stdout.readline() == "held\n"


def let_go(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=30)
    assert process.returncode == 0
