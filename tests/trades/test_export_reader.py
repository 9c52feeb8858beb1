"""TradingView's lists of trades are read in whatever form they come."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.trades.export_files import LANGUAGES, Form, Listed, as_csv, as_xlsx, rows
from trades.exports.reader import read_export
from trades.exports.unreadable import ExportUnreadable

local = datetime.fromisoformat

TRADES = [
    Listed(
        1, "long", Decimal("0.5"), local("2025-03-04 14:30"), Decimal("67432.5"),
        local("2025-03-20 09:00"), Decimal("68000"), Decimal("283.75"),
    ),
    Listed(
        2, "short", Decimal("1250"), local("2025-04-05 08:15"), Decimal("1.08453"),
        local("2025-04-06 22:45"), Decimal("1.0901"), Decimal("-6.96"),
    ),
    Listed(
        3, "long", Decimal("2"), local("2025-12-01"), Decimal("101.25"),
        local("2025-12-02"), Decimal("102"), is_open=True,
    ),
]  # fmt: skip


def told(content: bytes) -> list[tuple[Any, ...]]:
    """What a file's trades are, to compare."""
    return [
        (
            trade.number, trade.direction.value, trade.quantity, trade.entry_time,
            trade.entry_price, trade.exit_time, trade.exit_price, trade.pnl, trade.is_open,
        )
        for trade in read_export(content).trades
    ]  # fmt: skip


