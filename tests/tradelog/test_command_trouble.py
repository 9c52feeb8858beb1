"""Commands without the databases they need end in a sentence, not in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import in_process
from tests.installation import Elsewhere
from tests.server import NOWHERE

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


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_the_main_database_has_no_tables(databases: None, command: list[str]) -> None:
    with Elsewhere("without_tables") as empty:
        ended = in_process(*command, DATABASE_URL=empty.url)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The main database has not the tables it should have: relation")
    assert "`make serve` makes them" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_log_has_no_tables(databases: None, tmp_path: Path) -> None:
    ended = in_process("replay_wal", WAL_DATABASE_URL=f"sqlite:///{tmp_path}/wal.sqlite3")
    assert ended.returncode == 1
    assert ended.stderr.startswith("The write-ahead log has not the tables it should have: no such")
    assert "Traceback" not in ended.stderr


def test_the_traceback_is_had_for_the_asking(databases: None) -> None:
    ended = in_process("audit_trades", "--traceback", DATABASE_URL=NOWHERE)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
