"""The checker finds each kind of damage: one that cannot fail would prove nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from tests.alerts import Poster
from tests.chaos.checker import check
from tests.chaos.findings import Kind
from tests.chaos.load import Answer, Delivery
from tests.chaos.plan import alerts
from tests.chaos.tables import Tables, read_tables


@dataclass
class Session:
    """A quiet session, and transactions of our own on both databases to damage it in."""

    deliveries: list[Delivery]
    main: psycopg.Connection[Any]
    log: sqlite3.Connection

    def tables(self) -> Tables:
        return read_tables(self.main, [self.log])

    def found(self, tables: Tables | None = None) -> set[Kind]:
        found = check(self.deliveries, tables or self.tables(), park_seconds=settings.PARK_SECONDS)
        return {finding.kind for finding in found}


@pytest.fixture
def session(post: Poster) -> Iterator[Session]:
    deliveries = []
    for alert in islice(alerts(seed=7), 60):
        answer = post(alert.body)
        delivery = Delivery(alert, [Answer(0.0, 0.0, answer.http, answer.body)])
        deliveries.append(delivery)
    main = connections["default"].settings_dict
    reached = {"host": main["HOST"], "port": main["PORT"] or None, "user": main["USER"]}
    password = main["PASSWORD"] or None
    with (
        psycopg.connect(dbname=main["NAME"], password=password, **reached) as connection,
        closing(sqlite3.connect(connections["wal"].settings_dict["NAME"])) as log,
    ):
        yield Session(deliveries, connection, log)
        log.rollback()
        connection.rollback()


def test_finds_nothing_wrong_in_a_quiet_session(session: Session) -> None:
    told = {delivery.last.status for delivery in session.deliveries}
    assert told == {"processed", "duplicate", "parked"}
    assert session.found() == set()


_A_TRADE = "(SELECT min(id) FROM trades)"
_AN_OPEN_LOT = "(SELECT min(id) FROM open_positions WHERE status = 'open')"
_A_CLOSED_LOT = "(SELECT min(id) FROM open_positions WHERE status = 'closed')"
_AN_ALERT = "(SELECT min(id) FROM webhook_logs WHERE status = 'processed')"
_TRADE = """strategy_id, symbol, direction, quantity, entry_price, exit_price, entry_time,
    exit_time, point_value, commission, pnl, currency, created_at"""
_LOT = """strategy_id, symbol, direction, quantity, entry_price, entry_time, entry_commission,
    status, entry_webhook_log_id, exit_webhook_log_id"""

#: What is done to the main database, and what must be found.
MAIN_DAMAGE = [
    (f"DELETE FROM webhook_logs WHERE id = {_AN_ALERT}", Kind.LOST),
    (
        f"""WITH twice AS (INSERT INTO trades ({_TRADE})
                SELECT {_TRADE} FROM trades WHERE id = {_A_TRADE} RETURNING id)
            INSERT INTO open_positions ({_LOT}, trade_id)
            SELECT {_LOT}, (SELECT id FROM twice)
              FROM open_positions WHERE trade_id = {_A_TRADE}""",
        Kind.DOUBLED,
    ),
    (
        f"""INSERT INTO open_positions ({_LOT})
            SELECT {_LOT} FROM open_positions WHERE id = {_AN_OPEN_LOT}""",
        Kind.DOUBLED,
    ),
    (f"UPDATE open_positions SET trade_id = NULL WHERE id = {_A_CLOSED_LOT}", Kind.HALF),
    (f"DELETE FROM trades WHERE id = {_A_TRADE}", Kind.HALF),
    (f"DELETE FROM open_positions WHERE trade_id = {_A_TRADE}", Kind.HALF),
    (f"DELETE FROM open_positions WHERE id = {_AN_OPEN_LOT}", Kind.HALF),
    ("UPDATE webhook_logs SET trade_id = NULL WHERE trade_id IS NOT NULL", Kind.HALF),
    (
        f"""UPDATE webhook_logs SET status = 'failed', error_code = 'NO_OPEN_POSITION'
             WHERE id = {_AN_ALERT}""",
        Kind.DISAGREEMENT,
    ),
    ("UPDATE webhook_logs SET wal_id = wal_id + 90 WHERE id % 2 = 0", Kind.OUT_OF_ORDER),
    (
        f"UPDATE open_positions SET quantity = quantity * 2 WHERE id = {_AN_OPEN_LOT}",
        Kind.WRONG_BOOK,
    ),
    (
        f"UPDATE open_positions SET entry_price = entry_price + 1 WHERE id = {_A_CLOSED_LOT}",
        Kind.WRONG_BOOK,
    ),
    (f"UPDATE trades SET pnl = pnl + 0.001 WHERE id = {_A_TRADE}", Kind.WRONG_BOOK),
    (
        f"""UPDATE trades SET pnl = pnl + CASE WHEN id = {_A_TRADE} THEN 1 ELSE -1 END
             WHERE id IN (SELECT id FROM trades WHERE (strategy_id, symbol) =
                (SELECT strategy_id, symbol FROM trades WHERE id = {_A_TRADE})
                 ORDER BY id LIMIT 2)""",
        Kind.WRONG_BOOK,
    ),
    (f"UPDATE trades SET quantity = quantity / 2 WHERE id = {_A_TRADE}", Kind.WRONG_BOOK),
    (
        f"UPDATE trades SET commission = commission + 1, pnl = pnl - 1 WHERE id = {_A_TRADE}",
        Kind.WRONG_BOOK,
    ),
    (
        f"""UPDATE webhook_logs SET payload = replace(payload, 'order-', 'stranger-')
             WHERE id = {_AN_ALERT}""",
        Kind.UNKNOWN,
    ),
]

_AN_ENTRY = "id = (SELECT min(id) FROM webhook_wal WHERE status = 'completed')"

#: The same for the log.
LOG_DAMAGE = [
    (f"DELETE FROM webhook_wal WHERE {_AN_ENTRY}", Kind.LOST),
    (f"UPDATE webhook_wal SET status = 'pending' WHERE {_AN_ENTRY}", Kind.LEFT),
    (f"UPDATE webhook_wal SET status = 'parked' WHERE {_AN_ENTRY}", Kind.LEFT),
    (
        f"""UPDATE webhook_wal SET status = 'processing', claimed_by = 'x', claimed_until = 0
             WHERE {_AN_ENTRY}""",
        Kind.LEFT,
    ),
    (f"UPDATE webhook_wal SET status = 'failed' WHERE {_AN_ENTRY}", Kind.DISAGREEMENT),
    (f"UPDATE webhook_wal SET webhook_log_id = 0 WHERE {_AN_ENTRY}", Kind.DISAGREEMENT),
    ("UPDATE webhook_wal SET status = 'completed' WHERE status = 'duplicate'", Kind.DOUBLED),
    ("UPDATE webhook_wal SET webhook_log_id = 0 WHERE status = 'duplicate'", Kind.DISAGREEMENT),
    (
        f"UPDATE webhook_wal SET body = replace(body, 'order-', 'x-') WHERE {_AN_ENTRY}",
        Kind.UNKNOWN,
    ),
]


@pytest.mark.parametrize(("database", "damage"), [("main", MAIN_DAMAGE), ("log", LOG_DAMAGE)])
def test_finds_damage(
    session: Session, database: str, damage: list[tuple[Any, Kind]], subtests: pytest.Subtests
) -> None:
    connection = getattr(session, database)
    for statement, expected in damage:
        with subtests.test(statement):
            assert connection.execute(statement).rowcount > 0, "nothing was damaged"
            assert expected in session.found()
        connection.rollback()
        assert session.found() == set()


def test_finds_an_alert_that_is_there_twice(session: Session) -> None:
    """Constraints of the databases keep this from being written; the checker does not need it."""
    tables = session.tables()
    entry, log = tables.entries[0], tables.logs[0]
    for doubled in (
        replace(tables, entries=[*tables.entries, entry]),
        replace(tables, logs=[*tables.logs, log]),
        replace(tables, entries=[*tables.entries, replace(entry, correlation_id=uuid4())]),
        replace(tables, logs=[*tables.logs, replace(log, correlation_id=uuid4())]),
    ):
        assert Kind.DOUBLED in session.found(doubled)


def test_each_of_two_logs_has_an_order_of_its_own(session: Session) -> None:
    """Between two, ids tell nothing; within one, they do."""
    tables = session.tables()
    # Every second entry as if far more had come before it.
    entries = [replace(one, id=one.id + 1000 * (one.id % 2)) for one in tables.entries]
    logs = [replace(one, wal_id=one.wal_id + 1000 * (one.wal_id % 2)) for one in tables.logs]
    in_one = replace(tables, entries=entries, logs=logs)
    assert Kind.OUT_OF_ORDER in session.found(in_one)
    in_two = replace(in_one, entries=[replace(one, log=one.id % 2) for one in entries])
    # The answers told the ids that were changed here.
    assert session.found(in_two) == {Kind.MISANSWERED}
    logs = [replace(one, wal_id=-one.wal_id) for one in tables.logs]
    assert Kind.OUT_OF_ORDER in session.found(replace(in_two, logs=logs))


def test_finds_an_answer_that_told_something_else(
    session: Session, subtests: pytest.Subtests
) -> None:
    delivery = next(each for each in session.deliveries if each.last.status == "processed")
    answered = delivery.last
    tables = session.tables()
    for told, expected in (
        ({"status": "parked"}, Kind.MISANSWERED),
        ({"status": "duplicate"}, Kind.MISANSWERED),
        ({"webhook_log_id": 0}, Kind.MISANSWERED),
        ({"wal_id": 0}, Kind.MISANSWERED),
        ({"trade_ids": [0]}, Kind.MISANSWERED),
        ({"correlation_id": str(UUID(int=0))}, Kind.LOST),
    ):
        with subtests.test(str(told)):
            delivery.answers = [replace(answered, body={**answered.body, **told})]
            assert session.found(tables) == {expected}
    delivery.answers = [replace(answered, http=400, body={"status": "rejected"})]
    assert session.found(tables) == {Kind.MISANSWERED}, "this alert was refused for good"
