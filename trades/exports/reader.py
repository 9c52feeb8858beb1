"""Reads TradingView's "List of trades", CSV or XLSX, old format or new, in nine languages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from trades.direction import Direction
from trades.exports.exported import Export, ExportedTrade
from trades.exports.numbers import decimal_mark, read_number
from trades.exports.tables import MOST_BYTES, Table, table_in
from trades.exports.times import (
    Order,
    may_be_either,
    may_follow,
    order_among,
    read_time,
    tells_half_of_day,
)
from trades.exports.unreadable import CellUnreadable, ExportFault, ExportUnreadable, shown
from trades.exports.vocabulary import Column, kind_of_row, means_open

Value = TypeVar("Value")

#: What an empty cell may look like.
_BLANK = frozenset({"", "-", "–", "—", "−", "n/a", "na", "nan", "null", "none", "∅"})


@dataclass(slots=True)
class _Event:
    """One row: an entry or an exit."""

    row: int
    number: int
    is_entry: bool
    direction: Direction
    signal: str
    #: The cells that are read once it is known how the file writes them.
    cells: dict[Column, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether it stands in for the exit of a trade that has none yet."""
        time = self.cells.get(Column.TIME)
        return not self.is_entry and (
            means_open(self.signal)
            or (isinstance(time, str) and means_open(time))
            or (_is_blank(time) and _is_blank(self.cells.get(Column.PRICE)))
        )


def read_export(content: bytes, file_name: str = "") -> Export:
    """Read a file; pure, so the same bytes come to the same trades.

    Raises ExportUnreadable, which names every fault by its row and column.
    """
    table = table_in(content)
    reading = _Reading(table)
    trades = reading.trades()
    if reading.faults:
        # By their places in the file; the two rows of a trade were read together.
        raise ExportUnreadable(*sorted(reading.faults, key=lambda fault: fault.row or 0))
    trades.sort(key=lambda trade: (trade.entry_time, trade.number))
    digest, left_out = hashlib.sha256(content).hexdigest(), table.header.left_out
    return Export(file_name, digest, tuple(trades), reading.last_time, left_out)


def read_export_file(path: Path) -> Export:
    """Read a file from disk; raises ExportUnreadable, also where it cannot be opened."""
    try:
        with path.open("rb") as file:
            # One byte more than is read tells that there is more.
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ExportUnreadable(ExportFault(f"{path}: {error.strerror or error}")) from None
    return read_export(content, path.name)


