"""A log on a PostgreSQL: hosts that vanish, connections that are cut or hear nothing any more."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import LockNotAvailable

from tests.chaos.proxy import Proxy
from tests.commands import in_process
from tests.installation import done
from tests.processes import eventually, suspend
from tests.server import Server
from tests.wal.elsewhere import Log
from wal.turn import PATIENCE, POSTGRES_TURN, take_turn

#: TradingView sends an alert again after 5 seconds.
SENT_AGAIN = 5.0

TURN = f"SELECT pg_advisory_xact_lock({POSTGRES_TURN})"


@pytest.fixture
def log(databases: None) -> Iterator[Log]:
    with closing(Log()) as log:
        yield log


@pytest.fixture
def way(log: Log) -> Iterator[Proxy]:
    """The way to the log."""
    with closing(Proxy(log.socket)) as way:
        yield way


def apply_in_time(server: Server, symbol: str) -> None:
    """Have an alert applied, at the latest when it is sent for the second time."""
    server.wait_until(lambda: server.post(symbol=symbol).http == 200, seconds=SENT_AGAIN)


def test_a_host_that_vanishes_in_its_turn_keeps_no_other_from_it(log: Log, tmp_path: Path) -> None:
    with (
        Server(WAL_DATABASE_URL=log.url, TRADELOG_DATA=str(tmp_path / "lost")) as lost,
        Server(WAL_DATABASE_URL=log.url, TRADELOG_DATA=str(tmp_path / "other")) as other,
        ThreadPoolExecutor(1) as client,
    ):
        assert lost.post(symbol="A").http == other.post(symbol="B").http == 200
        with log.held("LOCK TABLE webhook_wal IN SHARE MODE"):
            unanswered = client.submit(lost.post, symbol="C")
            eventually(lambda: log.is_waited_for("relation"))
            for worker in lost.workers():
                suspend(worker.pid)
        # What it had sent is carried out, and its COMMIT never comes.
        apply_in_time(other, "D")
        # It was only away, and goes on.
        for worker in lost.workers():
            worker.resume()
        assert unanswered.result().code == "WAL_UNAVAILABLE"
        apply_in_time(lost, "E")


@pytest.fixture
def hosts(databases: None) -> Iterator[tuple[BaseDatabaseWrapper, BaseDatabaseWrapper]]:
    """Two connections to a PostgreSQL, each in a transaction."""
    lost, other = (connections["default"].copy() for _ in range(2))
    with closing(lost), closing(other):
        for each in (lost, other):
            each.set_autocommit(False)
        yield lost, other


def test_a_write_that_may_take_long_may_not_say_nothing_for_long(hosts: Any) -> None:
    lost, other = hosts
    take_turn(lost, seconds=math.inf, durable=True)
    take_turn(other, seconds=20, durable=True)


def test_a_host_that_vanishes_amid_a_statement_keeps_its_turn_no_longer(
    together: None, hosts: Any
) -> None:
    """PostgreSQL waits for the rest of it, and so does not count the host as idle."""
    lost, other = hosts
    take_turn(lost, seconds=0.5, durable=True)
    half_said = lost.connection.pgconn
    half_said.enter_pipeline_mode()
    half_said.send_query_params(b"SELECT 1", None)
    half_said.flush()
    take_turn(other, seconds=20, durable=True)


def test_who_had_no_turn_is_told_so(hosts: Any) -> None:
    busy, other = hosts
    with busy.cursor() as cursor:
        cursor.execute(TURN)
    with pytest.raises(OperationalError) as told:
        take_turn(other, seconds=0.5, durable=True)
    assert isinstance(told.value.__cause__, LockNotAvailable)


def test_who_had_no_turn_in_time_stands_in_no_ones_way(log: Log) -> None:
    with Server(WAL_DATABASE_URL=log.url) as server:
        assert server.post().http == 200
        with log.held(TURN):
            assert server.post(symbol="OTHER").code == "WAL_UNAVAILABLE"
            eventually(lambda: not log.is_waited_for("advisory"))


@pytest.mark.parametrize("command", ["prune", "replay_wal --restored"])
def test_what_takes_as_long_as_it_takes_waits_for_its_turn(log: Log, command: str) -> None:
    with Server(WAL_DATABASE_URL=log.url) as server:
        assert server.post(action="nonsense").http == 400
    log.execute("UPDATE webhook_wal SET received_at = now() - interval '100 days'")
    with ThreadPoolExecutor(1) as meanwhile:
        with log.held(TURN):
            done = meanwhile.submit(in_process, *command.split(), WAL_DATABASE_URL=log.url)
            eventually(lambda: log.is_waited_for("advisory", seconds=1.1 * PATIENCE))
        assert done.result().returncode == 0, done.result().stderr


def test_connections_that_hear_nothing_any_more_are_given_up(log: Log, way: Proxy) -> None:
    """The log's address leads to another server from now on, and the old one says nothing."""
    with Server(WAL_DATABASE_URL=log.url_by(way.port)) as server:
        assert server.post(symbol="A").http == server.get("/health/ready").http == 200
        way.lose()
        apply_in_time(server, "B")
        server.wait_until(lambda: server.get("/health/ready").http == 200, seconds=SENT_AGAIN)


@pytest.mark.parametrize(
    "read",
    [
        "from wal.line import line; line([], [], up_to=1, most=1)",
        "from wal import journal, steps; steps.PATIENCE = 1; next(steps.walk(journal.free()))",
        "from wal import steps; from webhooks.settler import settler; steps.PATIENCE = 1;"
        " settler()._adopt({1})",
    ],
)
def test_who_reads_a_log_that_says_nothing_gives_up(log: Log, read: str) -> None:
    done(in_process("migrate", "--database=wal", WAL_DATABASE_URL=log.url))
    with log.held("LOCK TABLE webhook_wal"):
        gave_up = in_process("shell", "-c", read, WAL_DATABASE_URL=log.url)
    assert gave_up.returncode == 1
    assert "no answer in time" in gave_up.stderr


def test_connections_that_were_cut_refuse_no_alert(log: Log) -> None:
    with Server(WAL_DATABASE_URL=log.url) as server:
        # Requests have left connections in the pool, and the log's threads have one each.
        assert server.post(symbol="A").http == server.get("/health/ready").http == 200
        log.cut()
        assert server.get("/health/ready").http == 200
        log.cut()
        assert server.post(symbol="B").http == 200


@pytest.mark.parametrize(
    ("chosen", "appended"), [("off", "on"), ("remote_apply", "remote_apply"), ("local", "local")]
)
def test_an_alert_is_on_disk_whatever_the_database_is_set_to(
    log: Log, chosen: str, appended: str
) -> None:
    for statement in (
        f"ALTER DATABASE {log.NAME} SET synchronous_commit = {chosen}",
        "CREATE TABLE seen (operation text, setting text)",
    ):
        log.execute(statement)
    with Server(WAL_DATABASE_URL=log.url) as server:
        log.execute(
            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen"
            " VALUES (TG_OP, current_setting('synchronous_commit')); RETURN NULL; END $$;"
            "CREATE TRIGGER seen AFTER INSERT OR UPDATE ON webhook_wal"
            " FOR EACH STATEMENT EXECUTE FUNCTION see()"
        )
        assert server.post().http == 200
    assert log.holds(
        f"SELECT bool_and(setting = '{appended}') FROM seen WHERE operation = 'INSERT'"
    )
    assert log.holds("SELECT bool_and(setting = 'off') FROM seen WHERE operation = 'UPDATE'")
