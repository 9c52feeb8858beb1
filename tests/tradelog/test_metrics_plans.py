"""A scrape reads no table, however many rows there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.factories import LotFactory, StrategyFactory, WebhookLogFactory
from tests.plans import pages_of, plan_of, questions
from tradelog import measured_state

ROWS = 30_000
BOOKS = 40


@pytest.fixture
def many_rows(databases: None) -> Iterator[None]:
    """Many alerts of a few books and many closed lots; few lots are open."""
    for number in range(BOOKS):
        StrategyFactory(name=f"S{number % 8}")
    first = WebhookLogFactory(status="processed", strategy="S0", symbol="T0")
    LotFactory(strategy=StrategyFactory(name="S0"), entry_webhook_log=first)
    with connection.cursor() as cursor:
        cursor.execute(
            _copies("webhook_logs", first.pk),
            {"rows": ROWS, "id": first.pk, "books": BOOKS},
        )
        cursor.execute(
            """
            INSERT INTO open_positions (strategy_id, symbol, direction, quantity, entry_price,
                entry_time, entry_commission, status, entry_webhook_log_id, exit_webhook_log_id)
            SELECT strategy_id, symbol, direction, quantity, entry_price, entry_time,
                entry_commission, 'closed', entry_webhook_log_id, entry_webhook_log_id
            FROM open_positions, generate_series(1, %s)
            """,
            [ROWS],
        )
        cursor.execute("VACUUM ANALYZE webhook_logs")
        cursor.execute("VACUUM ANALYZE open_positions")
    yield


def _copies(table: str, pk: int) -> str:
    """Copies of a row, spread over the books."""
    changed = {
        "correlation_id": "gen_random_uuid()",
        "idempotency_key": "'copy ' || n",
        "strategy": "'S' || n %% 8",
        "symbol": "'T' || n %% %(books)s",
        "place": "place + n",
    }
    with connection.cursor() as cursor:
        names = [
            column.name
            for column in connection.introspection.get_table_description(cursor, table)
            if column.name != "id"
        ]
    values = ", ".join(changed.get(name, name) for name in names)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table}, "
        f"generate_series(1, %(rows)s) AS n WHERE {table}.id = %(id)s"
    )


def test_a_scrape_reads_little_of_the_main_database(many_rows: None) -> None:
    measured_state._QUESTIONS["main"]._asked_again_at = float("-inf")
    with questions() as asked:
        told = Client().get("/metrics").text
    assert 'tradelog_open_lots{strategy="S0"} 1.0' in told
    assert told.count("tradelog_last_alert_timestamp_seconds{") == 8
    of_tables = [(sql, parameters) for sql, parameters in asked if "FROM" in sql]
    assert len(of_tables) == 3
    for question in of_tables:
        plan = plan_of(question)
        # Strategies are few, and asked for with a limit.
        read = {
            node["Relation Name"] for node in _nodes(plan) if node["Node Type"].endswith("Seq Scan")
        }
        assert read <= {"strategies"}, plan
        # The tables have well over a thousand pages.
        assert pages_of(plan) < 10 * BOOKS, plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
