"""Log entries become effects: lots, trades and rows in webhook_logs, or nothing.

Everything here happens in one transaction that holds the locks of the entries' books,
and may be done again at any time: an entry that has its row is not applied twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

import rows
from faults import Fault, NoOpenPosition, ProcessingError, StrategyDisabled
from positions.booking import Booking, booking_of, write_lots, write_trades
from positions.netting import net
from positions.open_lots import OpenLots, net_open
from trades.models import Strategy
from webhooks import trail
from webhooks.alert_row import row_of
from webhooks.drift import mark_drift
from webhooks.identity import identity_is_lasting
from webhooks.main_database import TRANSACTION_SECONDS
from webhooks.models import LogStatus, WebhookLog
from webhooks.orders import fill_of, order_of
from webhooks.outcome import Outcome, recorded_outcome
from webhooks.parking import has_expired, parked_for
from webhooks.sameness import find_same, orders_another
from webhooks.signal import Signal
from webhooks.standing import Standing, look
from webhooks.wanted import Wanted


@dataclass(frozen=True, slots=True)
class _Effect:
    """What an alert does: its row, and the lots and trades of its order if it moves any."""

    log: WebhookLog
    booking: Booking | None = None
    #: What is open in its book then.
    left: OpenLots | None = None


def apply(wanted: Sequence[Wanted]) -> list[Outcome | None]:
    """Give entries their effects, those of a book in this order, or find the ones they had.

    None stands for an entry whose book somebody else holds now, or where an exit that comes
    before it has just been parked. Raises what the database raises; then nothing has changed.
    """
    try:
        return _apply(wanted)
    except IntegrityError:
        # Two books raced for one key the sender gave. Whoever came second finds
        # the first one's row now; any other violation comes up again.
        return _apply(wanted)


def _apply(wanted: Sequence[Wanted]) -> list[Outcome | None]:
    outcomes: dict[int, Outcome | None] = {}
    effects: dict[int, _Effect] = {}
    before: dict[int, WebhookLog | None] = {}
    released: dict[int, list[_Effect]] = {}
    with rows.transaction_in_few_trips():
        standing = look(
            sorted({each.reading.book for each in wanted if each.signal}),
            [each.entry.correlation_id for each in wanted],
            [each.key for each in wanted],
            with_refused=any(each.signal is None or not each.is_allowed for each in wanted),
            seconds=TRANSACTION_SECONDS,
        )
        strategies = _strategies(wanted, standing)
        take_ids = _no_ids
        for places in _in_turn(wanted):
            # Of what was opened before: it may be closed now.
            take_ids()
            fresh: dict[int, _Effect] = {}
            for place in places:
                each = wanted[place]
                if each.signal is not None and each.reading.book not in standing.ours:
                    outcomes[place] = None
                    continue
                known = _known(each, standing)
                if known is not None and (found := _recorded(each, known, standing)) is not None:
                    outcomes[place] = found
                    continue
                if isinstance(each.reading.fault, ProcessingError):
                    raise each.reading.fault
                before[place] = known
                fresh[place] = _effect(each, known, strategies, standing)
            take_ids = _write(list(fresh.values()), standing.ends)
            if standing.parked:
                take_ids()
                for place, effect in fresh.items():
                    released[place] = _release_parked(wanted[place], effect, strategies, standing)
            for place, effect in fresh.items():
                for had in (effect, *released.get(place, [])):
                    standing.note(had.log, had.left)
            effects |= fresh
    take_ids()
    for place, effect in effects.items():
        outcomes[place] = _outcome(effect, before[place], released.get(place, []))
    return [outcomes[place] for place in range(len(wanted))]


def _no_ids() -> None:
    pass


def _in_turn(wanted: Sequence[Wanted]) -> list[list[int]]:
    """The places of the first of each book, of the second of each, and so on.

    Those of one turn are written together. What has no book waits for nobody.
    """
    turns: list[list[int]] = []
    before: Counter[str] = Counter()
    for place, each in enumerate(wanted):
        turn = before[each.reading.book] if each.signal else 0
        before[each.reading.book] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(place)
    return turns


def _strategies(wanted: Sequence[Wanted], standing: Standing) -> dict[str, Strategy]:
    """The strategies the entries speak of, by name; new ones are made."""
    strategies = dict(standing.strategies)
    named = {each.signal.strategy for each in wanted if each.signal and each.is_allowed}
    if new := named - strategies.keys():
        # In one order everywhere, so that nobody waits in a circle. Somebody else may have
        # made one meanwhile.
        made = [Strategy(name=name) for name in sorted(new)]
        Strategy.objects.bulk_create(made, ignore_conflicts=True)
        strategies |= {each.name: each for each in Strategy.objects.filter(name__in=new)}
    return strategies


def _known(each: Wanted, standing: Standing) -> WebhookLog | None:
    """The row of this entry, or of the same alert before it."""
    if (own := standing.alerts.get(each.entry.correlation_id)) is not None:
        return own
    if each.signal is None or not each.is_allowed or identity_is_lasting(each.signal):
        return standing.keys.get(each.key)
    return find_same(each.signal, each.entry.received_at)


def _recorded(each: Wanted, known: WebhookLog, standing: Standing) -> Outcome | None:
    """The outcome that stands; None where the alert is to be tried once more."""
    if known.correlation_id != each.entry.correlation_id:
        # As it stands now: an exit that waits may be let through by who comes after.
        first, lots = copy(known), standing.lots_moved_by(known)
        return recorded_outcome(first, lots, is_duplicate=True, key_reused=_reuses_key(each, known))
    if known.status == LogStatus.PARKED and each.give_up and has_expired(known):
        return _fail_parked(known, each, standing)
    if known.status != LogStatus.FAILED or not (each.retry_failed and each.signal_for(known)):
        return recorded_outcome(known, standing.lots_moved_by(known))
    return None


def _reuses_key(each: Wanted, first: WebhookLog) -> bool:
    # A derived key tells the order itself.
    signal = each.signal
    return signal is not None and signal.given_key != "" and orders_another(signal, first)


def _effect(
    each: Wanted,
    known: WebhookLog | None,
    strategies: dict[str, Strategy],
    standing: Standing,
) -> _Effect:
    """What an alert that has none yet does. Nothing is written."""
    log = _new_log(each, known)
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
                log.action = net(order_of(each.signal, strategy), lots.as_netted()).effect
            return _Effect(log)
        return _netted(log, each.signal, strategy, lots)
    except Fault as fault:
        # An exit waits for its entry once, not again each time it is tried.
        return _Effect(_refused(log, fault, each, standing, may_wait=known is None))


def _new_log(each: Wanted, known: WebhookLog | None) -> WebhookLog:
    """The alert's row, not yet saved; in the place it has if it failed before."""
    log = row_of(each.entry, each.signal, key=each.key)
    if known is not None:
        trail.take_place(log, known)
    return log


