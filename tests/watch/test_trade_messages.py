"""Messages about entries, exits and reversals: each once, with its P&L, grouped in a burst."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from tests.alerts import Poster
from tests.watch.receiving import Heard, Receiver
from trades.models import Strategy
from watch.models import Progress
from watch.receivers import receivers
from watch.trade_messages import tell_trades
from watch.watching import Watch
from webhooks.models import WebhookLog

MINUTE = timedelta(minutes=1)


@pytest.fixture
def trading(post: Poster, receiver: Receiver, settings: Settings) -> Iterator[Poster]:
    """Trades are told from now on."""
    settings.ALERT_TRADES = True
    # Only they: the alerts tell times of long ago.
    settings.ALERT_SILENCE_FACTOR = 0
    Watch().look()
    yield post


def told(receiver: Receiver) -> list[Heard]:
    """What is told once it has all been committed for a while."""
    Watch().look(timezone.now() + MINUTE)
    return receiver.taken()


def at(hour: int) -> str:
    return f"2026-01-05T{hour:02}:00:00Z"


def test_entry_exit_and_reversal_with_their_pnl(trading: Poster, receiver: Receiver) -> None:
    trading(quantity="2", price="100", currency="USDT")
    assert told(receiver) == [
        Heard("Alpha: entry", "Alpha on BINANCE:BTCUSDT: entry, 2 at 100, now long 2")
    ]
    trading(action="sell", quantity="0.5", price="110", currency="USDT", time=at(15))
    assert told(receiver) == [
        Heard(
            "Alpha: exit in part",
            "Alpha on BINANCE:BTCUSDT: exit in part, 0.5 at 110, now long 1.5, P&L +5 USDT",
        )
    ]
    trading(action="sell", quantity="2.5", price="90", currency="USDT", time=at(16))
    assert told(receiver) == [
        Heard(
            "Alpha: reversal",
            "Alpha on BINANCE:BTCUSDT: reversal, 2.5 at 90, now short 1, P&L −15 USDT",
        )
    ]
    trading(action="exit", quantity=None, price="80", currency="USDT", time=at(17))
    assert told(receiver) == [
        Heard("Alpha: exit", "Alpha on BINANCE:BTCUSDT: exit, 1 at 80, now flat, P&L +10 USDT")
    ]


def test_none_is_told_twice_nor_before_it_is_certain(trading: Poster, receiver: Receiver) -> None:
    trading()
    Watch().look()
    assert receiver.taken() == [], "an alert before it may yet be committed"
    assert len(told(receiver)) == 1
    assert told(receiver) == []


def test_none_is_passed_over_that_may_yet_come(trading: Poster, receiver: Receiver) -> None:
    """An id is given out, and its transaction takes long."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('webhook_logs', 'id')), pg_current_xact_id()"
        )
        trading()
        assert told(receiver) == []
        cursor.execute("ROLLBACK")
    other.close()
    assert [heard.title for heard in told(receiver)] == ["Alpha: entry"]


def test_who_only_reads_holds_nothing_up(trading: Poster, receiver: Receiver) -> None:
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT id FROM webhook_logs")
        trading()
        assert [heard.title for heard in told(receiver)] == ["Alpha: entry"]
        cursor.execute("ROLLBACK")
    other.close()


def test_what_was_there_before_is_not_told(post: Poster, receiver: Receiver) -> None:
    post()
    Watch().look()
    Strategy.objects.update(tell_trades=True)
    assert told(receiver) == []
    assert Progress.load().told_up_to == WebhookLog.objects.get().pk
    post(action="exit", quantity=None, time=at(15))
    assert [heard.title for heard in told(receiver)] == ["Alpha: exit"]


def test_a_strategy_says_whether_its_trades_are_told(
    trading: Poster, receiver: Receiver, settings: Settings
) -> None:
    for name in ("Beta", "Gamma"):
        trading(strategy=name)
    Strategy.objects.filter(name="Beta").update(tell_trades=False)
    assert [heard.title for heard in told(receiver)] == ["Gamma: entry"]
    settings.ALERT_TRADES = False
    Strategy.objects.filter(name="Beta").update(tell_trades=True)
    for name in ("Beta", "Gamma"):
        trading(strategy=name, action="exit", quantity=None, time=at(15))
    assert [heard.title for heard in told(receiver)] == ["Beta: exit"]


