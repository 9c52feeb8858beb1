"""Writes what netting decided: lots opened, split and closed, one trade a closed lot.

Called inside the transaction that holds the book's lock; nothing here commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from positions.models import Lot, LotStatus
from positions.netting import Closing, Netting, Opening, OpenLot
from trades.direction import Direction
from trades.models import Strategy, Trade
from trades.numeric import exactly, plain, share
from trades.pnl import discrepancy, realised_pnl


@dataclass(frozen=True, slots=True)
class Fill:
    """How an order was filled, as its alert tells it."""

    strategy: Strategy
    symbol: str
    #: The alert: `webhook_logs.id`.
    log_id: int
    #: In quote currency for one unit.
    price: Decimal
    #: The order's own time, UTC.
    time: datetime
    #: For the whole order, in quote currency.
    commission: Decimal
    currency: str
    #: The profit the alert reports for the whole order; None where it tells none.
    pnl_reported: Decimal | None
    #: How far reported and calculated P&L may differ, in quote currency.
    pnl_tolerance: Decimal


@dataclass(frozen=True, slots=True)
class Booked:
    """The rows an order made."""

    opened: Lot | None
    closed: tuple[Lot, ...]
    trades: tuple[Trade, ...]


def open_lots(strategy: Strategy, symbol: str) -> list[Lot]:
    """The book's open lots in the order they were opened."""
    return list(Lot.objects.filter(strategy=strategy, symbol=symbol, status="open").order_by("id"))


def as_netted(lot: Lot) -> OpenLot:
    """The lot as netting sees it."""
    return OpenLot(lot.pk, Direction(lot.direction), lot.quantity)


def book(netting: Netting, lots: list[Lot], fill: Fill) -> Booked:
    """Write the effect of one order; `lots` are those it was netted against."""
    shares = commission_shares(netting, fill.commission)
    trades = trades_of(netting.closings, {lot.pk: lot for lot in lots}, fill, shares)
    Trade.objects.bulk_create(trades)
    closed = _close(netting.closings, {lot.pk: lot for lot in lots}, trades, fill)
    opened = None
    if netting.opening is not None:
        opened = lot_of(netting.opening, fill, shares[-1])
        opened.save(force_insert=True)
    return Booked(opened, tuple(closed), tuple(trades))


def lot_of(opening: Opening, fill: Fill, commission: Decimal) -> Lot:
    """The lot that an order opens, not yet saved; `commission` is the opening's share."""
    return Lot(
        strategy=fill.strategy,
        symbol=fill.symbol,
        direction=opening.direction,
        quantity=opening.quantity,
        entry_price=fill.price,
        entry_time=fill.time,
        entry_commission=commission,
        entry_webhook_log_id=fill.log_id,
    )


def commission_shares(netting: Netting, commission: Decimal) -> list[Decimal]:
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


def trades_of(
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
            Trade(
                strategy=fill.strategy,
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
                currency=fill.currency,
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


def _close(
    closings: tuple[Closing, ...], lots: dict[int, Lot], trades: list[Trade], fill: Fill
) -> list[Lot]:
    closed, whole, rests, parts = [], [], [], []
    for closing, trade in zip(closings, trades, strict=True):
        lot = lots[closing.lot.id]
        if closing.is_partial:
            part = split(lot, closing.quantity)
            parts.append(part)
            rests.append(lot)
            lot = part
        else:
            whole.append(lot)
        lot.status = LotStatus.CLOSED
        lot.exit_webhook_log_id = fill.log_id
        lot.trade = trade
        closed.append(lot)
    Lot.objects.bulk_update(whole, ["status", "exit_webhook_log", "trade"])
    Lot.objects.bulk_update(rests, ["quantity", "entry_commission"])
    Lot.objects.bulk_create(parts)
    return closed


def split(lot: Lot, quantity: Decimal) -> Lot:
    """Take a quantity off a lot; return the new lot that holds it, not yet saved."""
    commission = share(lot.entry_commission, quantity, lot.quantity)
    part = Lot(
        strategy_id=lot.strategy_id,
        symbol=lot.symbol,
        direction=lot.direction,
        quantity=quantity,
        entry_price=lot.entry_price,
        entry_time=lot.entry_time,
        entry_commission=commission,
        entry_webhook_log_id=lot.entry_webhook_log_id,
    )
    with exactly():
        lot.quantity -= quantity
        lot.entry_commission -= commission
    return part
