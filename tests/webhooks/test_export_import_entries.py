"""What was entered here already is not imported: its contracts would count twice."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth.models import User

from positions.models import Lot
from tests.alerts import Poster
from tests.trades.export_files import Listed
from tests.webhooks.exported_trades import (
    FIRST,
    SECOND,
    export_of,
    listed,
    post_entry,
    post_exit,
    post_trade,
)
from trades.corrections import correct
from trades.models import ImportBatch, Trade
from webhooks.export_comparison import Choice, Comparison, compare
from webhooks.export_import import import_missing
from webhooks.export_report import told_import
from webhooks.reconcile import find

ALPHA = Choice("Alpha", "BINANCE:BTCUSDT", "UTC")

#: TradingView bought ten at 100, and sold five at 110 and five at 120.
HALF = listed(1, "10:00", "11:00", quantity=Decimal(5), pnl=Decimal(50))
REST = listed(2, "10:00", "12:00", quantity=Decimal(5), exit_price=Decimal(120), pnl=Decimal(100))
TEN = listed(1, "10:00", "12:00", quantity=Decimal(10), exit_price=Decimal(120))


def nothing_imported(*trades: Listed) -> Comparison:
    comparison, batch = import_missing(export_of(*trades or (HALF, REST)), ALPHA, None)
    assert batch is None and not comparison.importable
    assert not ImportBatch.objects.exists()
    return comparison


@pytest.fixture
def trader() -> User:
    return User.objects.create_superuser("trader")


def test_a_partial_exit_that_was_lost(post: Poster, trader: User) -> None:
    """All ten were sold at 120 here, since the second exit left nothing open."""
    post_entry(post, TEN)
    assert post_exit(post, TEN, quantity="5", market_position="flat")["action"] == "closed"
    trade = Trade.objects.get()
    comparison = nothing_imported()
    (missing,) = comparison.missing_here
    assert missing.theirs.trades == (1,)
    assert missing.sentence.endswith("Not to be imported: what was entered then is here.")
    assert [group.trades for group in missing.entered] == [(trade.pk,)]
    assert told_import(comparison, None) == [
        "Nothing to import.",
        "1 trade not imported: entered here already.",
    ]
    assert (Trade.objects.get().quantity, find()) == (10, [])
    # Once the trade is the one that TradingView lists, the other one is missing whole.
    correct(trade, user=trader, reason="Five were sold before.", quantity=Decimal(5))
    batch = import_missing(export_of(HALF, REST), ALPHA, None)[1]
    assert batch is not None
    assert (batch.trades.get().quantity, batch.trades.get().pnl) == (5, 50)
    assert compare(export_of(HALF, REST), ALPHA).is_clean


def test_exits_that_were_lost(post: Poster) -> None:
    """The lot is still open, and its own exit will make its trade."""
    post_entry(post, TEN)
    comparison = nothing_imported()
    (missing,) = comparison.missing_here
    assert [group.lots for group in missing.entered] == [(Lot.objects.get().pk,)]
    assert not Trade.objects.exists()


def test_an_entry_at_another_price(post: Poster, trader: User) -> None:
    """As where the message tells the bar's close; or a correction, what the broker paid."""
    post_entry(post, TEN, price="100.5")
    post_exit(post, TEN)
    nothing_imported()
    correct(Trade.objects.get(), user=trader, reason="As filled.", entry_price=Decimal("99.5"))
    nothing_imported()


def test_what_was_corrected_to_nothing(first: Poster, trader: User) -> None:
    post_trade(first, SECOND)
    trade = Trade.objects.latest("id")
    correct(trade, user=trader, reason="Never filled.", quantity=Decimal(0))
    (missing,) = nothing_imported(FIRST, SECOND).missing_here
    assert [group.trades for group in missing.entered] == [(trade.pk,)]
    assert find() == []


def test_an_import_that_was_corrected_to_nothing(first: Poster, trader: User) -> None:
    batch = import_missing(export_of(FIRST, SECOND), ALPHA, None)[1]
    assert batch is not None
    correct(batch.trades.get(), user=trader, reason="Never filled.", quantity=Decimal(0))
    assert import_missing(export_of(FIRST, SECOND), ALPHA, None)[1] is None


def test_the_rest_of_an_import(first: Poster) -> None:
    """The first list was made when half was sold; what matches it is not what is missing."""
    still_open = listed(2, "10:00", "11:00", quantity=Decimal(5), is_open=True)
    assert import_missing(export_of(HALF, still_open), ALPHA, None)[1] is not None
    batch = import_missing(export_of(HALF, REST), ALPHA, None)[1]
    assert batch is not None and batch.trades.get().exit_price == 120


def test_another_side_or_time_is_another_entry(first: Poster) -> None:
    """Trades that differ keep out only what was entered with them."""
    post_trade(first, listed(8, "14:30", "16:00", direction="short"))
    post_trade(first, listed(9, "14:32", "16:00"))
    batch = import_missing(export_of(FIRST, SECOND), ALPHA, None)[1]
    assert batch is not None and batch.trades.get().entry_price == SECOND.entry_price
