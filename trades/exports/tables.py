"""The rows of a CSV or XLSX file, and which of them is the header."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.exceptions import InvalidFileException

from trades.exports.unreadable import ExportFault, ExportUnreadable, shown
from trades.exports.vocabulary import HEADERS, REQUIRED, Column, meaning

MOST_BYTES: Final = 10 * 1024 * 1024
#: What an XLSX of that size may unfold to.
_MOST_UNFOLDED: Final = 200 * 1024 * 1024
_MOST_ROWS: Final = 500_000
#: Of a workbook's own rows, blank ones too, and of a row's cells: what it says of their places is
#: anybody's to write, and the reader fills up with empty ones to there.
_LAST_ROW: Final = 1_048_576
_MOST_COLUMNS: Final = 100

#: How far down the header may stand.
_HEADER_WITHIN: Final = 10

Cell = object
#: A row's number, as a spreadsheet counts them, and its cells.
Row = tuple[int, Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Header:
    """Which column stands where, and what the header tells besides."""

    #: By the place in a row.
    places: dict[Column, int]
    #: As the file calls them.
    names: dict[Column, str]
    #: In which all of it is written; several where words are the same.
    languages: frozenset[str]
    #: The quote currency, "" where no column names it.
    currency: str
    #: Columns that are not read, as the file calls them: of money in another currency than prices.
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A list of trades as a file holds it."""

    header: Header
    #: What follows the header; blank rows are left out.
    rows: list[Row]
    #: What stands before decimals by the file's form, should no number tell.
    presumed_mark: str


def table_in(content: bytes) -> Table:
    """Find the list of trades in a file; raises ExportUnreadable."""
    if not content.strip():
        raise ExportUnreadable(ExportFault("The file is empty."))
    if len(content) > MOST_BYTES:
        raise ExportUnreadable(ExportFault("The file is larger than 10 MB."))
    if content.startswith(b"PK\x03\x04"):
        return _from_workbook(content)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise ExportUnreadable(
            ExportFault("This is a workbook of an old Excel (.xls); save it as XLSX or as CSV.")
        )
    return _from_text(_decoded(content))


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in content[:200]:
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ExportUnreadable(
            ExportFault(
                f"The file is not {encoding.removesuffix('-sig').upper()} (byte "
                f"{error.start + 1}); save it as CSV in UTF-8, or as XLSX."
            )
        ) from None


def _from_text(text: str) -> Table:
    first = "".join(islice(io.StringIO(text), _HEADER_WITHIN))
    # The one under which the header has most of what is looked for.
    delimiter = max(",;\t", key=lambda one: _most_recognised(_records(first, one)))
    return _table(_records(text, delimiter), "," if delimiter == ";" else ".")


def _records(text: str, delimiter: str) -> Iterator[Row]:
    try:
        yield from enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1)
    except csv.Error as error:
        raise ExportUnreadable(ExportFault(f"The file is no CSV: {error}.")) from None


def _from_workbook(content: bytes) -> Table:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unfolded = sum(member.file_size for member in archive.infolist())
        if unfolded > _MOST_UNFOLDED:
            raise ExportUnreadable(ExportFault("The workbook is too large once it is unfolded."))
        return _sheet_with_trades(content)
    except (
        zipfile.BadZipFile, InvalidFileException, ParseError, KeyError,
        ValueError, TypeError, IndexError, OSError, EOFError, NotImplementedError,
    ) as error:  # fmt: skip
        # Whatever openpyxl trips over in a file that is no workbook; defusedxml's are ValueErrors.
        raise ExportUnreadable(
            ExportFault(f"The file is no XLSX workbook that can be read: {error}")
        ) from None


def _sheet_with_trades(content: bytes) -> Table:
    workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    try:
        sheets = workbook.worksheets
        for sheet in sheets:
            # What a file says of its own size is often wrong.
            sheet.reset_dimensions()
        if not sheets:
            raise ExportUnreadable(ExportFault("The workbook has no sheets."))
        sheet = max(
            sheets,
            key=lambda sheet: _most_recognised(
                enumerate(_cells_of(sheet, max_row=_HEADER_WITHIN), 1)
            ),
        )
        table = _table(enumerate(_cells_of(sheet), 1), ".")
        place = table.header.places[Column.TIME]
        for _, cells in table.rows:
            _make_date(cells, place, workbook.epoch)
        return table
    finally:
        workbook.close()


