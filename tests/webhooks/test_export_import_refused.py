"""An import into the wrong book, or in the wrong zone, is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.alerts import Poster
from tests.webhooks.exported_trades import FIRST, SECOND, export_of, listed, post_trade
from trades.imports import undo
from trades.models import ImportBatch, Trade
from webhooks.export_comparison import Choice, NotComparable, compare
from webhooks.export_import import import_missing

BOOK = ("Alpha", "BINANCE:BTCUSDT")
FIVE = [
    listed(
        number, f"{9 + number:02}:00", f"{9 + number:02}:30",
        entry_price=Decimal(100 + number), exit_price=Decimal(110 + number),
    )
    for number in range(1, 6)
]  # fmt: skip

TWO_HOURS = timedelta(hours=2)


def test_a_zone_in_which_trades_would_be_here_twice(post: Poster) -> None:
    """The first two are here, by their alerts, from 10:00 UTC on."""
    for trade in FIVE[:2]:
        post_trade(post, trade)
    new_york = Choice(*BOOK, "America/New_York")
    with pytest.raises(NotComparable, match=r"^2 of 5 trades .* is UTC and not America/New_York"):
        import_missing(export_of(*FIVE), new_york, None)
    assert not ImportBatch.objects.exists()
    batch = import_missing(export_of(*FIVE), Choice(*BOOK, "UTC"), None)[1]
    assert batch is not None and batch.count == 3


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_what_came_in_in_a_wrong_zone_does_not_come_in_again(post: Poster, zone: str) -> None:
    """The book was empty; an alert's trade is of another time."""
    post_trade(post, FIRST)
    wrong = import_missing(export_of(*FIVE), Choice(*BOOK, zone), None)[1]
    assert wrong is not None and wrong.count == 5
    right = Choice(*BOOK, "UTC")
    with pytest.raises(NotComparable, match=rf"5 of 5 .* is {zone} and not UTC.* undo that"):
        import_missing(export_of(*FIVE), right, None)
    assert Trade.objects.count() == 6
    undo(wrong.pk, None)
    batch = import_missing(export_of(*FIVE), right, None)[1]
    assert batch is not None and batch.count == 5


def test_what_matches_in_the_zone_outweighs_what_is_alike(post: Poster) -> None:
    """At two hours' distance, what was never listed, with the prices of what is missing."""
    for trade in FIVE[:3]:
        post_trade(post, trade)
    for trade in FIVE[3:]:
        later = {name: getattr(trade, name) + TWO_HOURS for name in ("entry_time", "exit_time")}
        post_trade(post, replace(trade, **later))
    batch = import_missing(export_of(*FIVE), Choice(*BOOK, "UTC"), None)[1]
    assert batch is not None and batch.count == 2


@pytest.mark.parametrize("symbol", ["BTCUSDT", "binance:btcusdt"])
def test_a_symbol_that_is_told_otherwise_here(first: Poster, symbol: str) -> None:
    choice = Choice("Alpha", symbol, "UTC")
    for way in (compare, lambda export, choice: import_missing(export, choice, None)):
        with pytest.raises(NotComparable, match=r"on .* here; it has on BINANCE:BTCUSDT\. Name"):
            way(export_of(FIRST), choice)
    assert Trade.objects.count() == 1


@pytest.mark.parametrize("symbol", ["", " ", "BINANCE:BTCUSDT ", "A\nB", "X" * 101])
def test_what_no_alert_could_have_as_its_symbol(first: Poster, symbol: str) -> None:
    """`--symbol "$SYMBOL"` of a script that has not set it."""
    choice = Choice("Alpha", symbol, "UTC")
    for way in (compare, lambda export, choice: import_missing(export, choice, None)):
        with pytest.raises(NotComparable, match="is no symbol"):
            way(export_of(FIRST, SECOND), choice)
    assert Trade.objects.count() == 1


@pytest.mark.parametrize("symbol", ["BYBIT:BTCUSDT", "BINANCE:ETHUSDT", "ETHUSDT"])
def test_a_new_book_may_be_imported(first: Poster, symbol: str) -> None:
    batch = import_missing(export_of(FIRST), Choice("Alpha", symbol, "UTC"), None)[1]
    assert batch is not None and batch.trades.get().symbol == symbol


def test_a_book_of_which_alerts_came_is_no_mistake(first: Poster) -> None:
    assert first(symbol="BTCUSDT", quantity="-1").code == "INVALID_PAYLOAD"
    batch = import_missing(export_of(FIRST), Choice("Alpha", "BTCUSDT", "UTC"), None)[1]
    assert batch is not None and batch.count == 1
