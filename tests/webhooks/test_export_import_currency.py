"""Imported trades are in the currency of their book, so that sums hold all of it."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

import pytest

from tests.alerts import Poster
from tests.trades.export_files import Form, as_csv, rows
from tests.webhooks.exported_trades import FIRST, SECOND, export_of, listed, post_entry, post_trade
from trades.exports.reader import read_export
from trades.models import Trade
from trades.results import results
from webhooks.export_comparison import Choice
from webhooks.export_import import import_missing
from webhooks.export_report import as_json, told_counts, told_setting

ALPHA = Choice("Alpha", "BINANCE:BTCUSDT", "UTC")
THIRD = listed(3, "16:00", "17:00")


def imported_currency() -> str:
    """The list's header says USDT."""
    batch = import_missing(export_of(FIRST, SECOND), ALPHA, None)[1]
    assert batch is not None
    (currency,) = {trade.currency for trade in batch.trades.all()}
    return currency


@pytest.mark.parametrize("currency", [None, "USDC"])
def test_that_of_the_books_trades(post: Poster, currency: str | None) -> None:
    post_trade(post, FIRST, currency=currency)
    # Of another book.
    post_trade(post, FIRST, currency="EUR", symbol="OTHER")
    assert imported_currency() == (currency or "")
    (result,) = results(Trade.objects.filter(symbol="BINANCE:BTCUSDT"), UTC)
    assert (result.currency, result.total.trades, result.total.net) == (
        currency or "",
        2,
        Decimal("-3.5"),
    )


def test_that_of_its_lots(post: Poster) -> None:
    post_entry(post, THIRD, currency="USDC")
    assert imported_currency() == "USDC"


def test_the_lists_where_the_book_has_several_or_none(post: Poster) -> None:
    post_trade(post, THIRD, symbol="OTHER")
    assert imported_currency() == "USDT"
    # What was imported is not the book's own.
    post_trade(post, THIRD)
    fourth = listed(4, "18:00", "19:00")
    batch = import_missing(export_of(FIRST, SECOND, THIRD, fourth), ALPHA, None)[1]
    assert batch is not None and batch.trades.get().currency == ""
    post_trade(post, listed(5, "19:00", "19:30"), currency="USDC")
    fifth = listed(6, "20:00", "21:00")
    batch = import_missing(export_of(FIRST, SECOND, THIRD, fourth, fifth), ALPHA, None)[1]
    assert batch is not None and batch.trades.get().currency == "USDT"


def test_an_account_in_another_currency(post: Poster) -> None:
    """Its P&L and commission are not the trades' own, and would be told as a discrepancy."""
    post_trade(post, FIRST, currency="USD")
    header, *listed_rows = rows([FIRST, SECOND], Form("en, newest"))
    header = [name if name == "Price USD" else name.replace("USD", "EUR") for name in header]
    export = read_export(as_csv([header, *listed_rows]), "list.csv")
    comparison, batch = import_missing(export, ALPHA, None)
    assert batch is not None
    trade = batch.trades.get()
    assert (trade.pnl, trade.commission, trade.currency) == (Decimal("-13.5"), 0, "USD")
    assert (trade.pnl_reported, trade.pnl_discrepancy) == (None, None)
    text = "\n".join((*told_setting(comparison), *told_counts(comparison)))
    assert "“Net PnL EUR” is left out: prices are in USD." in text
    assert "“Commission EUR” is left out: prices are in USD." in text
    assert "P&L of those matched" not in text
    assert as_json(comparison)["file"]["left_out"] == ["Net PnL EUR", "Commission EUR"]
