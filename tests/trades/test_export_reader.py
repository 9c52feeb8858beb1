"""TradingView's lists of trades are read in whatever form they come."""

from __future__ import annotations

import hashlib
import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.trades.export_files import LANGUAGES, Form, Listed, as_csv, as_xlsx, rows
from tests.trades.listed_trades import TRADES, local, told
from trades.exports.reader import read_export

EXPECTED = [
    (
        trade.number, trade.direction, trade.quantity, trade.entry_time, trade.entry_price,
        None if trade.is_open else trade.exit_time, None if trade.is_open else trade.exit_price,
        trade.pnl,
    )
    for trade in TRADES
]  # fmt: skip


def european(number: Decimal) -> str:
    return f"{number:,}".translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_and_format(language: str) -> None:
    table = rows(TRADES, Form(language))
    assert told(as_csv(table)) == EXPECTED
    assert told(as_xlsx(table)) == EXPECTED
    shuffled = list(range(len(table[0])))
    random.Random(language).shuffle(shuffled)
    form = Form(language, exit_first=False, newest_first=True, order=shuffled)
    assert told(as_csv(rows(TRADES, form), delimiter=";", encoding="utf-16")) == EXPECTED


@pytest.mark.parametrize("language", LANGUAGES)
def test_headers_are_known_without_accents_and_in_capitals(language: str) -> None:
    header, *listed = rows(TRADES, Form(language))
    spaced = [f"  {name.upper()} " for name in header]
    assert told(as_csv([spaced, *listed])) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_encodings_and_delimiters(encoding: str, delimiter: str, newline: str) -> None:
    content = as_csv(
        rows(TRADES, Form("de")), delimiter=delimiter, encoding=encoding, newline=newline
    )
    assert told(content) == EXPECTED


@pytest.mark.parametrize(
    "number",
    [
        lambda number: f"{number:,}",
        european,
        lambda number: f"{number:,}".replace(",", " ").replace(".", ","),
        lambda number: f"{number:,}".replace(",", "\u202f").replace("-", "−"),
        lambda number: f"{number:,}".replace(",", "’"),  # noqa: RUF001
        lambda number: f"{european(number)} €",
        lambda number: f"${number:,}",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_numbers_as_people_write_them(number: Any, delimiter: str) -> None:
    assert told(as_csv(rows(TRADES, Form(number=number)), delimiter=delimiter)) == EXPECTED


@pytest.mark.parametrize(
    ("language", "pattern"),
    [
        ("en", "%Y-%m-%dT%H:%M:%S"),
        ("en", "%m/%d/%Y %H:%M"),
        ("en", "%d/%m/%Y, %H:%M"),
        ("en", "%m/%d/%y %I:%M %p"),
        ("en", "%a %d %b '%y %H:%M"),
        ("en", "%b %d, %Y, %I:%M %p"),
        ("de", "%d.%m.%Y %H:%M"),
        ("ja", "%Y/%m/%d %H:%M"),
        ("zh", "%Y年%m月%d日 %H:%M"),
        ("ko", "%Y. %m. %d. %H:%M"),
    ],
)
def test_dates_as_people_write_them(language: str, pattern: str) -> None:
    form = Form(language, time=lambda time: time.strftime(pattern))
    assert told(as_csv(rows(TRADES, form))) == EXPECTED


def test_excels_own_numbers_and_dates() -> None:
    form = Form(number=float, time=lambda time: time)
    assert told(as_xlsx(rows(TRADES, form))) == EXPECTED
    # A date that is a bare number, as when its cell has no format.
    days = Form(number=float, time=lambda time: (time - local("1899-12-30")) / timedelta(days=1))
    assert told(as_xlsx(rows(TRADES, days))) == EXPECTED


def test_a_workbook_number_is_exactly_what_was_written() -> None:
    trade = Listed(
        1, "long", Decimal("0.0128"), local("2025-01-01"), Decimal("1560.29"),
        local("2025-01-02"), Decimal("0.1"),
    )  # fmt: skip
    (read,) = read_export(as_xlsx(rows([trade], Form(number=float)))).trades
    assert [str(read.quantity), str(read.entry_price)] == ["0.0128", "1560.29"]


def test_an_exit_after_clocks_went_back() -> None:
    """Up to an hour earlier by the clock; nor does that mislead about days and months."""
    night = Listed(
        1, "long", Decimal(1), local("2025-11-02 01:59"), Decimal("10.5"),
        local("2025-11-02 01:00"), Decimal("11.5"),
    )  # fmt: skip
    day = Listed(
        2, "long", Decimal(1), local("2025-02-11 09:00"), Decimal("10.5"),
        local("2025-10-02 09:00"), Decimal("11.5"),
    )  # fmt: skip
    for form in (Form(), Form(time=lambda time: f"{time:%m/%d/%Y %H:%M}")):
        times = {one[0]: (one[3], one[5]) for one in told(as_csv(rows([night, day], form)))}
        assert times == {one.number: (one.entry_time, one.exit_time) for one in (night, day)}


def test_what_else_a_file_tells() -> None:
    content = as_csv(rows(TRADES, Form("en, newest")))
    export = read_export(content, "list.csv")
    assert (export.file_name, export.sha256) == ("list.csv", hashlib.sha256(content).hexdigest())
    # The open trade's exit row tells how far the list goes.
    assert export.last_time == local("2025-12-02")
    first = export.trades[0]
    assert (first.currency, first.commission) == ("USD", Decimal("0.25"))


@pytest.mark.parametrize("prices_first", [True, False])
def test_money_in_another_currency_than_prices_is_left_out(prices_first: bool) -> None:
    """An account may be in another one: strategy(currency = currency.EUR)."""
    header, *listed = rows(TRADES, Form("en, newest"))
    header = [name if name == "Price USD" else name.replace("USD", "EUR") for name in header]
    table = [header, *listed] if prices_first else [row[::-1] for row in (header, *listed)]
    export = read_export(as_csv(table))
    assert {(one.pnl, one.commission, one.currency) for one in export.trades} == {
        (None, None, "USD")
    }
    assert sorted(export.left_out) == ["Commission EUR", "Net PnL EUR"]


def test_prices_without_a_currency_are_in_the_one_that_is_told() -> None:
    header, *listed = rows(TRADES, Form())
    header = ["Price" if name == "Price USDT" else name for name in header]
    export = read_export(as_csv([header, *listed]))
    assert export.left_out == ()
    assert export.trades[0].currency == "USDT"
    assert told(as_csv([header, *listed])) == EXPECTED


@pytest.mark.parametrize(
    "change",
    [
        lambda table: [*table[:-2], table[-1]],  # Only its entry is listed.
        lambda table: [*table[:-2], [*table[-2][:2], "", "Open", *[""] * 11], table[-1]],
        lambda table: [*table[:-2], [*table[-2][:2], "Open", "", *[""] * 11], table[-1]],
    ],
)
def test_open_trades_in_other_forms(change: Any) -> None:
    *_, still_open = told(as_csv(change(rows(TRADES, Form()))))
    assert still_open[5:7] == (None, None)


def test_blank_rows_and_a_title_do_not_matter() -> None:
    header, *listed = rows(TRADES, Form())
    table = [["My strategy"], [], header, [], *listed, ["", ""], []]
    assert told(as_csv(table)) == EXPECTED
    assert told(as_xlsx(table)) == EXPECTED


def test_no_trades_at_all() -> None:
    assert read_export(as_csv(rows([], Form()))).trades == ()
