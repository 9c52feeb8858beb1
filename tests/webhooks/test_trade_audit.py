"""Trades recomputed from their alerts: each difference is told, and nothing else."""

from __future__ import annotations

import json
from decimal import Decimal as D
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from positions.models import Lot
from tests.alerts import Poster
from tests.commands import run
from tests.damage import copy_of, forget_trade
from trades.corrections import correct
from trades.models import Correction, Trade
from webhooks.models import WebhookLog
from webhooks.trade_audit import Discrepancy, audit


@pytest.fixture
def trade(post: Poster) -> Trade:
    """Long 2 from 100 to 110; beside it a short of another symbol and one of another strategy."""
    post(quantity="2")
    post(action="sell", quantity="2", price="110", commission="1", time="2026-01-05T15:00:00Z")
    post(action="sell", symbol="OTHER")
    post(action="buy", symbol="OTHER", price="90", time="2026-01-05T15:00:00Z")
    post(strategy="Beta")
    post(action="sell", strategy="Beta", price="101", time="2026-01-05T15:00:00Z")
    assert list(audit()) == []
    assert Trade.objects.count() == 3
    return Trade.objects.earliest("id")


def the_one() -> Discrepancy:
    (one,) = audit()
    return one


@pytest.mark.parametrize(
    ("column", "value", "kept", "recomputed"),
    [
        ("pnl", D("19.5"), "19.5", "19"),
        ("exit_price", D("110.000000000000000001"), "110.000000000000000001", "110"),
        ("quantity", D(3), "3", "2"),
        ("commission", D(2), "2", "1"),
        ("direction", "short", "short", "long"),
        ("currency", "EUR", "EUR", ""),
        ("pnl_reported", D(5), "5", "nothing"),
    ],
)
def test_a_changed_column(
    trade: Trade, column: str, value: Any, kept: str, recomputed: str
) -> None:
    Trade.objects.filter(pk=trade.pk).update(**{column: value})
    one = the_one()
    assert (one.trade, one.field, one.kept, one.recomputed) == (trade.pk, column, kept, recomputed)
    assert (one.strategy, one.symbol) == ("Alpha", "BINANCE:BTCUSDT")
    assert one.sentence.startswith(f"Trade {trade.pk} has {column.replace('_', ' ')} {kept}; ")


def test_a_missing_trade(trade: Trade) -> None:
    forget_trade(trade)
    one = the_one()
    assert (one.trade, one.kept) == (None, "")
    assert one.recomputed == "long 2 BINANCE:BTCUSDT from 100 to 110, P&L 19"


def test_a_trade_too_many(trade: Trade) -> None:
    other = copy_of(trade)
    one = the_one()
    assert (one.trade, one.recomputed) == (other.pk, "")
    assert one.sentence.startswith(f"No alert led to trade {other.pk}: long 2")


def test_a_book_that_cannot_be_recomputed_is_told(trade: Trade) -> None:
    entry = Lot.objects.get(trade=trade).entry_webhook_log
    WebhookLog.objects.filter(pk=entry.pk).update(payload="nonsense")
    one = the_one()
    assert "cannot be recomputed: Alert" in one.sentence
    assert one.symbol == "BINANCE:BTCUSDT"


def test_a_correction_that_does_not_follow(trade: Trade) -> None:
    user = User.objects.create_user("trader")
    correct(trade, user=user, reason="Filled lower.", exit_price=D(109))
    assert list(audit()) == []
    Correction.objects.update(pnl=99)
    one = the_one()
    assert (one.trade, one.kept, one.recomputed) == (trade.pk, "99", "17")


def test_the_command(trade: Trade) -> None:
    assert run("audit_trades") == (0, "Every trade is what its alerts come to.\n")
    Trade.objects.filter(pk=trade.pk).update(pnl=5)
    status, output = run("audit_trades")
    assert status == 1
    assert "1 difference." in output
    assert run("audit_trades", "--strategy", "Beta")[0] == 0
    status, output = run("audit_trades", "--strategy", "Alpha", "--format", "json")
    (told,) = json.loads(output)["discrepancies"]
    assert (status, told["trade"], told["kept"], told["recomputed"]) == (1, trade.pk, "5", "19")
    with pytest.raises(CommandError) as raised:
        call_command("audit_trades", strategy="Gamma")
    assert raised.value.returncode == 2


def test_a_plain_order_is_recomputed_as_it_was_booked_before_it_could_turn(post: Poster) -> None:
    """Without a quantity, one that ended on its side was netted: it closed, and opened nothing."""
    post(quantity="2")
    answer = post(action="sell", quantity=None, price="110", time="2026-01-05T15:00:00Z")
    assert answer["action"] == "reduced"
    netted = WebhookLog.objects.get(pk=answer["webhook_log_id"])
    # It told the side it ended on, and was booked all the same.
    netted.payload = json.dumps(json.loads(netted.payload) | {"market_position": "short"})
    netted.save()
    assert list(audit()) == []
