"""From what an alert says to the quantity that is netted, and how it was filled."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings

from positions.booking import Fill
from positions.netting import Intent, Order
from trades.models import Strategy
from webhooks.models import WebhookLog
from webhooks.signal import Signal


def order_of(signal: Signal, strategy: Strategy) -> Order:
    """The order of a signal: its own quantity, or the default the Contract gives it."""
    intent, direction, quantity = signal.intent, signal.direction, signal.quantity
    if intent is Intent.FLATTEN:
        quantity = None
    elif intent is not Intent.EXIT:
        if direction is not None and _only_closes(signal):
            # What it leaves may still be on its way, or be lost: it opens nothing in its place.
            intent, direction = Intent.EXIT, direction.opposite
        elif quantity is None and signal.view_after is not None:
            # It ends on its side, so the default is what it opens, beside what it closes.
            intent = Intent.ENTRY
        quantity = strategy.default_quantity if quantity is None else quantity
    return Order(intent, direction, quantity, _counts_closed(signal))


def fill_of(log: WebhookLog, signal: Signal, strategy: Strategy) -> Fill:
    """How the order was filled; an alert that tells no time was filled when it came."""
    return Fill(
        strategy=strategy,
        symbol=signal.symbol,
        price=signal.price,
        time=log.order_time or log.received_at,
        commission=signal.commission or Decimal(0),
        currency=signal.currency,
        pnl_reported=signal.pnl_reported,
        pnl_tolerance=settings.PNL_TOLERANCE,
    )


def _only_closes(signal: Signal) -> bool:
    """Whether TradingView left a part of the other side by this order, or all of it.

    Whatever the order is called: who buys and is short then was so before.
    """
    before, after = signal.view_before, signal.view_after
    if after is None or signal.direction is None:
        return False
    if after.direction is None:
        return before is not None and before.direction == signal.direction.opposite
    return after.direction != signal.direction


def _counts_closed(signal: Signal) -> bool:
    """Whether an entry's quantity holds what it closes on the other side as well.

    `{{strategy.order.contracts}}` of a reversal does: 8 contracts turn short 5 into long 3.
    The position after it, where less than the quantity, shows so. Where its size is not
    told, the quantity must be more than what is open (`Order.counts_closed`). TradingView
    closed nothing if it was not on the other side before. A message that tells neither
    position, or no quantity, speaks of what is opened.
    """
    before, after = signal.view_before, signal.view_after
    if signal.quantity is None or signal.direction is None:
        return False
    if before is not None and before.direction != signal.direction.opposite:
        return False
    if after is None:
        return before is not None
    return after.size is None or after.size < signal.quantity
