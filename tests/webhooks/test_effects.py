"""What orders do to a book, told by the answers and the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from positions.models import Lot
from tests.alerts import Poster
from tests.factories import StrategyFactory
from trades.models import Trade
from webhooks.models import WebhookLog


def book() -> list[tuple[str, Decimal, Decimal]]:
    """Open lots: direction, quantity, entry price."""
    lots = Lot.objects.filter(status="open").order_by("id")
    return [(lot.direction, lot.quantity, lot.entry_price) for lot in lots]


def trades() -> list[tuple[str, Decimal, Decimal, Decimal]]:
    """Direction, quantity, entry and exit price."""
    return [
        (trade.direction, trade.quantity, trade.entry_price, trade.exit_price)
        for trade in Trade.objects.order_by("id")
    ]


def D(number: str) -> Decimal:
    return Decimal(number)


class Book:
    """Posts orders of one book, a minute apart."""

    def __init__(self, post: Poster) -> None:
        self.post = post
        self.time = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)

    def __call__(
        self, action: str, quantity: str | None = None, price: str = "100", **more: Any
    ) -> str:
        self.time += timedelta(minutes=1)
        answer = self.post(
            action=action, quantity=quantity, price=price, time=self.time.isoformat(), **more
        )
        assert answer["status"] == "processed", answer
        return str(answer["action"])


@pytest.fixture
def order(post: Poster) -> Book:
    return Book(post)


def test_first_in_first_out_with_a_split_lot(order: Book) -> None:
    assert order("buy", "2", "100") == "opened"
    assert order("buy", "3", "110") == "added"
    assert order("sell", "4", "120") == "reduced"
    assert trades() == [("long", D("2"), D("100"), D("120")), ("long", D("2"), D("110"), D("120"))]
    assert book() == [("long", D("1"), D("110"))]
    assert order("sell", "1", "90") == "closed"
    assert book() == []
    # What was entered by the second alert is two lots now, and adds up.
    entered = Lot.objects.filter(entry_price=110)
    assert sorted(lot.quantity for lot in entered) == [D("1"), D("2")]


def test_a_sell_larger_than_the_position_reverses_it(order: Book) -> None:
    order("buy", "2", "100")
    assert order("sell", "5", "110") == "reversed"
    assert trades() == [("long", D("2"), D("100"), D("110"))]
    assert book() == [("short", D("3"), D("110"))]
    assert Trade.objects.get().pnl == 20


def test_a_short_gains_what_the_price_falls(order: Book) -> None:
    order("sell", "2", "100")
    order("buy", "2", "90.5")
    assert Trade.objects.get().pnl == D("19")


def test_explicit_exit_never_reverses(order: Book) -> None:
    order("buy", "2")
    assert order("exit_long", "5", "110") == "closed"
    assert book() == []
    assert WebhookLog.objects.latest("id").quantity == 2


def test_exit_without_quantity_closes_everything(order: Book) -> None:
    order("buy", "2", "100")
    order("buy", "1", "110")
    assert order("close", None, "120") == "closed"
    assert book() == []


def test_exit_of_the_other_side_finds_nothing(post: Poster, order: Book) -> None:
    order("buy", "2")
    assert post(action="exit_short")["status"] == "parked"
    assert len(book()) == 1


def test_flat_closes_everything_whatever_the_quantity(order: Book) -> None:
    order("buy", "3")
    assert order("sell", "1", "110", market_position="flat") == "closed"
    assert book() == []


def test_explicit_entry_against_the_position_turns_it_round(order: Book) -> None:
    order("entry_long", "2", "100")
    assert order("entry_short", "3", "110") == "reversed"
    assert book() == [("short", D("3"), D("110"))]


def test_explicit_entry_by_tradingviews_own_contracts_counts_what_it_closes(order: Book) -> None:
    order("sell", "5", "100")
    effect = order(
        "buy", "8", "110", signal_type="entry",
        prev_market_position="short", prev_market_position_size="5",
        market_position="long", market_position_size="3",
    )  # fmt: skip
    assert effect == "reversed"
    assert book() == [("long", D("3"), D("110"))]
    assert not WebhookLog.objects.filter(drift=True).exists()


def test_explicit_entry_whose_quantity_is_what_it_opens_counts_nothing_closed(order: Book) -> None:
    order("sell", "5", "100")
    order(
        "buy", "3", "110", signal_type="entry",
        prev_market_position="short", prev_market_position_size="5",
        market_position="long", market_position_size="3",
    )  # fmt: skip
    assert book() == [("long", D("3"), D("110"))]
    assert not WebhookLog.objects.filter(drift=True).exists()


@pytest.mark.parametrize(
    ("held", "quantity", "told", "opened"),
    [
        # Less is held after it than was ordered: the rest closed what was there.
        ("1", "2", {"position_size": "1"}, "1"),
        ("1", "2", {"market_position": "long", "market_position_size": "2"}, "2"),
        # Only the side is told: more than what was there holds it too, and no less can.
        ("1", "2", {"market_position": "long"}, "1"),
        ("2", "2", {"market_position": "long"}, "2"),
        ("1", "1", {"market_position": "long", "prev_market_position": "short"}, "1"),
        # TradingView met nothing: an alert was missed, and all of it was opened.
        ("1", "2", {"market_position": "long", "prev_market_position": "flat"}, "2"),
    ],
)
def test_explicit_entry_whose_position_before_is_not_told_in_full(
    order: Book, held: str, quantity: str, told: dict[str, Any], opened: str
) -> None:
    order("sell", held, "100")
    assert order("long", quantity, "110", **told) == "reversed"
    assert book() == [("long", D(opened), D("110"))]


@pytest.mark.parametrize(
    "told",
    [
        {"market_position": "short", "market_position_size": "2"},
        {"signal_type": "entry", "market_position": "flat", "prev_market_position": "short"},
    ],
)
def test_explicit_entry_that_does_not_end_on_its_side_closes_its_quantity(
    order: Book, told: dict[str, Any]
) -> None:
    order("sell", "3", "100")
    assert order("long", "1", "110", **told) == "reduced"
    assert book() == [("short", D("2"), D("100"))]


def test_explicit_entry_without_a_quantity_opens_the_default_one(order: Book) -> None:
    order("sell", "5", "100")
    assert order("long", None, "110", prev_market_position="short") == "reversed"
    assert book() == [("long", D("1"), D("110"))]


@pytest.mark.parametrize(
    "told", [{"market_position": "long"}, {"position_size": "1", "prev_market_position": "short"}]
)
def test_plain_order_without_a_quantity_opens_the_default_one_on_the_side_told(
    order: Book, told: dict[str, Any]
) -> None:
    order("sell", "5", "100")
    assert order("buy", None, "110", **told) == "reversed"
    assert book() == [("long", D("1"), D("110"))]
    assert not WebhookLog.objects.filter(drift=True).exists()


def test_plain_order_without_a_quantity_nets_the_default_one_where_no_side_is_told(
    order: Book,
) -> None:
    order("sell", "5", "100")
    assert order("buy", None, "110", prev_market_position="short") == "reduced"
    assert book() == [("short", D("4"), D("100"))]


def test_default_quantity_is_the_strategys(order: Book) -> None:
    StrategyFactory(name="Alpha", default_quantity=D("2.5"))
    order("buy", None)
    assert book() == [("long", D("2.5"), D("100"))]


@pytest.mark.parametrize(
    ("symbol", "worth"), [("CME_MINI:ESZ2025", "50"), ("MYM1!", "0.5"), ("EUREX:ESTX50", "1")]
)
def test_point_value_of_futures(order: Book, symbol: str, worth: str) -> None:
    order("buy", "2", "4500.25", symbol=symbol)
    order("exit", None, "4512.75", symbol=symbol)
    assert Trade.objects.get().pnl == D("12.5") * 2 * D(worth)


def test_point_value_set_on_the_strategy_goes_before_the_table(order: Book) -> None:
    StrategyFactory(name="Alpha", point_value=D("7"))
    order("buy", "1", "100", symbol="ES1!")
    order("exit", None, "101", symbol="ES1!")
    assert Trade.objects.get().pnl == 7


def test_commission_of_both_sides_is_shared_by_quantity_and_conserved(order: Book) -> None:
    order("buy", "3", "100", commission="1")
    order("sell", "1", "110", commission="0.5")
    order("sell", "4", "120", commission="0.7")
    first, second = Trade.objects.order_by("id")
    third_of_entry = D("0.333333333333333333")
    assert first.commission == third_of_entry + D("0.5")
    # Two of the four sold close the rest of the lot; the other two open a short.
    assert second.commission == 1 - third_of_entry + D("0.35")
    assert Lot.objects.get(status="open").entry_commission == D("0.35")
    assert second.pnl == 40 - second.commission


def test_reported_pnl_within_tolerance_is_kept_without_a_flag(order: Book) -> None:
    order("buy", "1", "100")
    order("exit", None, "110", pnl="10.01")
    trade = Trade.objects.get()
    assert (trade.pnl, trade.pnl_reported, trade.pnl_discrepancy) == (10, D("10.01"), None)


def test_reported_pnl_past_tolerance_is_flagged_and_both_are_kept(order: Book) -> None:
    order("buy", "1", "100")
    order("exit", None, "110", pnl="10.02")
    trade = Trade.objects.get()
    assert (trade.pnl, trade.pnl_reported, trade.pnl_discrepancy) == (10, D("10.02"), D("0.02"))


def test_reported_pnl_of_several_lots_adds_up(order: Book) -> None:
    order("buy", "1", "100")
    order("buy", "2", "101")
    order("exit", None, "110", pnl="31")
    reported = [trade.pnl_reported or 0 for trade in Trade.objects.all()]
    assert sum(reported) == 31
    assert all(trade.pnl_discrepancy for trade in Trade.objects.all())


def test_tiny_prices_and_18_decimals_survive(order: Book) -> None:
    order("buy", "1000000.000000000000000001", "0.00001234")
    order("exit", None, "0.000012340000000001")
    trade = Trade.objects.get()
    assert str(trade.quantity) == "1000000.000000000000000001"
    assert str(trade.entry_price) == "0.00001234"
    assert trade.pnl == D("0.000000000000000001") * 1000000 + D("1e-36")
    assert str(trade.exit_price) == "0.000012340000000001"
