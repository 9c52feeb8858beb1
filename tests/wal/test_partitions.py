"""The write-ahead log in months: `manage.py partition_log`, under a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from positions.models import Lot
from tests.alerts import Answer
from tests.commands import in_process
from tests.installation import Elsewhere, done, manage
from tests.server import NOWHERE, ROOT, Server, databases_of_this_run
from trades.models import Trade

CLOSING: dict[str, Any] = {
    "action": "exit",
    "quantity": None,
    "price": "110",
    "time": "2026-01-05T15:00:00Z",
}

#: Keeps the months up as if it were that day.
KEEP_UP = """
import json, sys
from datetime import date
import django
django.setup()
from wal.partitions import keep_up
kept = keep_up(date.fromisoformat(sys.argv[1]))
print(json.dumps([kept.made, kept.dropped]))
"""


class Log:
    """A log on a PostgreSQL database of its own."""

    def __init__(self, url: str) -> None:
        self.environment = {**databases_of_this_run(), "WAL_DATABASE_URL": url}
        self.connection = psycopg.connect(url, autocommit=True)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return manage(*arguments, **self.environment)

    def keep_up(self, *, in_month: int) -> tuple[list[str], list[str]]:
        """The months made and dropped in the month so many after this one."""
        told = subprocess.run(
            [sys.executable, "-c", KEEP_UP, f"{first_of(in_month):%Y-%m-03}"],
            cwd=ROOT,
            env={**self.environment, "DJANGO_SETTINGS_MODULE": "tradelog.settings"},
            check=True,
            capture_output=True,
            text=True,
        )
        made, dropped = json.loads(told.stdout)
        return made, dropped

    def rows(self, table: str) -> int:
        found = self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert found
        return int(found[0])

    def partitions(self) -> list[str]:
        found = self.connection.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = to_regclass('webhook_wal') ORDER BY 1"
        )
        return [name for (name,) in found]


@pytest.fixture
def log(databases: None) -> Iterator[Log]:
    with Elsewhere("log_in_months") as database:
        log = Log(database.url)
        yield log
        log.connection.close()


@pytest.fixture
def served(log: Log) -> Iterator[Server]:
    with Server(**{**log.environment, "ANSWER_SECONDS": "20"}) as server:
        yield server


def first_of(number: int) -> date:
    """The first day of the month so many after this one."""
    day = datetime.now(UTC).date().replace(day=1)
    for _ in range(number):
        day = (day + timedelta(days=31)).replace(day=1)
    return day


def month(number: int) -> str:
    """The month so many after this one, as tables are named."""
    return f"{first_of(number):%Y_%m}"


def test_nothing_is_missed_while_it_is_partitioned_and_after(log: Log, served: Server) -> None:
    first = served.post()
    waiting = served.post(**{**CLOSING, "strategy": "Beta"})
    assert (first["status"], waiting["status"]) == ("processed", "parked")

    with ThreadPoolExecutor() as meanwhile:
        partitioning = meanwhile.submit(log.manage, "partition_log")
        answers: list[Answer] = []
        while not partitioning.done():
            answers.append(served.post(symbol=f"S{len(answers)}"))
    told = done(partitioning.result())
    assert told.startswith("The log is kept in months, after ")
    assert {answer.http for answer in answers} == {200}
    past = f"webhook_wal_before_{month(1)}"
    months = [f"webhook_wal_{month(number)}" for number in (1, 2, 3)]
    assert log.partitions() == sorted([past, *months, "webhook_wal_later"])
    assert log.rows(past) == log.rows("webhook_wal") == 2 + len(answers)

    assert served.post()["webhook_log_id"] == first["webhook_log_id"]
    closed = served.post(**CLOSING)
    assert (closed["status"], closed["wal_id"] > waiting["wal_id"]) == ("processed", True)
    # The exit that waited is let through, and marked where it lies.
    assert served.post(strategy="Beta")["status"] == "processed"
    assert Trade.objects.count() == 2
    assert Lot.objects.filter(status="open").count() == len(answers)
    assert log.rows("webhook_wal WHERE status NOT IN ('completed', 'duplicate')") == 0
    for audit in ("reconcile_positions", "audit_trades --verify-chain"):
        done(log.manage(*audit.split()))


def test_what_waits_in_it_is_replayed(log: Log) -> None:
    done(log.manage("migrate", "--database=wal"))
    done(log.manage("partition_log"))
    with Server(**{**log.environment, "DATABASE_URL": NOWHERE}) as server:
        assert server.post().code == "DATABASE_UNAVAILABLE"
        server.kill()
    done(log.manage("replay_wal"))
    assert Lot.objects.count() == 1


def test_months_are_made_beforehand_and_dropped_when_pruned_empty(log: Log, served: Server) -> None:
    assert served.post()["status"] == "processed"
    assert log.keep_up(in_month=0) == ([], []), "nobody has asked for months"
    done(log.manage("partition_log"))
    past = f"webhook_wal_before_{month(1)}"
    assert log.keep_up(in_month=0) == ([], [])
    # Nobody has pruned for five months: what came meanwhile went into the last partition.
    for number in (1, 4, 5):
        log.connection.execute(
            "INSERT INTO webhook_wal (correlation_id, body, envelope, book, status, attempts,"
            " last_error, received_at, claimed_by) SELECT gen_random_uuid(), '', '{}', '-',"
            " 'failed', 1, '', date_trunc('month', now(), 'UTC') + make_interval("
            "months => %s, days => 2), ''",
            [number],
        )
    assert log.rows("webhook_wal_later") == 2
    made, dropped = log.keep_up(in_month=5)
    # Two that were empty are gone; the others hold something.
    assert dropped == [f"webhook_wal_{month(number)}" for number in (2, 3)]
    assert f"webhook_wal_{month(5)}" in made
    assert (log.rows("webhook_wal_later"), log.rows(f"webhook_wal_{month(5)}")) == (1, 1)
    log.connection.execute("DELETE FROM webhook_wal WHERE status = 'completed'")
    assert log.keep_up(in_month=5) == ([], [past])
    assert log.rows("webhook_wal") == 3


def test_prune_keeps_it_up(log: Log, served: Server) -> None:
    served.post(action="nonsense")
    done(log.manage("partition_log"))
    last = f"webhook_wal_{month(3)}"
    log.connection.execute(f"DROP TABLE {last}")
    log.connection.execute("UPDATE webhook_wal SET received_at = now() - interval '100 days'")
    log.connection.execute("UPDATE webhook_wal SET settled_at = received_at")
    assert last in done(log.manage("prune"))
    assert log.rows("webhook_wal") == 0


def test_a_backup_holds_all_months(log: Log, served: Server, tmp_path: Path) -> None:
    served.post()
    done(log.manage("partition_log"))
    served.post(symbol="OTHER")
    served.stop()
    file = tmp_path / "backup.zip"
    done(log.manage("backup", "--to", str(file)))
    log.connection.execute("DELETE FROM webhook_wal")
    done(log.manage("restore", str(file), "--yes"))
    assert log.rows("webhook_wal") == 2
    assert len(log.partitions()) == 5
    with Server(**log.environment) as again:
        assert again.post(symbol="THIRD")["wal_id"] == 3
    done(log.manage("reconcile_positions"))


def test_only_a_log_on_postgresql_and_only_once(log: Log, served: Server) -> None:
    done(log.manage("partition_log"))
    again = log.manage("partition_log")
    assert (again.returncode, "already" in again.stderr) == (2, True)
    in_a_file = in_process("partition_log")
    assert (in_a_file.returncode, "WAL_DATABASE_URL" in in_a_file.stderr) == (2, True)


def test_who_holds_the_log_keeps_it_as_it_is(log: Log, served: Server) -> None:
    with log.connection.transaction():
        log.connection.execute("SELECT 1 FROM webhook_wal")
        kept_out = log.manage("partition_log")
    assert (kept_out.returncode, "Nothing has changed" in kept_out.stderr) == (1, True)
    assert log.partitions() == []
    assert served.post()["status"] == "processed"
