"""Finds, for every lot and trade a book must hold, the row that stands for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from itertools import islice

from django.db import connection

from positions.difference import LOT_COLUMNS, TRADE_IDENTITY, Difference, columns
from positions.expected import ExpectedBook
from positions.held import Held
from positions.models import Lot
from trades.models import Correction, Trade
from trades.numeric import exactly

#: What tells that a row stands for an expected lot, the surest first; one damaged
#: column leaves one of them whole. None tells nothing.
_LOT_KEYS: tuple[Callable[[Lot], Hashable], ...] = (
    lambda lot: columns(lot, LOT_COLUMNS),
    lambda lot: (lot.entry_webhook_log_id, lot.exit_webhook_log_id, lot.quantity),
    lambda lot: (lot.entry_webhook_log_id, lot.exit_webhook_log_id),
    lambda lot: (lot.entry_webhook_log_id, lot.quantity),
    lambda lot: (
        lot.exit_webhook_log_id
        and (lot.strategy_id, lot.symbol, lot.exit_webhook_log_id, lot.quantity)
    ),
    lambda lot: (
        lot.strategy_id, lot.symbol, lot.direction, lot.quantity, lot.entry_price, lot.entry_time,
        lot.status,
    ),
    lambda lot: lot.entry_webhook_log_id,
)  # fmt: skip


def compare(book: ExpectedBook, held: Held) -> Difference:
    """What `held` and the expectation differ in. Reads the tables and changes nothing."""
    standing, rest = _standing_lots(book.lots, held.lots)
    misplaced, places = _queue(book.open, standing)
    for lot in misplaced:
        rest.append(standing.pop(lot))
    trades = _standing_trades(book.trades, standing, held)
    surplus_lots = [lot for lot in rest if lot.entry_webhook_log_id in held.alerts]
    unexplained = [lot for lot in rest if lot.entry_webhook_log_id not in held.alerts]
    surplus_trades, unexplained_trades = _left_over(book.trades, trades, unexplained, held)
    return Difference(
        [(lot, standing.get(lot.pk)) for lot in book.lots],
        [(trade, trades.get(id(trade))) for trade in book.trades],
        surplus_lots,
        surplus_trades,
        frozenset(lot.pk for lot in unexplained if (lot.strategy_id, lot.symbol) == held.book),
        unexplained_trades,
        places,
    )


def _standing_lots(expected: list[Lot], held: list[Lot]) -> tuple[dict[int, Lot], list[Lot]]:
    """The row of each expected lot, by the expected one's id, and the rows of none."""
    standing: dict[int, Lot] = {}
    for key in _LOT_KEYS:
        by_key: dict[Hashable, list[Lot]] = defaultdict(list)
        for lot in reversed(held):
            if (told := key(lot)) is not None:
                by_key[told].append(lot)
        missing = []
        for lot in expected:
            if same := by_key.get(key(lot)):
                standing[lot.pk] = same.pop()
            else:
                missing.append(lot)
        taken = {lot.pk for lot in standing.values()}
        expected, held = missing, [lot for lot in held if lot.pk not in taken]
    return standing, held


def _queue(queue: list[Lot], standing: dict[int, Lot]) -> tuple[list[int], dict[int, int]]:
    """Which open lots' rows are out of place, and the ids for rows that are missing.

    Lots are closed in the order of their ids, so a row that is put back needs one
    between its neighbours'. Where none is free there, all that follow move.
    """
    misplaced, places = [], {}
    last: float = 0
    for number, lot in enumerate(queue):
        row = standing.get(lot.pk)
        if row is not None and row.pk > last:
            last = row.pk
            continue
        if row is not None:
            misplaced.append(lot.pk)
        following = (standing.get(later.pk) for later in islice(queue, number + 1, None))
        bound = min((later.pk for later in following if later and later.pk > last), default=None)
        free = None if bound is None else _free_id(last, bound)
        if free is None:
            last = float("inf")
        else:
            places[lot.pk] = last = free
    return misplaced, places


def _free_id(above: float, below: int) -> int | None:
    """The highest id between two that no lot has, not looking far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM generate_series(%s::bigint, %s::bigint, -1) AS id"
            " WHERE NOT EXISTS (SELECT FROM open_positions lot WHERE lot.id = id.id) LIMIT 1",
            [below - 1, max(above + 1, below - 100_000)],
        )
        found = cursor.fetchone()
    return int(found[0]) if found else None


def _standing_trades(
    expected: list[Trade], standing: dict[int, Lot], held: Held
) -> dict[int, Trade]:
    """The row of each expected trade, by the expected one's `id()`."""
    found: dict[int, Trade] = {}
    free = dict(held.trades)
    linked = {
        id(trade): held.trades.get(lot.trade_id)
        for trade in expected
        if (lot := standing.get(trade.lot.pk)) is not None and lot.trade_id is not None
    }
    by_identity: dict[Hashable, list[Trade]] = defaultdict(list)

    def take(trade: Trade, row: Trade | None) -> None:
        if row is not None and row.pk in free and id(trade) not in found:
            found[id(trade)] = free.pop(row.pk)

    for trade in expected:
        row = linked.get(id(trade))
        if row and columns(row, TRADE_IDENTITY) == columns(trade, TRADE_IDENTITY):
            take(trade, row)
    for unused in reversed(free.values()):
        by_identity[columns(unused, TRADE_IDENTITY)].append(unused)
    for trade in expected:
        if id(trade) not in found and (same := by_identity[columns(trade, TRADE_IDENTITY)]):
            take(trade, same.pop())
    for trade in expected:
        take(trade, linked.get(id(trade)))
    for trade in expected:
        for trade_id in held.closed_by.get(trade.lot.exit_webhook_log_id or 0, ()):
            take(trade, free.get(trade_id))
    for trade in expected:
        if (row := found.get(id(trade))) is not None:
            _keep_flag(trade, row)
    return found


def _keep_flag(trade: Trade, row: Trade) -> None:
    """Leave a discrepancy flagged or not as it was: the tolerance may be another by now."""
    if trade.pnl_reported is None or (trade.pnl, trade.pnl_reported) != (row.pnl, row.pnl_reported):
        return
    with exactly():
        if row.pnl_discrepancy in (None, trade.pnl_reported - trade.pnl):
            trade.pnl_discrepancy = row.pnl_discrepancy


def _left_over(
    expected: list[Trade], standing: dict[int, Trade], unexplained: list[Lot], held: Held
) -> tuple[list[Trade], frozenset[int]]:
    """The trades that are too many, and the ids of those that nothing explains.

    One that somebody has corrected is no longer the log's alone: it stays, with the corrections.
    """
    used = {row.pk for row in standing.values()}
    kept = {lot.trade_id for lot in unexplained}
    known = {columns(trade, TRADE_IDENTITY) for trade in expected}
    linked = {lot.trade_id for lot in held.lots}
    surplus, left = [], set()
    for row in held.trades.values():
        if row.pk in used or row.pk in kept:
            continue
        is_ours = (row.strategy_id, row.symbol) == held.book
        if columns(row, TRADE_IDENTITY) in known or (row.pk in linked and is_ours):
            surplus.append(row)
        elif is_ours:
            left.add(row.pk)
    corrected = frozenset(
        Correction.objects.filter(trade__in=surplus).values_list("trade_id", flat=True)
    )
    return [row for row in surplus if row.pk not in corrected], held.imported | left | corrected
