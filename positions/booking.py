"""Writes what netting decided: lots opened, split and closed, one trade a closed lot.

Trades come first, then the alerts that point to them, then the lots that point to both;
so each row is written once. Called inside the transaction that holds the books' locks;
nothing here commits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import rows
from positions.models import Lot, LotStatus
from positions.netting import Closing, Netting, Opening
from trades.models import Strategy, Trade
from trades.numeric import exactly, plain, share
from trades.pnl import discrepancy, realised_pnl


@dataclass(frozen=True, slots=True)
class Fill:
    """How an order was filled, as its alert tells it."""

    strategy: Strategy
    symbol: str
    #: In quote currency for one unit.
    price: Decimal
    #: The order's own time, UTC.
    time: datetime
    #: For the whole order, in quote currency.
    commission: Decimal
    #: "" where the alert tells none.
    currency: str
    #: The profit the alert reports for the whole order; None where it tells none.
    pnl_reported: Decimal | None
    #: How far reported and calculated P&L may differ, in quote currency.
    pnl_tolerance: Decimal


@dataclass(frozen=True, slots=True)
class Booking:
    """The rows of one order's effect."""

    #: In the order of the lots they close.
    trades: tuple[Trade, ...]
    #: The lots those trades are of; where one was closed in part, the part split off.
    closed: tuple[Lot, ...]
    #: The lots that parts were split off from.
    rests: tuple[Lot, ...]
    opened: Lot | None

    def take_alert(self, log_id: int) -> None:
        """Have the lots refer to their alert, whose id (`webhook_logs.id`) is known by now."""
        for lot in self.closed:
            lot.exit_webhook_log_id = log_id
        if self.opened is not None:
            self.opened.entry_webhook_log_id = log_id


def booking_of(netting: Netting, lots: list[Lot], fill: Fill) -> Booking:
    """The effect of one order on the lots it was netted against; they are changed, not saved."""
    shares = _commission_shares(netting, fill.commission)
    by_id = {lot.pk: lot for lot in lots}
    trades = _trades_of(netting.closings, by_id, fill, shares)
    closed, rests = [], []
    for closing, trade in zip(netting.closings, trades, strict=True):
        lot = by_id[closing.lot.id]
        if closing.is_partial:
            rests.append(lot)
            lot = _split(lot, closing.quantity)
        lot.status, lot.point_value = LotStatus.CLOSED, trade.point_value
        closed.append(lot)
    opened = _lot_of(netting.opening, fill, shares[-1]) if netting.opening else None
    return Booking(tuple(trades), tuple(closed), tuple(rests), opened)


def write_trades(bookings: Sequence[Booking]) -> None:
    """Insert the trades of these orders."""
    rows.insert([trade for booking in bookings for trade in booking.trades])


def write_lots(bookings: Sequence[tuple[Booking, UUID]]) -> Callable[[], None]:
    """Write the lots of these orders, each with its alert (`webhook_logs.correlation_id`).

    The alerts' rows may still be on their way, but must have been asked for before. New lots
    have their ids only once what is returned has waited for them.
    """
    whole: list[tuple[Lot, UUID]] = []
    parts: list[tuple[Lot, UUID]] = []
    rests: list[Lot] = []
    opened: list[tuple[Lot, UUID]] = []
    for booking, alert in bookings:
        for lot, trade in zip(booking.closed, booking.trades, strict=True):
            lot.trade_id = trade.pk
            (parts if lot.pk is None else whole).append((lot, alert))
        rests += booking.rests
        if booking.opened is not None:
            opened.append((booking.opened, alert))
    rows.update(
        [lot for lot, _ in whole],
        ("status", "point_value", "exit_webhook_log_id", "trade_id"),
        _by_alert("exit_webhook_log_id", whole),
    )
    rows.update(rests, ("quantity", "entry_commission"))
    asked = [
        rows.ask_to_insert([lot for lot, _ in lots], _by_alert(name, lots))
        for name, lots in (("exit_webhook_log_id", parts), ("entry_webhook_log_id", opened))
    ]

    def take_ids() -> None:
        for take in asked:
            take()

    return take_ids


