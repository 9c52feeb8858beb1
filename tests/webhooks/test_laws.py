"""Laws that hold for any sequence of alerts, from the request to the tables."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any

from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from positions.models import Lot
from tests.alerts import alert
from trades.models import Trade
from wal import journal
from wal.models import Entry
from webhooks.models import WebhookLog
from webhooks.replay import Choice, replay

QUANTITY = st.decimals("0.001", "1000", places=3)
PRICE = st.decimals("0.0001", "100000", places=4)
ALERTS = st.fixed_dictionaries(
    {
        "action": st.sampled_from(
            ["buy", "sell", "buy", "sell", "long", "short", "exit", "exit_long"]
        ),
        "symbol": st.sampled_from(["ES1!", "BTC"]),
        "quantity": QUANTITY,
        "price": PRICE,
        "commission": st.decimals("0", "5", places=2),
    },
    optional={"market_position": st.just("flat")},
)


def empty_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE open_positions, webhook_logs, trades, strategies CASCADE")


def take_in(alerts: list[dict[str, Any]]) -> None:
    """Append the alerts to an empty log, a second apart, and let replay apply them."""
    Entry.objects.all().delete()
    empty_tables()
    first = datetime.now(UTC) - timedelta(seconds=len(alerts) + 1)
    for number, fields in enumerate(alerts):
        moment = first + timedelta(seconds=number)
        message = alert(**fields, order_id=str(number), time=moment.isoformat())
        entry = journal.append(
            json.dumps(message, default=str).encode(),
            correlation_id=uuid.uuid4(),
            received_at=moment,
            envelope={},
        ).wait()
        journal.release(entry.pk, book="", error="")
    replay_everything()


def replay_everything() -> None:
    for replayed in replay(Choice()):
        assert replayed.outcome is not None, replayed.fault


def history() -> list[tuple[Any, ...]]:
    """All trades and lots without their ids, by the alerts that made them."""
    lots = Lot.objects.select_related("trade", "entry_webhook_log", "exit_webhook_log")
    return sorted(
        (
            lot.entry_webhook_log.correlation_id,
            lot.exit_webhook_log.correlation_id if lot.exit_webhook_log else uuid.UUID(int=0),
            lot.status,
            lot.direction,
            lot.quantity,
            lot.entry_price,
            lot.entry_commission,
            lot.trade and (lot.trade.quantity, lot.trade.exit_price, lot.trade.pnl),
        )
        for lot in lots
    )  # fmt: skip


@settings(max_examples=30)
@given(st.lists(ALERTS, min_size=1, max_size=14))
def test_quantities_and_cash_are_conserved(databases: None, alerts: list[dict[str, Any]]) -> None:
    take_in(alerts)
    with localcontext(Context(prec=200)):
        for symbol, point_value in (("ES1!", 50), ("BTC", 1)):
            logs = WebhookLog.objects.filter(symbol=symbol, status="processed")
            lots = Lot.objects.filter(symbol=symbol)
            # Quantities: what each alert traded is what its lots hold.
            for log in logs:
                entered = sum(lot.quantity for lot in lots if lot.entry_webhook_log_id == log.pk)
                exited = sum(lot.quantity for lot in lots if lot.exit_webhook_log_id == log.pk)
                assert entered + exited == log.quantity
            # Lots never face both ways.
            held = lots.filter(status="open")
            assert len({lot.direction for lot in held}) <= 1
            # Cash: what buying and selling paid is what trades made, less what open
            # lots still cost.
            paid = Decimal(0)
            for log in logs:
                assert log.position_after is not None and log.position_before is not None
                assert log.price is not None
                paid -= (log.position_after - log.position_before) * log.price * point_value
                paid -= Decimal(json.loads(log.payload)["commission"])
            made = sum((trade.pnl for trade in Trade.objects.filter(symbol=symbol)), Decimal(0))
            for lot in held:
                sign = 1 if lot.direction == "long" else -1
                made -= sign * lot.quantity * lot.entry_price * point_value + lot.entry_commission
            assert made == paid


@settings(max_examples=20)
@given(st.lists(ALERTS, min_size=1, max_size=12))
def test_replaying_the_log_from_nothing_gives_the_same(
    databases: None, alerts: list[dict[str, Any]]
) -> None:
    take_in(alerts)
    once = history()
    empty_tables()
    Entry.objects.update(status="pending", webhook_log_id=None)
    replay_everything()
    assert history() == once


@settings(max_examples=10)
@given(st.lists(ALERTS, min_size=1, max_size=8))
def test_replaying_what_is_settled_changes_nothing(
    databases: None, alerts: list[dict[str, Any]]
) -> None:
    take_in(alerts)
    once = history()
    # All marks are lost, as they may be with the power.
    Entry.objects.update(status="pending", webhook_log_id=None)
    replay_everything()
    assert history() == once
    assert not Entry.objects.filter(status="pending").exists()
