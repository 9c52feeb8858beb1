"""What a book must hold, derived from its alerts by the code that applies them live."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from faults import NoOpenPosition
from positions.expected import ExpectedBook
from positions.netting import Intent, Netting, Order
from trades.models import Strategy, Trade
from trades.numeric import exactly, plain
from webhooks.drift import mark_drift
from webhooks.effect_order import in_order_of_effect
from webhooks.models import WebhookLog
from webhooks.orders import fill_of, order_of
from webhooks.reading import read_again
from webhooks.signal import Signal
from webhooks.trail import came_in_so

#: What an alert's row tells of its order and of its effect.
EFFECT_COLUMNS = (
    "direction", "price", "order_time", "action", "quantity", "position_before", "position_after",
    "drift",
)  # fmt: skip


class NotDerivable(Exception):
    """What this book must hold cannot be told from its alerts; the message says why."""


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """An alert as its row is, and as it must be."""

    standing: WebhookLog
    expected: WebhookLog
    #: The trades it must have made.
    trades: tuple[Trade, ...]


def derive(
    strategy: Strategy, alerts: list[WebhookLog], point_values: Mapping[int, Decimal]
) -> tuple[ExpectedBook, list[ExpectedAlert]]:
    """Apply a book's alerts once more, in memory.

    `point_values` are those that trades were made with, by the alert that closed;
    elsewhere the strategy's counts. Raises NotDerivable.
    """
    book, expected = ExpectedBook(), []
    for alert in in_order_of_effect(alerts):
        signal = _signal(alert)
        order = order_of(signal, strategy)
        if signal.quantity is None and order.quantity is not None:
            if signal.intent is Intent.ORDER and _opened_nothing(alert, order):
                # Booked when such an order was netted, whatever side it ended on.
                order = replace(order, intent=Intent.ORDER)
            order = replace(order, quantity=_default_then(alert, order, strategy, book.position))
        row = _as_it_came_in(alert, signal)
        try:
            fill = fill_of(row, signal, _valued(strategy, point_values.get(alert.pk)))
            netting, trades = book.carry_out(order, fill, alert.pk)
        except NoOpenPosition:
            raise NotDerivable(
                f"Alert {alert.pk} closes a position that the alerts before it did not open."
            ) from None
        expected.append(ExpectedAlert(alert, _told(row, signal, netting), trades))
    return book, expected


def _signal(alert: WebhookLog) -> Signal:
    reading = read_again(alert)
    if (signal := reading.signal) is None:
        raise NotDerivable(f"Alert {alert.pk} cannot be read: {reading.fault}") from reading.fault
    if (signal.strategy, signal.symbol) != (alert.strategy, alert.symbol):
        raise NotDerivable(f"Alert {alert.pk} is about {signal.symbol} of {signal.strategy}.")
    return signal


def _valued(strategy: Strategy, point_value: Decimal | None) -> Strategy:
    if point_value is None:
        return strategy
    valued = copy.copy(strategy)
    valued.point_value = point_value
    return valued


def _opened_nothing(alert: WebhookLog, order: Order) -> bool:
    """Whether an entry closed a part or all of the other side, and no more, as its row tells."""
    opened = _opened(alert, order)
    return opened is not None and opened <= 0 and bool(alert.quantity)


def _opened(alert: WebhookLog, order: Order) -> Decimal | None:
    """What an order traded beyond what it closes, as its alert's row tells; negative where it
    did not close all of that. None where the row contradicts itself.
    """
    before, after, traded = alert.position_before, alert.position_after, alert.quantity
    if before is None or after is None or traded is None:
        return None
    with exactly():
        is_consistent = traded == abs(after - before)
        return plain(traded - _closed(order, before)) if is_consistent else None


def _default_then(
    alert: WebhookLog, order: Order, strategy: Strategy, position: Decimal
) -> Decimal:
    """The strategy's default quantity when the alert came, which may be another by now.

    `position` is the one the alert must have found.
    """
    assert order.direction is not None
    if (then := _opened(alert, order)) is not None and then > 0:
        return then
    now: Decimal = strategy.default_quantity
    after = alert.position_after
    with exactly():
        # The row contradicts itself; part of it may still speak for today's default.
        told = (alert.quantity, None if after is None else abs(after - position))
        if now in [one - _closed(order, position) for one in told if one is not None]:
            return now
    raise NotDerivable(
        f"Alert {alert.pk} names no quantity, and what it traded cannot be told from its row."
    )


def _closed(order: Order, position: Decimal) -> Decimal:
    """What an order closes besides its quantity."""
    if order.intent is not Intent.ENTRY or order.counts_closed or order.direction is None:
        return Decimal(0)
    return max(-position * order.direction.sign, Decimal(0))


def _as_it_came_in(alert: WebhookLog, signal: Signal) -> WebhookLog:
    """A copy with the order's own time: as it is read now, unless the trail has it that it was
    read as the row says when it came in.
    """
    expected = copy.copy(alert)
    if alert.order_time != signal.time and not came_in_so(alert):
        expected.order_time = signal.time
    return expected


def _told(expected: WebhookLog, signal: Signal, netting: Netting) -> WebhookLog:
    expected.direction = signal.direction or ""
    expected.price = signal.price
    expected.action = netting.effect
    expected.quantity = netting.quantity
    mark_drift(expected, signal, netting.before, netting.after)
    return expected