def test_what_trades_nothing_is_not_told(trading: Poster, receiver: Receiver) -> None:
    trading(is_test=True)
    trading()
    trading()
    trading(price="-1", time=at(15))
    assert [heard.title for heard in told(receiver) if "entry" in heard.title] == ["Alpha: entry"]
    assert WebhookLog.objects.count() == 3


def test_an_exit_that_waited_for_its_entry_is_told_after_it(
    trading: Poster, receiver: Receiver
) -> None:
    assert trading(action="exit", quantity=None, price="110", time=at(15))["status"] == "parked"
    parked = WebhookLog.objects.get()
    assert told(receiver) == []
    assert Progress.load().parked == [parked.pk]
    trading(price="100", time=at(14))
    parked.refresh_from_db()
    assert parked.status == "processed"
    (heard,) = told(receiver)
    assert heard.title == "tradelog: 2 orders"
    assert [line.split(", ")[0] for line in heard.text.splitlines()] == [
        "Alpha on BINANCE:BTCUSDT: entry",
        "Alpha on BINANCE:BTCUSDT: exit",
    ]
    assert heard.text.endswith("now flat, P&L +10")
    assert Progress.load().parked == []
    assert told(receiver) == []


@pytest.mark.parametrize("statement", range(4))
def test_an_exit_let_through_while_one_looks_is_told(
    trading: Poster, receiver: Receiver, statement: int
) -> None:
    """Before the first, the second, … of the statements about alerts."""
    trading(action="exit", quantity=None, price="110", time=at(15))
    assert told(receiver) == []
    statements = count()

    def let_through(execute: Any, sql: str, *rest: Any) -> Any:
        if '"webhook_logs"' in sql and next(statements) == statement:
            trading(price="100", time=at(14))
        return execute(sql, *rest)

    with connection.execute_wrapper(let_through):
        tell_trades(receivers(), timezone.now() + MINUTE)
    if next(statements) <= statement:
        trading(price="100", time=at(14))
    assert WebhookLog.objects.filter(status="processed").count() == 2
    heard = [*told(receiver), *told(receiver)]
    lines = [line.split(", ")[0] for each in heard for line in each.text.splitlines()]
    assert sorted(lines) == [
        "Alpha on BINANCE:BTCUSDT: entry",
        "Alpha on BINANCE:BTCUSDT: exit",
    ]


def test_an_exit_is_told_no_sooner_than_its_entry(trading: Poster, receiver: Receiver) -> None:
    trading(action="exit", quantity=None, price="110", time=at(15))
    assert told(receiver) == []
    trading(price="100", time=at(14))
    Watch().look(WebhookLog.objects.latest("processed_at").processed_at)
    assert receiver.taken() == []
    assert [heard.title for heard in told(receiver)] == ["tradelog: 2 orders"]


def test_what_a_clock_ahead_processed_is_told(trading: Poster, receiver: Receiver) -> None:
    trading()
    WebhookLog.objects.update(processed_at=timezone.now() + timedelta(hours=5))
    assert [heard.title for heard in told(receiver)] == ["Alpha: entry"]


def test_a_burst_is_one_message(trading: Poster, receiver: Receiver) -> None:
    for number in range(25):
        trading(symbol=f"X:{number}")
    (heard,) = told(receiver)
    assert heard.title == "tradelog: 25 orders"
    lines = heard.text.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (
        21, "Alpha on X:0: entry, 1 at 100, now long 1", "and 5 more",
    )  # fmt: skip


def test_an_older_database_was_put_back(trading: Poster, receiver: Receiver) -> None:
    Progress.objects.update(told_up_to=10**9, parked=[10**9 - 1])
    trading()
    assert told(receiver) == []
    trading(action="exit", quantity=None, time=at(15))
    assert [heard.title for heard in told(receiver)] == ["Alpha: exit"]