def _netted(log: WebhookLog, signal: Signal, strategy: Strategy, lots: OpenLots) -> _Effect:
    netting, lots = net_open(order_of(signal, strategy), strategy, signal.symbol, lots)
    log.status, log.error_code, log.error_message = LogStatus.PROCESSED, "", ""
    log.action = netting.effect
    log.quantity = netting.quantity
    mark_drift(log, signal, netting.before, netting.after)
    booking = booking_of(netting, lots.first, fill_of(log, signal, strategy))
    return _Effect(log, booking, lots.after(booking.opened))


def _refused(
    log: WebhookLog, fault: Fault, each: Wanted, standing: Standing, *, may_wait: bool
) -> WebhookLog:
    log.error_code, log.error_message, log.error_fields = fault.code, fault.message, fault.fields
    log.status = LogStatus(fault.status)
    if not isinstance(fault, NoOpenPosition):
        return log
    if may_wait and settings.PARK_SECONDS > 0:
        log.status = LogStatus.PARKED
    elif (signal := each.signal_for(log)) is not None:
        # Nobody waits for its entry any longer: it is missing, which is drift as well.
        position = standing.lots.get(signal.book, OpenLots()).position
        mark_drift(log, signal, position, position)
    return log


def _write(effects: Sequence[_Effect], ends: dict[str, trail.End]) -> Callable[[], None]:
    """Write what alerts do; it has its ids once what is returned has waited for them."""
    booked = [(effect.booking, effect.log) for effect in effects if effect.booking]
    # Waited for, since an alert is sealed with its trade's id.
    write_trades([booking for booking, _ in booked])
    for booking, log in booked:
        if booking.trades:
            log.trade = booking.trades[0]
    take_ids_of_logs = trail.record([effect.log for effect in effects], ends)
    take_ids_of_lots = write_lots([(booking, log.correlation_id) for booking, log in booked])

    def take_ids() -> None:
        take_ids_of_logs()
        take_ids_of_lots()
        for booking, log in booked:
            booking.take_alert(log.pk)

    return take_ids


def _outcome(effect: _Effect, before: WebhookLog | None, released: Sequence[_Effect]) -> Outcome:
    is_new = before is None
    drifted = effect.log.drift and not (before and before.drift)
    if (booking := effect.booking) is None:
        return Outcome(effect.log, is_new=is_new, drifted=int(drifted))
    position = booking.opened or booking.closed[0]
    made = [trade for each in (effect, *released) if each.booking for trade in each.booking.trades]
    return Outcome(
        effect.log,
        position.pk,
        tuple(trade.pk for trade in booking.trades),
        is_new=is_new,
        drifted=drifted + sum(each.log.drift for each in released),
        discrepancies=sum(trade.pnl_discrepancy is not None for trade in made),
        released=tuple(each.log for each in released),
    )


def _release_parked(
    each: Wanted, effect: _Effect, strategies: dict[str, Strategy], standing: Standing
) -> list[_Effect]:
    """Apply the exits that came before their entry, now that it is here."""
    if each.signal is None or effect.booking is None or effect.booking.opened is None:
        return []
    released: list[_Effect] = []
    lots = effect.left
    parked_here = standing.parked.get(each.reading.book, [])
    waiting = [log for log in parked_here if log.status == LogStatus.PARKED]
    for parked, its_signal in parked_for(effect.log, each.signal, waiting):
        assert lots is not None
        try:
            freed = _netted(parked, its_signal, strategies[its_signal.strategy], lots)
        except NoOpenPosition:
            continue  # It closes the other side, or another exit was first.
        parked.processed_at = timezone.now()
        _write([freed], {})()
        lots = freed.left
        released.append(freed)
    return released


def _fail_parked(log: WebhookLog, each: Wanted, standing: Standing) -> Outcome:
    """Give up waiting for an exit's entry."""
    log.processed_at = timezone.now()
    _refused(log, NoOpenPosition(), each, standing, may_wait=False)
    trail.record([log], {})
    return Outcome(log, drifted=int(log.drift))