def _by_alert(name: str, lots: Sequence[tuple[Lot, UUID]]) -> rows.Named:
    # Not by the alert's id: to wait for that would be a round trip more.
    return {name: ("correlation_id", [alert for _, alert in lots])}


def _lot_of(opening: Opening, fill: Fill, commission: Decimal) -> Lot:
    """The lot that an order opens, not yet saved; `commission` is the opening's share."""
    return rows.new(
        Lot,
        strategy_id=fill.strategy.pk,
        symbol=fill.symbol,
        direction=opening.direction,
        quantity=opening.quantity,
        entry_price=fill.price,
        entry_time=fill.time,
        entry_commission=commission,
        currency=fill.currency,
    )


def _commission_shares(netting: Netting, commission: Decimal) -> list[Decimal]:
    """The order's commission by quantity, one part a closing and then the opening's."""
    quantities = [closing.quantity for closing in netting.closings]
    if netting.opening is not None:
        quantities.append(netting.opening.quantity)
    return _by_quantity(commission, quantities)


def _by_quantity(amount: Decimal, quantities: list[Decimal]) -> list[Decimal]:
    """Divide an amount by quantity; the parts add up to it, to the last digit."""
    parts = []
    with exactly():
        whole = sum(quantities, Decimal(0))
        for quantity in quantities:
            part = share(amount, quantity, whole)
            parts.append(part)
            amount, whole = amount - part, whole - quantity
    return parts


def _trades_of(
    closings: tuple[Closing, ...], lots: dict[int, Lot], fill: Fill, commissions: list[Decimal]
) -> list[Trade]:
    """One trade a closing, not yet saved; `commissions` are the exit's shares, in their order."""
    point_value = fill.strategy.point_value_of(fill.symbol)
    trades = []
    for closing, exit_commission in zip(closings, commissions, strict=False):
        lot = lots[closing.lot.id]
        with exactly():
            commission = plain(
                share(lot.entry_commission, closing.quantity, lot.quantity) + exit_commission
            )
        trades.append(
            rows.new(
                Trade,
                strategy_id=fill.strategy.pk,
                symbol=fill.symbol,
                direction=closing.lot.direction,
                quantity=closing.quantity,
                entry_price=lot.entry_price,
                exit_price=fill.price,
                entry_time=lot.entry_time,
                exit_time=fill.time,
                point_value=point_value,
                commission=commission,
                pnl=realised_pnl(
                    direction=closing.lot.direction,
                    quantity=closing.quantity,
                    entry_price=lot.entry_price,
                    exit_price=fill.price,
                    point_value=point_value,
                    commission=commission,
                ),
                currency=fill.currency or lot.currency,
            )
        )
    _compare_reported(trades, fill)
    return trades


def _compare_reported(trades: list[Trade], fill: Fill) -> None:
    """Set the reported P&L on each trade, and the discrepancy where there is one.

    The alert reports one figure for the order. Where that closed several lots,
    what it differs by is shared by quantity, so that the trades' reported P&L
    add up to the alert's.
    """
    if fill.pnl_reported is None or not trades:
        return
    with exactly():
        difference = fill.pnl_reported - sum((trade.pnl for trade in trades), Decimal(0))
        flagged = discrepancy(
            reported=fill.pnl_reported,
            calculated=fill.pnl_reported - difference,
            tolerance=fill.pnl_tolerance,
        )
        parts = _by_quantity(difference, [trade.quantity for trade in trades])
        for trade, part in zip(trades, parts, strict=True):
            trade.pnl_reported = plain(trade.pnl + part)
            trade.pnl_discrepancy = None if flagged is None else plain(part)


def _split(lot: Lot, quantity: Decimal) -> Lot:
    """Take a quantity off a lot; return the new lot that holds it, not yet saved."""
    commission = share(lot.entry_commission, quantity, lot.quantity)
    part = rows.new(
        Lot,
        strategy_id=lot.strategy_id,
        symbol=lot.symbol,
        direction=lot.direction,
        quantity=quantity,
        entry_price=lot.entry_price,
        entry_time=lot.entry_time,
        entry_commission=commission,
        currency=lot.currency,
        entry_webhook_log_id=lot.entry_webhook_log_id,
    )
    with exactly():
        lot.quantity -= quantity
        lot.entry_commission -= commission
    return part
