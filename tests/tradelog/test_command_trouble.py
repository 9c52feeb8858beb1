"""Commands without the databases they need end in a sentence, not in a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.alerts import alert
from tests.commands import in_process
from tests.installation import Elsewhere, done
from tests.server import NOWHERE
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
            with psycopg.connect(main.url, autocommit=True) as connection:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
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


def test_the_traceback_is_had_for_the_asking(databases: None) -> None:
    ended = in_process("audit_trades", "--traceback", DATABASE_URL=NOWHERE)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
