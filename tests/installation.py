"""Installations of their own, run by real processes, and everything their databases hold."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
from django.db import connections
from psycopg.conninfo import make_conninfo

from tests.server import ROOT, databases_of_this_run
from tradelog.embedded import Cluster

Contents = dict[str, list[str]]


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


def done(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def of_postgresql(address: str) -> Contents:
    """Every row of every table as PostgreSQL writes it, and where the sequences stand."""
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        query = connection.execute
        named = query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        found = {
            name: [row for (row,) in query(f'SELECT t::text FROM "{name}" t ORDER BY 1')]
            for (name,) in named
        }
        sequences = query("SELECT sequencename || ' ' || last_value FROM pg_sequences ORDER BY 1")
        return {**found, "sequences": [one for (one,) in sequences if one]}


def of_sqlite(file: Path) -> Contents:
    with closing(sqlite3.connect(file)) as connection:
        named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: [repr(row) for row in connection.execute(f'SELECT * FROM "{name}" ORDER BY 1')]
            for (name,) in named
        }


def with_embedded_server(folder: Path) -> dict[str, str]:
    """The environment of an installation that has everything in its data folder."""
    return {"DATABASE_URL": "", "WAL_DATABASE_URL": "", "TRADELOG_DATA": str(folder)}


def contents(folder: Path) -> tuple[Contents, Contents]:
    """What both databases of such an installation hold."""
    cluster = Cluster(folder / "postgres")
    cluster.start()
    database = cluster.database
    address = make_conninfo(host=database["HOST"], user=database["USER"], dbname=database["NAME"])
    return of_postgresql(address), of_sqlite(folder / "wal.sqlite3")


class Elsewhere:
    """A PostgreSQL database beside this test run's, dropped at the end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = databases_of_this_run()["DATABASE_URL"].rpartition("/")[0] + f"/{name}"

    def __enter__(self) -> Elsewhere:
        self._run(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
        self._run(f"CREATE DATABASE {self.name}")
        return self

    def __exit__(self, *raised: object) -> None:
        self._run(f"DROP DATABASE {self.name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(statement)