EXPECTED = [
    (
        trade.number, trade.direction, trade.quantity, trade.entry_time, trade.entry_price,
        None if trade.is_open else trade.exit_time, None if trade.is_open else trade.exit_price,
        trade.pnl, trade.is_open,
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


def test_what_else_a_file_tells() -> None:
    content = as_csv(rows(TRADES, Form("en, newest")))
    export = read_export(content, "list.csv")
    assert (export.file_name, export.sha256) == ("list.csv", hashlib.sha256(content).hexdigest())
    # The open trade's exit row tells how far the list goes.
    assert export.last_time == local("2025-12-02")
    first = export.trades[0]
    assert (first.currency, first.commission) == ("USD", Decimal("0.25"))
    assert (first.entry_signal, first.exit_signal) == ("Go", "Close")
    assert export.trades[2].exit_signal == "Open"


@pytest.mark.parametrize(
    "change",
    [
        lambda table: [*table[:-2], table[-1]],  # Only its entry is listed.
        lambda table: [*table[:-2], [*table[-2][:2], "", "Open", *[""] * 11], table[-1]],
        lambda table: [*table[:-2], [*table[-2][:2], "Open", "", *[""] * 11], table[-1]],
    ],
)
def test_open_trades_in_other_forms(change: Any) -> None:
    assert told(as_csv(change(rows(TRADES, Form()))))[-1][5:] != EXPECTED[-1][5:7]
    assert told(as_csv(change(rows(TRADES, Form()))))[-1][-1] is True


def test_blank_rows_and_a_title_do_not_matter() -> None:
    header, *listed = rows(TRADES, Form())
    table = [["My strategy"], [], header, [], *listed, ["", ""], []]
    assert told(as_csv(table)) == EXPECTED
    assert told(as_xlsx(table)) == EXPECTED


def test_no_trades_at_all() -> None:
    assert read_export(as_csv(rows([], Form()))).trades == ()


def faults(content: bytes) -> list[str]:
    with pytest.raises(ExportUnreadable) as unreadable:
        read_export(content)
    return [str(fault) for fault in unreadable.value.faults]


def changed(row: int, column: str, cell: Any, form: Form | None = None) -> bytes:
    """The list with one cell another; rows as a spreadsheet counts them."""
    table = rows(TRADES, form or Form())
    table[row - 1][table[0].index(column)] = cell
    return as_csv(table)


@pytest.mark.parametrize(
    ("row", "column", "cell", "text"),
    [
        (2, "Price USDT", "12x4", "“12x4” is no number"),
        (2, "Price USDT", "", "the cell is empty"),
        (3, "Price USDT", "0", "“0” is not above 0"),
        (3, "Price USDT", "1" * 19, f"“{'1' * 19}” has more than 18 digits"),
        (3, "Position size (qty)", "1e-19", "“1e-19” has more than 18 digits"),
        (3, "Position size (qty)", "NaN", "the cell is empty"),
        (2, "Position size (qty)", "0.4", "0.4 leave, and 0.5 entered"),
        (2, "Date and time", "yesterday", "“yesterday” is no date"),
        (2, "Date and time", "2025-02-30 10:00", "“2025-02-30 10:00” is no date"),
        (2, "Date and time", "2025-03-20 09:00+01:00", "names a zone"),
        (2, "Date and time", "2025-03-01 09:00", "the exit comes before its entry"),
        (2, "Type", "Margin call", "“Margin call” is no entry or exit"),
        (2, "Type", "Entry long", "trade 1 has 2 entries"),
        (2, "Type", "Exit short", "trade 1 enters the other side"),
        (3, "Trade #", "7", "trade 1 has an exit and no entry"),
        (3, "Trade #", "one", "“one” is no trade's number"),
        (2, "Net P&L USDT", "a lot", "“a lot” is no number"),
    ],
)
def test_a_fault_names_its_row_and_column(row: int, column: str, cell: str, text: str) -> None:
    listed = faults(changed(row, column, cell))
    where = {"trade 1 has 2 entries": "Trade #"}.get(text, column)
    assert any(f"column “{where}”" in fault and text in fault for fault in listed), listed
    assert all(fault.startswith(("Row 2", "Row 3")) for fault in listed)


def test_every_fault_is_told_at_once() -> None:
    table = rows(TRADES, Form())
    table[1][4] = table[3][4] = table[4][2] = "?"
    listed = faults(as_csv(table))
    assert [fault.split(":")[0] for fault in listed] == [
        "Row 2, column “Price USDT”",
        "Row 4, column “Price USDT”",
        "Row 5, column “Date and time”",
    ]


def test_many_faults_are_counted() -> None:
    table = rows(TRADES, Form())
    for row in table[1:]:
        row[2] = row[4] = row[5] = "?"
    with pytest.raises(ExportUnreadable) as unreadable:
        read_export(as_csv(table))
    assert str(unreadable.value).count("\n") == 10
    assert str(unreadable.value).endswith(f"And {len(unreadable.value.faults) - 10} more.")


def test_an_unknown_header_says_what_was_found_and_what_is_missing() -> None:
    table = rows(TRADES, Form())
    table[0] = [{"Signal": "Comment", "Price USDT": "Cost"}.get(name, name) for name in table[0]]
    (fault,) = faults(as_csv(table))
    assert "Missing: the signal (such as “Signal”), the price (such as “Price”)." in fault
    assert "“Comment”" in fault and "“Cost”" in fault and fault.startswith("Row 1: ")


def test_a_column_that_is_there_twice() -> None:
    table = [[*row, row[4]] for row in rows(TRADES, Form())]
    (fault,) = faults(as_csv(table))
    assert "“Price USDT” and “Price USDT” are both the price" in fault


def test_what_may_be_thousands_is_not_guessed() -> None:
    """1,250 and nothing in the file that tells whether the comma stands before decimals."""
    trade = Listed(
        1, "long", Decimal(1), local("2025-03-24"), Decimal("1250"),
        local("2025-03-25"), Decimal("1300"), Decimal("100"),
    )  # fmt: skip
    table = rows([trade], Form(number=lambda number: f"{number:,}"))
    table = [table[0], *([*row[:8], *[""] * 7] for row in table[1:])]
    listed = faults(as_csv(table))
    assert any("“1,250” may be a thousand times 1.250" in fault for fault in listed), listed
    told_by_another = [row[:] for row in table]
    told_by_another[1][8] = told_by_another[2][8] = "1.5"
    assert told(as_csv(told_by_another))[0][4] == 1250


def test_a_date_that_may_be_either_is_not_guessed() -> None:
    trade = Listed(
        1, "long", Decimal(1), local("2025-03-04"), Decimal("10.5"), local("2025-04-05"),
        Decimal("11.5"),
    )  # fmt: skip
    form = Form(time=lambda time: f"{time:%d/%m/%Y %H:%M}")
    (fault,) = faults(as_csv(rows([trade], form)))
    assert fault.startswith("Row 3, column “Date and time”: “04/03/2025 00:00” may have the day")
    # A language that has the day first tells; so does an exit that would come too early.
    form.language = "fr"
    assert told(as_csv(rows([trade], form)))[0][3] == local("2025-03-04")
    form = Form(time=lambda time: f"{time:%m/%d/%Y}")
    early = Listed(
        1, "long", Decimal(1), local("2025-02-11"), Decimal("10.5"), local("2025-10-02"),
        Decimal("11.5"),
    )  # fmt: skip
    assert told(as_csv(rows([early], form)))[0][3] == local("2025-02-11")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "The file is empty."),
        (b" \n\n ", "The file is empty."),
        (b"\xff\xfe\x00", "not UTF-16"),
        (b"Trade #,Type\n\xe4,1", "not UTF-8 (byte 14)"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel (.xls)"),
        (b"PK\x03\x04 no zip at all", "no XLSX workbook"),
        (b"<html><body>Sign in</body></html>", "No header of TradingView's list of trades"),
        (b"x" * (10 * 1024 * 1024 + 1), "larger than 10 MB"),
    ],
)
def test_what_is_no_list_of_trades(content: bytes, text: str) -> None:
    (fault,) = faults(content)
    assert text in fault


def archive(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, held in members.items():
            made.writestr(name, held)
    return content.getvalue()


def test_a_workbook_that_unfolds_without_end_is_refused() -> None:
    (fault,) = faults(archive(**{"xl/worksheets/sheet1.xml": b"\0" * 210 * 1024 * 1024}))
    assert "too large once it is unfolded" in fault


def test_a_workbook_with_entities_is_refused() -> None:
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(as_xlsx(rows(TRADES, Form())))) as whole,
        zipfile.ZipFile(content, "w") as made,
    ):
        for member in whole.infolist():
            held = whole.read(member)
            if member.filename == "xl/workbook.xml":
                declared = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>'
                held = held.replace(b"<workbook", declared + b"<workbook", 1)
            made.writestr(member, held)
    (fault,) = faults(content.getvalue())
    assert "no XLSX workbook that can be read" in fault


def test_a_workbook_without_the_list() -> None:
    (fault,) = faults(as_xlsx([["Net profit", 1]]))
    assert "No header of TradingView's list of trades" in fault