class _Reading:
    """One table on its way to trades, and what is wrong with it."""

    def __init__(self, table: Table) -> None:
        self.faults: list[ExportFault] = []
        self.last_time: datetime | None = None
        self._header = table.header
        self._events = [event for row in table.rows if (event := self._event(*row)) is not None]
        self._mark, self._is_certain = self._decimal_mark(table)

    def trades(self) -> list[ExportedTrade]:
        by_number: dict[int, list[_Event]] = {}
        for event in self._events:
            by_number.setdefault(event.number, []).append(event)
        pairs = [pair for events in by_number.values() if (pair := self._pair(events)) is not None]
        order = self._order(pairs)
        found = [self._trade(entry, leaving, order) for entry, leaving in pairs]
        return [trade for trade in found if trade is not None]

    def _event(self, row: int, cells: Any) -> _Event | None:
        places = self._header.places
        held = {
            column: cells[place] if place < len(cells) else None for column, place in places.items()
        }
        kind = kind_of_row(str(held[Column.TYPE] or ""))
        if kind is None:
            self._fault(row, Column.TYPE, f"{shown(held[Column.TYPE])} is no entry or exit")
        number = self._read(row, Column.NUMBER, held[Column.NUMBER], _trade_number)
        if kind is None or number is None:
            return None
        signal = "" if held[Column.SIGNAL] is None else str(held[Column.SIGNAL]).strip()
        return _Event(row, number, *kind, signal, held)

    def _decimal_mark(self, table: Table) -> tuple[str, bool]:
        """What stands before decimals, and whether the file's numbers tell."""
        skipped = {self._header.places[column] for column in (Column.TIME, Column.SIGNAL)}
        texts = [
            cell
            for _, cells in table.rows
            for place, cell in enumerate(cells)
            if isinstance(cell, str) and place not in skipped
        ]
        mark = decimal_mark(texts, "")
        return mark or table.presumed_mark, bool(mark)

    def _pair(self, events: list[_Event]) -> tuple[_Event, _Event | None] | None:
        """The entry and the exit of one trade; no exit while it is open."""
        entries = [event for event in events if event.is_entry]
        exits = [event for event in events if not event.is_entry]
        number = events[0].number
        for those, what in ((entries, "entries"), (exits, "exits")):
            if len(those) > 1:
                self._fault(those[1].row, Column.NUMBER, f"trade {number} has {len(those)} {what}")
                return None
        if not entries:
            self._fault(exits[0].row, Column.NUMBER, f"trade {number} has an exit and no entry")
            return None
        leaving = exits[0] if exits else None
        if leaving is not None and leaving.direction is not entries[0].direction:
            self._fault(leaving.row, Column.TYPE, f"trade {number} enters the other side")
            return None
        return entries[0], leaving

    def _order(self, pairs: list[tuple[_Event, _Event | None]]) -> Order:
        """Whether days or months come first, by whatever tells it."""
        entered = [entry.cells[Column.TIME] for entry, _ in pairs]
        left = [
            None if leaving is None or leaving.is_open else leaving.cells[Column.TIME]
            for _, leaving in pairs
        ]
        doubtful = [entry for entry, _ in pairs if may_be_either(entry.cells[Column.TIME])]
        orders = order_among([time for time in chain(entered, left) if time is not None])
        if len(orders) < 2 or not doubtful:
            return orders[0] if orders else Order.DAY_FIRST

        def follows(order: Order) -> bool:
            return all(
                time is None or may_follow(read_time(entry, order), read_time(time, order))
                for entry, time in zip(entered, left, strict=True)
            )

        orders = tuple(order for order in orders if follows(order)) or orders
        if len(orders) == 1:
            return orders[0]
        if "en" not in self._header.languages:
            return Order.DAY_FIRST
        if any(map(tells_half_of_day, entered)):
            return Order.MONTH_FIRST
        time = shown(doubtful[0].cells[Column.TIME])
        self._fault(
            doubtful[0].row,
            Column.TIME,
            f"{time} may have the day first or the month, and no other date in the file tells; "
            "write dates as 2025-03-04",
        )
        return Order.DAY_FIRST

    def _trade(self, entry: _Event, leaving: _Event | None, order: Order) -> ExportedTrade | None:
        if leaving is not None and leaving.is_open:
            # Up to here the list goes; its price is the last one and no exit.
            if not _is_blank(time := leaving.cells[Column.TIME]) and not (
                isinstance(time, str) and means_open(time)
            ):
                self._note_time(self._read_time(leaving, order))
            closed = None
        else:
            closed = leaving
        entry_time, entry_price = self._read_time(entry, order), self._positive(entry, Column.PRICE)
        quantity = self._positive(entry, Column.QUANTITY)
        exit_time = exit_price = None
        self._note_time(entry_time)
        if closed is not None:
            exit_time, exit_price = (
                self._read_time(closed, order),
                self._positive(closed, Column.PRICE),
            )
            self._note_time(exit_time)
            if exit_time and entry_time and not may_follow(entry_time, exit_time):
                self._fault(closed.row, Column.TIME, "the exit comes before its entry")
            if not _is_blank(closed.cells[Column.QUANTITY]):
                left = self._positive(closed, Column.QUANTITY)
                if None not in (left, quantity) and left != quantity:
                    self._fault(
                        closed.row, Column.QUANTITY, f"{left} leave, and {quantity} entered"
                    )
        # Both rows tell the whole trade's.
        teller = leaving or entry
        pnl, commission = (
            self._optional(teller, Column.PNL),
            self._optional(teller, Column.COMMISSION),
        )
        if entry_time is None or entry_price is None or quantity is None:
            return None
        if closed is not None and (exit_time is None or exit_price is None):
            return None
        return ExportedTrade(
            number=entry.number,
            direction=entry.direction,
            quantity=quantity,
            entry_time=entry_time,
            entry_price=entry_price,
            exit_time=exit_time,
            exit_price=exit_price,
            pnl=pnl,
            commission=commission,
            currency=self._header.currency,
        )

    def _note_time(self, time: datetime | None) -> None:
        if time is not None and (self.last_time is None or time > self.last_time):
            self.last_time = time

    def _read_time(self, event: _Event, order: Order) -> datetime | None:
        return self._read(
            event.row, Column.TIME, event.cells[Column.TIME], lambda cell: read_time(cell, order)
        )

    def _positive(self, event: _Event, column: Column) -> Decimal | None:
        def read(cell: object) -> Decimal:
            number = read_number(cell, self._mark, certain=self._is_certain)
            if number <= 0:
                raise CellUnreadable(f"{shown(cell)} is not above 0")
            return number

        return self._read(event.row, column, event.cells[column], read)

    def _optional(self, event: _Event, column: Column) -> Decimal | None:
        cell = event.cells.get(column)
        if _is_blank(cell):
            return None
        return self._read(
            event.row,
            column,
            cell,
            lambda cell: read_number(cell, self._mark, certain=self._is_certain),
        )

    def _read(
        self, row: int, column: Column, cell: object, convert: Callable[[object], Value]
    ) -> Value | None:
        try:
            if _is_blank(cell):
                raise CellUnreadable("the cell is empty")
            return convert(cell)
        except CellUnreadable as fault:
            self._fault(row, column, str(fault))
            return None

    def _fault(self, row: int, column: Column, text: str) -> None:
        self.faults.append(ExportFault(text, row, f"“{self._header.names[column]}”"))


def _trade_number(cell: object) -> int:
    # However its thousands are written; it has no decimals.
    written = re.sub(r"(?<=\d)[\s.,’'](?=\d{3}(?!\d))", "", str(cell).strip())  # noqa: RUF001
    if not re.fullmatch(r"\d{1,15}(?:[.,]0+)?", written, re.ASCII):
        raise CellUnreadable(f"{shown(cell)} is no trade's number")
    return int(re.split("[.,]", written)[0])


def _is_blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in _BLANK)
