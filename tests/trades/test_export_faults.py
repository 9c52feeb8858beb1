"""What cannot be read of a list of trades is told by row and column, and nothing is guessed."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from decimal import Decimal
from typing import Any

import pytest

from tests.trades.export_files import Form, Listed, as_csv, as_xlsx, rows
from tests.trades.listed_trades import TRADES, local, told
from trades.exports.reader import read_export
from trades.exports.unreadable import ExportUnreadable


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
        (3, "Position size (qty)", "1e-37", "“1e-37” has more than 18 digits"),
        (3, "Position size (qty)", "NaN", "the cell is empty"),
        (2, "Position size (qty)", "0.4", "0.4 leave, and 0.5 entered"),
        (2, "Date and time", "yesterday", "“yesterday” is no date"),
        (2, "Date and time", "2025-02-30 10:00", "“2025-02-30 10:00” is no date"),
        (2, "Date and time", "2025-03-20 09:00+01:00", "names a zone"),
        (2, "Date and time", "2025-03-01 09:00", "the exit comes before its entry"),
        (2, "Date and time", "2025-03-04 13:30", "the exit comes before its entry"),
        (2, "Type", "Margin call", "“Margin call” is no entry or exit"),
        (2, "Type", "Entry long", "trade 1 has 2 entries"),
        (2, "Type", "Exit short", "trade 1 enters the other side"),
        (3, "Trade #", "7", "trade 1 has an exit and no entry"),
        (3, "Trade #", "one", "“one” is no trade's number"),
        (2, "Net P&L USDT", "a lot", "“a lot” is no number"),
        (3, "Position size (qty)", "1.25K", "“1.25K” is told in thousands or more"),
        (2, "Price USDT", "5%", "“5%” is a share and no amount"),
    ],
)
def test_a_fault_names_its_row_and_column(row: int, column: str, cell: str, text: str) -> None:
    listed = faults(changed(row, column, cell))
    where = {"trade 1 has 2 entries": "Trade #"}.get(text, column)
    assert any(f"column “{where}”" in fault and text in fault for fault in listed), listed
    assert all(fault.startswith(("Row 2", "Row 3")) for fault in listed)


def test_what_a_fault_quotes_steers_no_terminal() -> None:
    table = rows(TRADES, Form())
    table[0][4] = "Price \x1b[41mUSDT"
    table[1][4] = "1\x1b[2J\x1b]0;owned\x07\nRow 9: \u202e"
    (fault,) = faults(as_csv(table))
    quoted = r"“1\x1b[2J\x1b]0;owned\x07\nRow 9: \u202e”"
    assert fault == rf"Row 2, column “Price \x1b[41mUSDT”: {quoted} is no number"


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


@pytest.mark.parametrize("mark", ["/", "-"])
def test_a_date_that_may_be_either_is_not_guessed(mark: str) -> None:
    trade = Listed(
        1, "long", Decimal(1), local("2025-03-04"), Decimal("10.5"), local("2025-04-05"),
        Decimal("11.5"),
    )  # fmt: skip
    form = Form(time=lambda time: f"{time:%d/%m/%Y}".replace("/", mark))
    (fault,) = faults(as_csv(rows([trade], form)))
    date = f"04{mark}03{mark}2025"
    assert fault.startswith(f"Row 3, column “Date and time”: “{date}” may have the day")
    # A language that has the day first tells; so does an exit that would come too early.
    form.language = "fr"
    assert told(as_csv(rows([trade], form)))[0][3] == local("2025-03-04")
    form = Form(time=lambda time: f"{time:%m/%d/%Y}".replace("/", mark))
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


def tampered(name: str, before: bytes, put_in: bytes) -> bytes:
    """The list as a workbook, with something put into one of its parts."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(as_xlsx(rows(TRADES, Form())))) as whole,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for member in whole.infolist():
            held = whole.read(member)
            if member.filename == name:
                held = held.replace(before, put_in + before, 1)
            made.writestr(member, held)
    return content.getvalue()


def test_a_workbook_with_entities_is_refused() -> None:
    declared = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>'
    (fault,) = faults(tampered("xl/workbook.xml", b"<workbook", declared))
    assert "no XLSX workbook that can be read" in fault


def in_sheet(put_in: bytes) -> bytes:
    return tampered("xl/worksheets/sheet2.xml", b"</sheetData>", put_in)


def test_a_row_that_says_it_is_far_down_is_not_waited_for() -> None:
    """The reader makes every row up to it: here for some centuries."""
    (fault,) = faults(in_sheet(b'<row r="%d"><c><v>1</v></c></row>' % 10**15))
    assert "more than 1,048,576 rows" in fault


def test_a_cell_that_says_it_is_far_right_takes_no_room() -> None:
    """The reader makes every cell up to it: 16,384 a row, gigabytes of a small file."""
    far = b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (n, n) for n in range(100, 900))
    content = in_sheet(far)
    tracemalloc.start()
    try:
        assert told(content) == told(as_xlsx(rows(TRADES, Form())))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_workbook_without_the_list() -> None:
    (fault,) = faults(as_xlsx([["Net profit", 1]]))
    assert "No header of TradingView's list of trades" in fault
