"""Alerts that arrive at the same moment, at a real server with two worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest

from positions.models import Lot
from tests.alerts import Answer
from tests.server import Server
from trades.models import Trade
from wal.models import Entry
from webhooks.models import WebhookLog


@pytest.fixture
def server(databases: None) -> Iterator[Server]:
    with Server(ANSWER_SECONDS="20", WORKERS="2") as running:
        yield running


def at_once(server: Server, messages: list[dict[str, Any]]) -> list[Answer]:
    """Post all of them over connections of their own, released together."""
    barrier = Barrier(len(messages))

    def send(fields: dict[str, Any]) -> Answer:
        connection = server.connection()
        connection.connect()
        barrier.wait()
        try:
            return server.post(connection=connection, **fields)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(messages)) as pool:
        return list(pool.map(send, messages))


def test_the_same_alert_50_times_is_one_trade(server: Server) -> None:
    server.post()
    leaving = {"action": "exit", "price": "110", "time": "2026-01-05T15:00:00Z"}
    answers = at_once(server, [leaving] * 50)

    assert sorted(answer["status"] for answer in answers) == ["duplicate"] * 49 + ["processed"]
    assert {answer.http for answer in answers} == {200}
    assert {answer["trade_id"] for answer in answers} == {Trade.objects.get().pk}
    assert len({answer["webhook_log_id"] for answer in answers}) == 1
    assert Entry.objects.filter(status="duplicate").count() == 49


def test_an_entry_and_its_exit_at_the_same_moment_are_one_closed_trade(server: Server) -> None:
    for number in range(20):
        book = {"symbol": f"S{number}"}
        answers = at_once(server, [book | {"action": "exit", "price": "110"}, book])
        assert {answer.http for answer in answers} <= {200, 202}
        assert Lot.objects.filter(symbol=book["symbol"]).values_list("status").get() == ("closed",)
        assert Trade.objects.get(symbol=book["symbol"]).pnl == Decimal(10)
    assert not WebhookLog.objects.exclude(status="processed").exists()
    assert not Entry.objects.exclude(status="completed").exists()


def test_orders_of_one_book_are_applied_in_log_order(server: Server) -> None:
    orders = [
        {
            "action": "buy" if number % 3 else "sell",
            "quantity": str(number + 1),
            "order_id": str(number),
        }
        for number in range(40)
    ]
    answers = at_once(server, orders)
    assert {answer["status"] for answer in answers} == {"processed"}

    # Each order found exactly the position that the one before it in the log left.
    position = Decimal(0)
    for log in WebhookLog.objects.order_by("wal_id"):
        assert log.position_before == position
        assert log.position_after is not None
        position = log.position_after
    bought = sum(int(order["quantity"]) for order in orders if order["action"] == "buy")
    sold = sum(int(order["quantity"]) for order in orders if order["action"] == "sell")
    assert position == bought - sold


def test_different_books_at_once_do_not_wait_for_one_another(server: Server) -> None:
    answers = at_once(server, [{"symbol": f"S{number}"} for number in range(60)])
    assert {answer["status"] for answer in answers} == {"processed"}
    assert Lot.objects.filter(status="open").count() == 60
