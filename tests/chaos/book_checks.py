"""Compares the books' lots and trades with what their alerts lead to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.chaos.books import Book, Closed, Received
from tests.chaos.findings import Finding, Kind
from tests.chaos.plan import Alert
from tests.chaos.tables import Lot, Tables, Trade

#: How far the server's clock may decide otherwise than the times of receipt, when it gives up
#: an exit (see Book.slack): what an append may take, in a worker that is frozen meanwhile.
_SLACK = timedelta(seconds=4)


def wrong_books(sent: dict[str, Alert], tables: Tables, park: timedelta) -> Iterator[Finding]:
    """Books whose lots, trades or sums are not what their alerts lead to, one after the other."""
    books: dict[tuple[str, str], Book] = defaultdict(lambda: Book(park, _SLACK))
    for entry in tables.effective_entries():
        if (alert := sent.get(entry.name)) is not None:
            was_given_up = tables.log_of[entry.correlation_id].status == "failed"
            books[alert.book].apply(Received(alert, entry.received_at, entry.log, was_given_up))
    kept = {(lot.strategy, lot.symbol) for lot in tables.lots}
    kept |= {(trade.strategy, trade.symbol) for trade in tables.trades}
    for key in sorted(books.keys() | kept):
        for what, due, found in _compared(books[key], _Kept(key, tables), sent):
            if due != found:
                too_much = found - due
                is_doubled = too_much.keys() & due.keys()
                told = f"{key}: {what}: {_shown(due - found)} missing, {_shown(too_much)} too much"
                yield Finding(Kind.DOUBLED if is_doubled else Kind.WRONG_BOOK, told)


def _compared(
    book: Book, kept: _Kept, sent: dict[str, Alert]
) -> Iterator[tuple[str, Counter[Any], Counter[Any]]]:
    yield "applied alerts", Counter(book.effective), kept.applied
    yield "position", Counter([book.position]), Counter([kept.position])
    yield "open lots", Counter((lot.entry.name, lot.quantity) for lot in book.lots), kept.open_lots
    yield "closed lots", Counter(book.trades), kept.closed_lots
    yield "trades", Counter((trade, trade.gross) for trade in book.trades), kept.trades
    pnl = sum((trade.gross for trade in book.trades), Decimal(0))
    yield "P&L before commission", Counter([pnl]), Counter([kept.gross_pnl])
    commission = sum((sent[name].commission for name in book.effective), Decimal(0))
    yield "commission", Counter([commission]), Counter([kept.commission])


class _Kept:
    """What the tables hold of one book, in the words of `books`."""

    def __init__(self, key: tuple[str, str], tables: Tables) -> None:
        lots = [lot for lot in tables.lots if (lot.strategy, lot.symbol) == key]
        trades = [trade for trade in tables.trades if (trade.strategy, trade.symbol) == key]
        open_lots = [lot for lot in lots if lot.status == "open"]
        self._tables = tables
        self.applied = Counter(
            log.name
            for log in tables.logs
            if (log.strategy, log.symbol) == key and log.status == "processed"
        )
        self.position = sum((_signed(lot) for lot in open_lots), Decimal(0))
        self.open_lots = Counter(
            (self._name(lot.entry_webhook_log_id), _signed(lot)) for lot in open_lots
        )
        self.closed_lots = Counter(self._closed(lot, lot) for lot in lots if lot.status != "open")
        its_lot = {lot.trade_id: lot for lot in lots}
        self.trades = Counter(
            (self._closed(its_lot.get(trade.id), trade), trade.pnl + trade.commission)
            for trade in trades
        )
        self.gross_pnl = sum((trade.pnl + trade.commission for trade in trades), Decimal(0))
        self.commission = sum(
            [trade.commission for trade in trades] + [lot.entry_commission for lot in open_lots],
            Decimal(0),
        )

    def _closed(self, lot: Lot | None, row: Lot | Trade) -> Closed:
        exit = lot and self._tables.log_by_id.get(lot.exit_webhook_log_id or 0)
        trade = row if isinstance(row, Trade) else self._tables.trade_by_id.get(row.trade_id or 0)
        return Closed(
            self._name(lot.entry_webhook_log_id) if lot else "",
            exit.name if exit else "",
            row.direction,
            row.quantity,
            row.entry_price,
            trade.exit_price if trade else Decimal(0),
        )

    def _name(self, log_id: int) -> str:
        log = self._tables.log_by_id.get(log_id)
        return log.name if log else ""


def _signed(lot: Lot) -> Decimal:
    return lot.quantity if lot.direction == "long" else -lot.quantity


def _shown(rows: Counter[Any]) -> str:
    shown = [str(row) for row in rows.elements()]
    return f"{', '.join(shown[:3])}{' and more' if len(shown) > 3 else ''}" or "nothing"
