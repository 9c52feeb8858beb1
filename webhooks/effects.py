"""What an alert does: its row, and the lots and trades of its order. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from django.conf import settings
from django.utils import timezone

from faults import Fault, NoOpenPosition, StrategyDisabled
from positions.booking import Booking, booking_of
from positions.netting import net
from positions.open_lots import OpenLots, net_open
from trades.models import Strategy
from webhooks import trail
from webhooks.alert_row import row_of
from webhooks.drift import mark_drift
from webhooks.identity import identity_in_strategy
from webhooks.models import LogStatus, WebhookLog
from webhooks.orders import fill_of, order_of
from webhooks.signal import Signal
from webhooks.standing import Standing
from webhooks.wanted import Wanted


@dataclass(slots=True)
class Effect:
    """What an alert does: its row, and the lots and trades of its order if it moves any."""

    log: WebhookLog
    booking: Booking | None = None
    #: What is open in its book then.
    left: OpenLots | None = None
    #: Its row as it was, where it failed before.
    before: WebhookLog | None = None
    #: The exits that had come before it, their entry, and that it lets through.
    released: list[Effect] = field(default_factory=list)


def effect_of(
    each: Wanted,
    before: WebhookLog | None,
    strategies: Mapping[str, Strategy],
    standing: Standing,
) -> Effect:
    """What an alert that has none yet does; `before` is its row, where it failed."""
    log = row_of(each.entry, each.signal, key=each.key)
    if before is not None:
        trail.take_place(log, before)
    elif each.signal is not None and each.key in standing.keys:
        # Another strategy's alert has it, or it would have been found before.
        log.idempotency_key = identity_in_strategy(each.signal)
    try:
        if (refusal := each.refusal) is not None:
            raise refusal
        assert each.signal is not None
        strategy = strategies[each.signal.strategy]
        if not strategy.enabled or each.was_disabled:
            raise StrategyDisabled
        lots = standing.lots.get(each.reading.book, OpenLots())
        if each.signal.is_test:
            # Logged in full; it moves no position.
            with suppress(NoOpenPosition):
                netting = net(order_of(each.signal, strategy), lots.as_netted())
                log.action, log.quantity = netting.effect, netting.quantity
            return Effect(log)
        return netted(log, each.signal, strategy, lots)
    except Fault as fault:
        # An exit waits for its entry once, not again each time it is tried.
        _refuse(log, fault, each, standing, may_wait=before is None)
        return Effect(log)


def netted(log: WebhookLog, signal: Signal, strategy: Strategy, lots: OpenLots) -> Effect:
    """What an order does to these open lots. Raises NoOpenPosition where it closes none."""
    netting, lots = net_open(order_of(signal, strategy), strategy, signal.symbol, lots)
    log.status, log.error_code, log.error_message = LogStatus.PROCESSED, "", ""
    log.action = netting.effect
    log.quantity = netting.quantity
    mark_drift(log, signal, netting.before, netting.after)
    booking = booking_of(netting, lots.first, fill_of(log, signal, strategy))
    return Effect(log, booking, lots.after(booking.opened))


def give_up(log: WebhookLog, each: Wanted, standing: Standing) -> None:
    """An exit that is parked fails: its entry has not come in its time."""
    log.processed_at = timezone.now()
    _refuse(log, NoOpenPosition(), each, standing, may_wait=False)


def _refuse(
    log: WebhookLog, fault: Fault, each: Wanted, standing: Standing, *, may_wait: bool
) -> None:
    log.error_code, log.error_message, log.error_fields = fault.code, fault.message, fault.fields
    log.status = LogStatus(fault.status)
    if not isinstance(fault, NoOpenPosition):
        return
    if may_wait and settings.PARK_SECONDS > 0:
        log.status = LogStatus.PARKED
    elif (signal := each.signal_for(log)) is not None:
        # Nobody waits for its entry any longer: it is missing, which is drift as well.
        position = standing.lots.get(signal.book, OpenLots()).position
        mark_drift(log, signal, position, position)
