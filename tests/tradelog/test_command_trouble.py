"""Commands without the databases they need end in a sentence, not in a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.alerts import alert
from tests.commands import in_process
from tests.installation import Elsewhere, done, manage, with_embedded_server
from tests.server import NOWHERE, ROOT, Server, databases_of_this_run
from tests.webhooks.test_reconcile import ago, log

COMMANDS = [
    ["reconcile_positions"],
    ["audit_trades"],
    ["api_token", "somebody"],
    ["sum_up_trades"],
]


@pytest.mark.parametrize("command", [*COMMANDS, ["migrate"]], ids=lambda command: command[0])
def test_the_main_database_is_away(databases: None, command: list[str]) -> None:
    ended = in_process(*command, DATABASE_URL=NOWHERE)
    assert ended.returncode == 1
    (told,) = ended.stderr.splitlines()
    assert told.startswith("The main database is out of reach: ")


@pytest.mark.parametrize("command", [*COMMANDS, ["prune"]], ids=lambda command: command[0])
def test_the_main_database_has_no_tables(databases: None, command: list[str]) -> None:
    with Elsewhere("without_tables") as empty:
        ended = in_process(*command, DATABASE_URL=empty.url)
    assert ended.returncode == 1
    (told,) = ended.stderr.splitlines()
    assert told.startswith("The main database has not the tables it should have: relation")
    assert "`make serve` makes them" in told


def test_pruning_says_in_a_sentence_that_the_main_database_is_away(databases: None) -> None:
    ended = in_process("prune", DATABASE_URL=NOWHERE)
    assert ended.returncode == 1
    (told,) = ended.stderr.splitlines()
    assert told.startswith("CommandError: Cut off (")
    assert told.endswith("complete in itself; run it again.")


def test_the_watch_says_which_tables_are_missing(databases: None, tmp_path: Path) -> None:
    with Elsewhere("without_tables") as empty:
        ended = in_process("check_alerts", "--format", "json", DATABASE_URL=empty.url)
    assert [firing["text"] for firing in json.loads(ended.stdout)["firing"]] == [
        "The main database has not the tables it should have: `manage.py migrate` makes them. "
        "Alerts are taken and wait in the log until it has them."
    ]
    log = f"sqlite:///{tmp_path}/wal.sqlite3"
    ended = in_process("check_alerts", "--format", "json", WAL_DATABASE_URL=log)
    assert [firing["text"] for firing in json.loads(ended.stdout)["firing"]] == [
        "The write-ahead log cannot be read (it has not the tables it should have: `manage.py "
        "migrate --database wal` makes them). Alerts are refused, and TradingView gives each up "
        "after its fourth try."
    ]


@pytest.mark.parametrize("missing", ["strategies", "open_positions.point_value"])
def test_replay_leaves_the_log_alone_where_the_main_database_lacks_something(
    databases: None, missing: str
) -> None:
    """Never migrated, or left behind by an update."""
    entry = log(alert(), received_at=ago(seconds=10))
    table, _, column = missing.partition(".")
    with Elsewhere("without_tables") as main:
        if column:
            done(in_process("migrate", DATABASE_URL=main.url))
            with psycopg.connect(main.url, autocommit=True) as direct:
                direct.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        ended = in_process("replay_wal", DATABASE_URL=main.url)
    assert (ended.returncode, ended.stdout) == (1, "")
    (told,) = ended.stderr.splitlines()
    assert told.startswith("The main database has not the tables it should have: ")
    assert missing in told
    entry.refresh_from_db()
    assert (entry.status, entry.last_error) == ("pending", "")


def test_the_log_has_no_tables(databases: None, tmp_path: Path) -> None:
    ended = in_process("replay_wal", WAL_DATABASE_URL=f"sqlite:///{tmp_path}/wal.sqlite3")
    assert ended.returncode == 1
    (told,) = ended.stderr.splitlines()
    assert told.startswith("The write-ahead log has not the tables it should have: no such")


def test_the_server_says_why_nobody_gets_in(databases: None) -> None:
    """A pool would say that it got no connection in time, and no more."""
    with Elsewhere("without_tables") as empty:
        url = f"{empty.url.rpartition('/')[0]}/no_such_database"
        for command in ("audit_trades", "backup"):
            ended = in_process(command, DATABASE_URL=url)
            assert ended.returncode == 1
            assert 'database "no_such_database" does not exist' in ended.stderr


@pytest.fixture
def lacking(databases: None) -> Iterator[str]:
    """A URL of a new database, used as a role that may make no tables there."""
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS lacking")
        cursor.execute("CREATE ROLE lacking")
    with Elsewhere("of_somebody_else") as main:
        yield f"{main.url}?options=-c%20role%3Dlacking"
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE lacking")


def test_a_role_that_lacks_a_right(lacking: str) -> None:
    ended = in_process("migrate", DATABASE_URL=lacking)
    assert ended.returncode == 1
    (told,) = ended.stderr.splitlines()
    assert told.startswith("The main database refuses it: permission denied for schema public")


def test_a_server_takes_alerts_until_its_role_has_the_right(lacking: str, tmp_path: Path) -> None:
    """It says what is missing, and goes on by itself once that is there."""
    url = lacking.partition("?")[0]
    with Server(DATABASE_URL=lacking, WAL_DATABASE_URL="", TRADELOG_DATA=str(tmp_path)) as server:
        server.wait_for_line("The main database refuses to be migrated: permission denied for")
        assert server.post().http == 202
        with psycopg.connect(url, autocommit=True) as main:
            main.execute("GRANT ALL ON SCHEMA public TO lacking")
            server.wait_for_line("The database is back, and up to date")
            known = "SELECT count(*) FROM webhook_logs"
            server.wait_until(lambda: main.execute(known).fetchone() == (1,))


def test_a_server_says_why_its_database_is_out_of_reach(databases: None, tmp_path: Path) -> None:
    url = f"{databases_of_this_run()['DATABASE_URL'].rpartition('/')[0]}/no_such_database"
    with Server(DATABASE_URL=url, WAL_DATABASE_URL="", TRADELOG_DATA=str(tmp_path)) as server:
        assert 'database "no_such_database" does not exist' in server.output


def test_a_log_that_is_no_database(databases: None, tmp_path: Path) -> None:
    (tmp_path / "wal.sqlite3").write_bytes(b"damaged " * 1000)
    log = f"sqlite:///{tmp_path}/wal.sqlite3"
    ended = in_process("replay_wal", WAL_DATABASE_URL=log)
    assert ended.returncode == 1
    assert ended.stderr == "The write-ahead log is out of reach: file is not a database\n"
    ended = in_process("serve", WAL_DATABASE_URL=log, TRADELOG_DATA=str(tmp_path / "data"))
    assert ended.returncode == 1
    assert "The write-ahead log cannot be opened: file is not a database" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "postgres.lock").mkdir()
    (tmp_path / "serve.lock").mkdir()
    ended = manage("serve", **with_embedded_server(tmp_path))
    assert (ended.returncode, ended.stderr) == (1, f"{tmp_path}/serve.lock: Is a directory\n")
    ended = manage("audit_trades", **with_embedded_server(tmp_path))
    assert (ended.returncode, ended.stderr) == (1, f"{tmp_path}/postgres.lock: Is a directory\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_who_reads_no_further_is_no_trouble(databases: None, unbuffered: str) -> None:
    """As in `manage.py audit_trades | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "manage.py", "audit_trades"],
        cwd=ROOT,
        env={**os.environ, **databases_of_this_run(), "PYTHONUNBUFFERED": unbuffered},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, "")


def test_what_cannot_be_shown_is_written_otherwise() -> None:
    ended = manage("backup", "--help", PYTHONIOENCODING="ascii")
    assert r"the file (\u2026.zip)" in done(ended)


def test_the_traceback_is_had_for_the_asking(databases: None) -> None:
    ended = in_process("audit_trades", "--traceback", DATABASE_URL=NOWHERE)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
