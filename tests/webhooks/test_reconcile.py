"""Reconciliation finds what does not hold, and mends what the log tells how to."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from positions.models import Lot, Reconciliation
from tests.alerts import Poster, alert
from tests.damage import DAMAGES, copy_of, forget_trade, tables
from tests.webhooks.test_laws import PRICE, QUANTITY, empty_tables, replay_everything
from trades.models import Strategy, Trade
from wal import journal
from wal.models import Entry
from webhooks.models import WebhookLog
from webhooks.reconcile import find, mend

ALERTS = st.fixed_dictionaries(
    {
        "action": st.sampled_from(
            ["buy", "sell", "buy", "sell", "long", "short", "exit", "exit_long"]
        ),
        "symbol": st.sampled_from(["ES1!", "ES1!", "BTC"]),
        "quantity": st.none() | QUANTITY,
        "price": PRICE,
        "commission": st.decimals("0", "5", places=2),
        # An exit without a time of its own waits for the entry that follows it.
        "is_timed": st.booleans(),
    },
    optional={"pnl": st.decimals("-100", "100", places=2), "is_test": st.booleans()},
)


def take_in(alerts: list[dict[str, Any]]) -> None:
    """Apply the alerts, a second apart, from nothing."""
    Entry.objects.all().delete()
    empty_tables()
    first = datetime.now(UTC) - timedelta(seconds=len(alerts) + 1)
    for number, given_fields in enumerate(alerts):
        fields = dict(given_fields)
        moment = first + timedelta(seconds=number)
        time = moment.isoformat() if fields.pop("is_timed") else None
        log(alert(**fields, order_id=str(number), time=time), received_at=moment)
    replay_everything()


def log(message: dict[str, Any], *, received_at: datetime) -> Entry:
    """Put an alert into the log, not applied."""
    entry = journal.append(
        json.dumps(message, default=str).encode(),
        correlation_id=uuid.uuid4(),
        received_at=received_at,
        envelope={},
    ).wait()
    journal.release(entry.pk, book="", error="")
    return entry


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


@settings(max_examples=25)
@given(st.lists(ALERTS, min_size=1, max_size=14))
def test_nothing_is_found_after_valid_alerts(databases: None, alerts: list[dict[str, Any]]) -> None:
    take_in(alerts)
    assert find() == []


@pytest.mark.parametrize("damage", sorted(DAMAGES))
@settings(max_examples=3)
@given(alerts=st.lists(ALERTS, min_size=2, max_size=10), data=st.data())
def test_any_one_damage_is_found_and_mended(
    databases: None, damage: str, alerts: list[dict[str, Any]], data: st.DataObject
) -> None:
    take_in(alerts)
    right = tables()
    DAMAGES[damage](lambda rows: data.draw(st.sampled_from(rows)) if rows else None)
    wrong = tables()
    assume(wrong != right)

    found = find()
    assert found, "unnoticed"
    assert tables() == wrong, "looking changed something"
    assert [one for one in found if not one.mendable] == []

    mended, left = mend()
    assert left == []
    assert tables() == right
    assert mended
    assert mend() == ([], [])


def test_a_right_row_keeps_its_id(post: Poster) -> None:
    post(quantity="3")
    post(action="sell", quantity="1", price="110", time="2026-01-05T15:00:00Z")
    post(action="sell", quantity="1", price="120", time="2026-01-05T15:30:00Z")
    first, second = Trade.objects.order_by("id")
    lots = set(Lot.objects.values_list("pk", flat=True))
    forget_trade(first)
    mend()
    assert set(Lot.objects.values_list("pk", flat=True)) == lots
    assert Trade.objects.filter(pk=second.pk).exists()
    assert Trade.objects.count() == 2


def test_the_record_holds_whole_rows_before_and_after(post: Poster) -> None:
    post()
    post(action="sell", price="110", time="2026-01-05T15:00:00Z")
    trade = Trade.objects.get()
    Trade.objects.update(pnl=99)
    duplicate = copy_of(trade)
    (mended,), left = mend()
    assert left == []
    record = Reconciliation.objects.get()
    assert record.pk == mended.reconciliation
    assert record.strategy is not None
    assert (record.strategy.name, record.symbol) == ("Alpha", "BINANCE:BTCUSDT")
    before = {row["id"]: row["pnl"] for row in record.before["trades"]}
    assert before == {trade.pk: "99", duplicate.pk: "99"}
    (after,) = record.after["trades"]
    assert (after["id"], after["pnl"], after["exit_price"]) == (trade.pk, "10", "110")
    assert set(after) == {field.attname for field in Trade._meta.concrete_fields}
    assert {finding["kind"] for finding in record.findings} == {
        "pnl_does_not_follow",
        "duplicate_trade",
    }
    assert "open_positions" not in record.before, "the lot was right"


def test_an_open_lot_is_put_back_in_its_place_of_the_queue(post: Poster) -> None:
    for number in range(3):
        post(price=f"{100 + number}", time=f"2026-01-05T14:3{number}:00Z")
    middle = Lot.objects.order_by("id")[1]
    middle.delete()
    mend()
    assert [lot.entry_price for lot in Lot.objects.order_by("id")] == [100, 101, 102]


def test_where_there_is_no_place_the_lots_behind_it_move(post: Poster) -> None:
    for number in range(3):
        post(price=f"{100 + number}", time=f"2026-01-05T14:3{number}:00Z")
    first, second, third = Lot.objects.order_by("id")
    first.delete()
    # No id is free before the second: they start at 1.
    for lot, pk in ((second, 1), (third, 2)):
        Lot.objects.filter(pk=lot.pk).update(id=pk)
    mended, left = mend()
    assert mended
    assert left == []
    assert [lot.entry_price for lot in Lot.objects.order_by("id")] == [100, 101, 102]


def test_alerts_that_followed_the_damage_are_derived_too(post: Poster) -> None:
    """An exit found half of the position only; both halves come back, and what it made."""
    post()
    post(price="104", time="2026-01-05T14:31:00Z")
    Lot.objects.order_by("id")[0].delete()
    post(action="exit", quantity=None, price="110", time="2026-01-05T15:00:00Z")
    assert Trade.objects.count() == 1
    _, left = mend()
    assert left == []
    assert [trade.pnl for trade in Trade.objects.order_by("entry_price")] == [10, 6]
    leaving = WebhookLog.objects.order_by("id").last()
    assert leaving is not None
    assert (leaving.quantity, leaving.position_before, leaving.action) == (2, 2, "closed")


def test_the_default_quantity_of_then_counts(post: Poster) -> None:
    post(quantity=None)
    Strategy.objects.update(default_quantity=7)
    assert find() == []
    Lot.objects.update(quantity=5)
    _, left = mend()
    assert left == []
    assert Lot.objects.get().quantity == 1


def test_the_point_value_of_then_counts(post: Poster) -> None:
    post(symbol="ES1!")
    post(symbol="ES1!", action="sell", price="110", time="2026-01-05T15:00:00Z")
    Strategy.objects.update(point_value=3)
    assert find() == []
    Trade.objects.update(pnl=1)
    _, left = mend()
    assert left == []
    trade = Trade.objects.get()
    assert (trade.pnl, trade.point_value) == (500, 50)


def test_a_later_tolerance_flags_no_old_trade(post: Poster, settings: Any) -> None:
    post()
    post(action="sell", price="110", pnl="9.5", time="2026-01-05T15:00:00Z")
    assert Trade.objects.get().pnl_discrepancy == Decimal("-0.5")
    settings.PNL_TOLERANCE = Decimal(1)
    Lot.objects.update(quantity=2)
    _, left = mend()
    assert left == []
    assert Trade.objects.get().pnl_discrepancy == Decimal("-0.5")


def test_what_no_alert_explains_is_left_alone(post: Poster) -> None:
    post()
    post(action="sell", price="110", time="2026-01-05T15:00:00Z")
    manual = copy_of(Trade.objects.get())
    Trade.objects.filter(pk=manual.pk).update(exit_price=150, pnl=50)
    (finding,) = find()
    assert (finding.kind, finding.trades, finding.mendable) == (
        "trade_without_lot",
        (manual.pk,),
        False,
    )
    assert mend() == ([], [finding])
    assert Trade.objects.count() == 2


def test_a_book_whose_alert_cannot_be_read_is_left_alone(post: Poster) -> None:
    post()
    WebhookLog.objects.update(payload="gone")
    Lot.objects.update(quantity=2)
    mended, left = mend()
    assert mended == []
    assert left
    assert not any(finding.mendable for finding in left)
    assert Lot.objects.get().quantity == 2


def test_a_book_that_an_alert_was_lost_from_is_left_alone(post: Poster) -> None:
    post(quantity="1")
    lost = post(quantity="2", time="2026-01-05T14:31:00Z")
    post(quantity="4", time="2026-01-05T14:32:00Z")
    Lot.objects.filter(quantity=2).delete()
    WebhookLog.objects.filter(pk=lost["webhook_log_id"]).delete()
    mended, left = mend()
    assert mended == []
    assert {finding.kind for finding in left} == {"entry_without_row", "positions_do_not_follow"}
    assert not any(finding.mendable for finding in left)


def test_one_strategy_alone(post: Poster) -> None:
    for strategy in ("Alpha", "Beta"):
        post(strategy=strategy)
    Lot.objects.update(quantity=2)
    assert {finding.strategy for finding in find("Beta")} == {"Beta"}
    _, left = mend("Beta")
    assert left == []
    quantities = dict(Lot.objects.values_list("strategy__name", "quantity"))
    assert quantities == {"Alpha": 2, "Beta": 1}


def test_exits_that_waited_are_no_finding_with_a_clock_set_back(post: Poster) -> None:
    """Two exits came before their entry; by the clock, they were applied before it."""
    for price in ("110", "120"):
        post(action="exit", quantity="1", price=price, time="2026-01-05T14:40:00Z")
    entered = post(quantity="2")
    assert Trade.objects.count() == 2
    WebhookLog.objects.exclude(pk=entered["webhook_log_id"]).update(processed_at=ago(hours=1))
    assert find() == []
    damaged = Trade.objects.order_by("id")[0]
    Trade.objects.filter(pk=damaged.pk).update(pnl=1)
    _, left = mend()
    assert left == []
    assert [trade.pnl for trade in Trade.objects.order_by("id")] == [10, 20]


def test_a_clock_set_back_is_no_finding(post: Poster) -> None:
    for number in range(3):
        post(time=f"2026-01-05T14:3{number}:00Z")
    last = WebhookLog.objects.order_by("id").last()
    assert last is not None
    WebhookLog.objects.filter(pk=last.pk).update(processed_at=ago(hours=1))
    assert find() == []