def _cells_of(sheet: Any, **bounds: int) -> Iterator[Sequence[Cell]]:
    yield from sheet.iter_rows(max_col=_MOST_COLUMNS, values_only=True, **bounds)


def _make_date(cells: Sequence[Cell], place: int, epoch: datetime) -> None:
    """Make a date of a cell that holds the number of one."""
    assert isinstance(cells, list)
    value = cells[place] if place < len(cells) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value < 2_958_466:
        found = from_excel(value, epoch)
        if isinstance(found, (datetime, date)):
            cells[place] = found


def _most_recognised(rows: Iterable[Row]) -> int:
    return max((len(_places(cells)) for _, cells in rows), default=0)


def _places(cells: Sequence[Cell]) -> dict[Column, list[int]]:
    places: dict[Column, list[int]] = {}
    for place, cell in enumerate(cells):
        if isinstance(cell, str) and (meant := meaning(cell)) is not None:
            places.setdefault(meant[0], []).append(place)
    return places


def _table(records: Iterable[Row], presumed_mark: str) -> Table:
    above: list[Row] = []
    rows: list[Row] = []
    header: Header | None = None
    width = 0
    for number, cells in records:
        if number > _LAST_ROW:
            raise ExportUnreadable(ExportFault(f"The file has more than {_LAST_ROW:,} rows."))
        if all(cell is None or not str(cell).strip() for cell in cells):
            continue
        if header is not None:
            rows.append((number, list(cells[:width])))
            if len(rows) > _MOST_ROWS:
                raise ExportUnreadable(
                    ExportFault(f"The file has more than {_MOST_ROWS:,} rows.", number)
                )
        elif _places(cells).keys() >= REQUIRED:
            header = _header(number, cells)
            # What has no name is none of the list's.
            width = max(place for place, cell in enumerate(cells, 1) if cell not in (None, ""))
        elif number <= _HEADER_WITHIN:
            above.append((number, cells))
        else:
            break
    if header is None:
        raise ExportUnreadable(_no_header(above))
    return Table(header, rows, presumed_mark)


def _header(number: int, cells: Sequence[Cell]) -> Header:
    found = _places(cells)
    for column, places in found.items():
        if len(places) > 1:
            named = " and ".join(f"“{cells[place]}”" for place in places)
            raise ExportUnreadable(
                ExportFault(f"{named} are both {column.value}; take one of them out", number)
            )
    names = {column: str(cells[places[0]]).strip() for column, places in found.items()}
    meanings = {
        column: meant for column, name in names.items() if (meant := meaning(name)) is not None
    }
    told = {column: currency for column, (*_, currency) in meanings.items() if currency}
    currency = told.get(Column.PRICE) or next(iter(told.values()), "")
    # A strategy's account may be in another one, and money of two is never added.
    foreign = {column for column in told if Column.PRICE in told and told[column] != currency}
    return Header(
        {column: places[0] for column, places in found.items() if column not in foreign},
        names,
        frozenset(HEADERS).intersection(*(languages for _, languages, _ in meanings.values())),
        currency,
        tuple(names[column] for column in names if column in foreign),
    )


def _no_header(above: list[Row]) -> ExportFault:
    number, cells = max(above, key=lambda row: len(_places(row[1])), default=(1, []))
    found = ", ".join(shown(cell) for cell in list(cells)[:25] if cell not in (None, ""))
    missing = ", ".join(
        f"{column.value} (such as “{HEADERS['en'][column][0]}”)"
        for column in Column
        if column in REQUIRED and column not in _places(cells)
    )
    return ExportFault(
        f"No header of TradingView's list of trades. Missing: {missing}. Found: {found}.", number
    )
