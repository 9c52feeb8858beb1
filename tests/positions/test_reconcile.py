"""What lots and trades must hold among themselves: each finding, its book, its rows, its words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from positions.booking import Fill
from positions.expected import ExpectedBook
from positions.findings import Finding
from positions.models import Lot
from positions.netting import Intent, Order
from positions.reconcile import lot_and_trade_findings
from tests.alerts import Poster
from tests.damage import copy_of, forget_trade
from trades.direction import Direction
from trades.models import Strategy, Trade

BOOK = ("Alpha", "BINANCE:BTCUSDT")


@pytest.fixture
def closed(post: Poster) -> Trade:
    """A lot of 2, bought at 100 and sold at 110, and its trade; another lot is open."""
    post(quantity="2")
    post(action="sell", quantity="2", price="110", time="2026-01-05T15:00:00Z")
    post(quantity="3", price="105", time="2026-01-05T16:00:00Z")
    return Trade.objects.get()


def the_one(strategy: str | None = None) -> Finding:
    (finding,) = lot_and_trade_findings(strategy)
    assert (finding.strategy, finding.symbol) == BOOK
    return finding


def test_what_is_right_is_not_found(closed: Trade) -> None:
    assert list(lot_and_trade_findings()) == []


def test_closed_lot_without_trade(closed: Trade) -> None:
    lot = closed.lot
    forget_trade(closed)
    finding = the_one()
    assert finding.kind == "closed_lot_without_trade"
    assert (finding.lots, finding.alerts) == ((lot.pk,), (lot.exit_webhook_log_id,))
    assert finding.sentence == (
        f"Lot {lot.pk} (long 2 BINANCE:BTCUSDT) is closed, but there is no trade that says what "
        "it made."
    )


def test_trade_without_lot(closed: Trade) -> None:
    other = copy_of(closed)
    Trade.objects.filter(pk=other.pk).update(quantity=1, pnl=10)
    finding = the_one()
    assert (finding.kind, finding.trades) == ("trade_without_lot", (other.pk,))
    assert "long 1 BINANCE:BTCUSDT, P&L 10" in finding.sentence


def test_duplicate_trade(closed: Trade) -> None:
    other = copy_of(closed)
    finding = the_one()
    assert (finding.kind, finding.trades) == ("duplicate_trade", (other.pk, closed.pk))
    assert f"trade {closed.pk} once more" in finding.sentence
    assert "P&L of 20" in finding.sentence


@pytest.mark.parametrize(
    "differs",
    [
        {"quantity": 1, "pnl": 10},
        {"exit_price": 111, "pnl": 22},
        {"entry_price": 90, "pnl": 40},
        {"direction": "short", "pnl": -20},
        {"symbol": "ELSEWHERE"},
        {"entry_time": datetime(2026, 1, 5, tzinfo=UTC)},
        {"exit_time": datetime(2026, 1, 6, tzinfo=UTC)},
    ],
)
def test_only_an_equal_trade_is_a_duplicate(closed: Trade, differs: dict[str, Any]) -> None:
    other = copy_of(closed)
    Trade.objects.filter(pk=other.pk).update(**differs)
    (finding,) = lot_and_trade_findings()
    assert (finding.kind, finding.trades) == ("trade_without_lot", (other.pk,))


def test_lots_facing_both_ways(closed: Trade) -> None:
    held = Lot.objects.get(status="open")
    other = copy_of(held)
    Lot.objects.filter(pk=other.pk).update(direction="short", quantity=1)
    finding = the_one()
    assert (finding.kind, finding.lots) == ("lots_face_both_ways", (held.pk, other.pk))
    assert finding.sentence == "BINANCE:BTCUSDT is long 3 and short 1 at the same time."


def test_different_books_may_face_different_ways(closed: Trade, post: Poster) -> None:
    post(action="sell", symbol="OTHER")
    post(action="sell", strategy="Beta")
    assert list(lot_and_trade_findings()) == []


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"direction": "short"}, "direction"),
        ({"quantity": "2.5"}, "quantity"),
        ({"entry_price": "100.01"}, "entry price"),
        ({"entry_time": datetime(2026, 1, 5, tzinfo=UTC)}, "entry time"),
        ({"quantity": "2.5", "entry_price": 99}, "quantity, entry price"),
    ],
)
def test_trade_differs_from_its_lot(closed: Trade, change: dict[str, Any], differs: str) -> None:
    lot = closed.lot
    Lot.objects.filter(pk=lot.pk).update(**change)
    finding = the_one()
    assert finding.kind == "trade_differs_from_lot"
    assert (finding.lots, finding.trades) == ((lot.pk,), (closed.pk,))
    assert finding.sentence == f"Trade {closed.pk} and its lot {lot.pk} differ in {differs}."


@pytest.mark.parametrize(
    ("change", "due"),
    [
        ({"pnl": "20.000000000000000001"}, "20"),
        ({"commission": 1}, "19"),
        ({"exit_price": 111}, "22"),
        ({"point_value": 50}, "1000"),
    ],
)
def test_pnl_that_does_not_follow(closed: Trade, change: dict[str, Any], due: str) -> None:
    Trade.objects.update(**change)
    finding = the_one()
    assert (finding.kind, finding.trades) == ("pnl_does_not_follow", (closed.pk,))
    assert finding.sentence.endswith(f"it made {due}.")


def test_pnl_of_a_short_trade(post: Poster) -> None:
    post(action="sell")
    post(action="buy", price="90", time="2026-01-05T15:00:00Z")
    assert list(lot_and_trade_findings()) == []
    Trade.objects.update(pnl=-10)
    assert the_one().sentence.endswith("it made 10.")


@pytest.mark.parametrize("told", [1, -3])
def test_discrepancy_that_is_none(closed: Trade, told: int) -> None:
    Trade.objects.update(pnl_reported=21, pnl_discrepancy=told)
    found = list(lot_and_trade_findings())
    assert [finding.kind for finding in found] == ["pnl_does_not_follow"] * (told != 1)


def test_one_strategy_alone(closed: Trade, post: Poster) -> None:
    post(strategy="Beta")
    post(strategy="Beta", action="sell", time="2026-01-05T15:00:00Z")
    for trade in Trade.objects.all():
        copy_of(trade)
        Trade.objects.filter(pk=trade.pk).update(pnl=1234)
    Lot.objects.filter(status="closed").update(quantity=9)
    assert {finding.strategy for finding in lot_and_trade_findings("Alpha")} == {"Alpha"}
    assert len(list(lot_and_trade_findings("Alpha"))) == 3
    assert len(list(lot_and_trade_findings())) == 6


def test_a_finding_is_plain_json(closed: Trade) -> None:
    forget_trade(closed)
    told = the_one().as_json()
    assert told["kind"] == "closed_lot_without_trade"
    assert set(told) == {
        "kind", "strategy", "symbol", "sentence", "lots", "trades", "alerts", "entries", "mendable",
    }  # fmt: skip


def test_a_book_in_memory_is_netted_and_priced_as_live() -> None:
    """3 bought, 1 sold, the rest turned round: two trades, and a short lot of 1."""
    strategy = Strategy(pk=1, name="Alpha", point_value=Decimal(50))
    book = ExpectedBook()
    for number, (direction, quantity, price) in enumerate(
        [(Direction.LONG, 3, 100), (Direction.SHORT, 1, 110), (Direction.SHORT, 3, 120)], start=1
    ):
        book.carry_out(
            Order(Intent.ORDER, direction, Decimal(quantity)),
            Fill(
                strategy=strategy,
                symbol="ES1!",
                price=Decimal(price),
                time=datetime(2026, 1, number, tzinfo=UTC),
                commission=Decimal(3),
                currency="USD",
                pnl_reported=None,
                pnl_tolerance=Decimal(0),
            ),
            number,
        )
    # 10 × 1 × 50 − (1 of the entry's 3, and the exit's 3); 20 × 2 × 50 − (2, and 2 of 3).
    assert [trade.pnl for trade in book.trades] == [496, 1996]
    assert [trade.lot.quantity for trade in book.trades] == [1, 2]
    assert [(lot.direction, lot.quantity, lot.entry_commission) for lot in book.open] == [
        ("short", 1, 1)
    ]
    assert book.position == -1
    assert len(book.lots) == 3
