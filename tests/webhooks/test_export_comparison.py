"""An export is compared with the right book, in the right zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User

from tests.alerts import Poster
from tests.trades.demo_list import demo_list
from tests.trades.export_files import Listed
from tests.webhooks.exported_trades import (
    FIRST,
    SECOND,
    both,
    export_of,
    listed,
    post_entry,
    post_trade,
)
from tradelog.session import ALERTS
from trades.corrections import correct
from trades.models import Trade
from webhooks.export_comparison import Choice, NotComparable, compare
from webhooks.export_import import import_missing

# The demo.


def test_the_demo_matches_whole(post: Poster) -> None:
    for line in ALERTS.read_text().splitlines():
        assert post(line)["status"] == "processed"
    comparison = compare(export_of(*demo_list()), Choice())
    assert comparison.is_clean
    assert (comparison.setting.strategy.name, comparison.setting.symbol) == (
        "Monthly pyramid",
        "BITSTAMP:BTCUSD",
    )
    assert comparison.setting.zone_name == "UTC" and comparison.setting.zone_is_sure
    # 22 rows are 21 lots: one of ten was closed by two orders of one bar.
    assert (len(demo_list()), len(comparison.matched)) == (22, 21)
    assert Trade.objects.count() == 21


def test_the_demo_in_the_charts_zone(post: Poster) -> None:
    for line in ALERTS.read_text().splitlines():
        post(line)
    chart = [
        Listed(
            **{
                **vars(trade),
                "entry_time": trade.entry_time + timedelta(hours=9),
                "exit_time": trade.exit_time + timedelta(hours=9),
            }
        )
        for trade in demo_list()
    ]
    comparison = compare(export_of(*chart), Choice())
    assert comparison.is_clean and len(comparison.matched) == 21
    assert comparison.setting.zone_name == "Asia/Tokyo"


# Which book.


def test_the_only_book_that_fits_is_used(first: Poster) -> None:
    post_trade(first, listed(9, "11:00", "12:00", entry_price=Decimal(7)), strategy="Beta")
    post_trade(first, listed(9, "11:00", "12:00", entry_price=Decimal(8)), symbol="OTHER")
    comparison = both()
    assert (comparison.setting.strategy.name, comparison.setting.symbol) == (
        "Alpha",
        "BINANCE:BTCUSDT",
    )
    assert not comparison.setting.book_was_named


def test_two_books_that_fit_are_to_be_named(first: Poster) -> None:
    post_trade(first, FIRST, strategy="Beta")
    with pytest.raises(NotComparable, match=r"several books: Alpha on .*\(1\), Beta on .*\(1\)"):
        both()
    assert both(strategy="Beta").setting.strategy.name == "Beta"
    post_trade(first, SECOND, strategy="Beta")
    # Twice as well is told apart.
    assert both().setting.strategy.name == "Beta"


def test_no_book_fits(first: Poster) -> None:
    other = listed(1, "09:00", "10:00", entry_price=Decimal(55))
    with pytest.raises(NotComparable, match="No trade here is like one of the export's"):
        compare(export_of(other), Choice())
    with pytest.raises(NotComparable, match="There is no strategy Nobody"):
        both(strategy="Nobody")
    with pytest.raises(NotComparable, match="The list has no trades"):
        compare(export_of(), Choice())
    named = compare(export_of(other), Choice("Alpha", "BINANCE:BTCUSDT", "UTC"))
    # Named, it is told what differs: at the same times, at another price.
    assert [pair.ours.trades for pair in named.differing] == [(Trade.objects.get().pk,)]


def test_an_unknown_zone(first: Poster) -> None:
    with pytest.raises(NotComparable, match="'Atlantis' is no time zone"):
        both(time_zone="Atlantis")


# What is compared.


def test_what_differs_and_what_is_missing_there(first: Poster) -> None:
    post_trade(first, SECOND, price="123.6")
    extra = listed(9, "12:00", "12:30", entry_price=Decimal(90))
    post_trade(first, extra)
    comparison = both()
    (pair,) = comparison.differing
    assert [one.field for one in pair.differences] == ["entry_price", "exit_price"]
    assert pair.differences[0].by == Decimal("0.1")
    assert [group.entry_price for group in comparison.missing_there] == [90]
    assert not comparison.is_clean and not comparison.missing_here


def test_what_is_from_another_time_is_not_missing_there(first: Poster) -> None:
    post_trade(first, listed(8, "07:00", "08:00"))
    post_trade(first, listed(9, "16:00", "17:00"))
    comparison = compare(export_of(FIRST), Choice())
    assert comparison.is_clean
    assert len(comparison.outside) == 2


def test_a_trade_that_was_open_when_the_list_was_made(first: Poster) -> None:
    """Here it was closed since; as of the export it is the same."""
    then = listed(2, "09:30", "10:30", entry_price=Decimal(50), is_open=True)
    post_trade(first, listed(2, "09:30", "12:00", entry_price=Decimal(50)))
    assert compare(export_of(FIRST, then), Choice()).is_clean
    post_entry(first, listed(3, "10:15", "12:00", entry_price=Decimal(60)))
    now = listed(3, "10:15", "10:30", entry_price=Decimal(60), is_open=True)
    comparison = compare(export_of(FIRST, then, now), Choice())
    assert comparison.is_clean and len(comparison.matched) == 3
    missing = compare(export_of(FIRST, then), Choice()).missing_there
    assert [group.entry_price for group in missing] == [60]


#: In New York: clocks went back from 2:00 to 1:00 while it was open, half an hour long.
THAT_NIGHT = Listed(
    2, "long", Decimal(1), datetime.fromisoformat("2025-11-02 01:45"), Decimal(100),
    datetime.fromisoformat("2025-11-02 01:15"), Decimal(110), Decimal(10),
)  # fmt: skip


def test_a_trade_across_the_autumns_change_of_clocks(post: Poster) -> None:
    post(price="100", time="2025-11-02T05:45:00Z")
    post(action="sell", price="110", time="2025-11-02T06:15:00Z")
    new_york = Choice("Alpha", "BINANCE:BTCUSDT", "America/New_York")
    comparison = compare(export_of(THAT_NIGHT), new_york)
    assert comparison.is_clean and len(comparison.matched) == 1
    with pytest.raises(NotComparable, match="exit of trade 2 comes before its entry, and in UTC"):
        compare(export_of(THAT_NIGHT), Choice("Alpha", "BINANCE:BTCUSDT", "UTC"))


def test_a_missing_trade_across_the_autumns_change_of_clocks(first: Poster) -> None:
    new_york = Choice("Alpha", "BINANCE:BTCUSDT", "America/New_York")
    batch = import_missing(export_of(THAT_NIGHT), new_york, None)[1]
    assert batch is not None
    trade = batch.trades.get()
    assert (trade.entry_time, trade.exit_time) == (
        datetime(2025, 11, 2, 5, 45, tzinfo=UTC),
        datetime(2025, 11, 2, 6, 15, tzinfo=UTC),
    )
    assert compare(export_of(THAT_NIGHT), new_york).is_clean


def test_corrections_count(first: Poster) -> None:
    post_trade(first, SECOND, quantity="2")
    trade = Trade.objects.latest("id")
    assert [pair.differences[0].field for pair in both().differing] == ["quantity"]
    user = User.objects.create_superuser("trader")
    correct(trade, user=user, reason="It was one.", quantity=Decimal(1))
    assert both().is_clean
    correct(trade, user=user, reason="It was none.", quantity=Decimal(0))
    assert [missing.theirs.trades for missing in both().missing_here] == [(2,)]
