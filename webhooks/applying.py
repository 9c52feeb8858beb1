"""Log entries become effects: lots, trades and rows in webhook_logs, or nothing.

Everything here happens in one transaction that holds the locks of the entries' books,
and may be done again at any time: an entry that has its row is not applied twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy

from django.db import IntegrityError
from django.utils import timezone

import deadline
import rows
from faults import NoOpenPosition, ProcessingError
from positions.booking import write_lots, write_trades
from trades.models import Strategy
from webhooks import trail
from webhooks.effects import Effect, effect_of, give_up, netted
from webhooks.identity import identity_is_lasting
from webhooks.main_database import LONGEST_SECONDS
from webhooks.models import LogStatus, WebhookLog
from webhooks.outcome import Outcome, recorded_outcome
from webhooks.parking import has_expired, parked_for
from webhooks.sameness import find_same, orders_another
from webhooks.standing import Standing, look
from webhooks.wanted import Wanted


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
    outcomes: list[Outcome | None] = [None] * len(wanted)
    effects: dict[int, Effect] = {}
    with rows.transaction_in_few_trips():
        standing = look(
            sorted({each.reading.book for each in wanted if each.signal}),
            [each.entry.correlation_id for each in wanted],
            [each.key for each in wanted],
            with_refused=any(each.signal is None or not each.is_allowed for each in wanted),
            seconds=deadline.left(LONGEST_SECONDS),
        )
        strategies = _strategies(wanted, standing)
        take_ids = _no_ids
        for places in _in_turn(wanted):
            # Of what was opened before: it may be closed now.
            take_ids()
            fresh: dict[int, Effect] = {}
            for place in places:
                decided = _decided(wanted[place], strategies, standing)
                if isinstance(decided, Effect):
                    fresh[place] = decided
                else:
                    outcomes[place] = decided
            take_ids = _write(list(fresh.values()), standing.ends)
            if standing.parked:
                take_ids()
                for place, effect in fresh.items():
                    effect.released = _release_parked(wanted[place], effect, strategies, standing)
            for effect in fresh.values():
                for had in (effect, *effect.released):
                    standing.note(had.log, had.left)
            effects |= fresh
    take_ids()
    for place, effect in effects.items():
        outcomes[place] = _outcome(effect)
    return outcomes


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


def _decided(
    each: Wanted, strategies: Mapping[str, Strategy], standing: Standing
) -> Effect | Outcome | None:
    """What an entry does now, not yet written, or the outcome that stands.

    None where its book is not ours to change. Raises ProcessingError where it could not be read.
    """
    if each.signal is not None and each.reading.book not in standing.ours:
        return None
    known = _known(each, standing)
    if known is not None and (found := _recorded(each, known, standing)) is not None:
        return found
    if isinstance(each.reading.fault, ProcessingError):
        raise each.reading.fault
    effect = effect_of(each, known, strategies, standing)
    effect.before = known
    return effect


def _known(each: Wanted, standing: Standing) -> WebhookLog | None:
    """The row of this entry, or of the same alert before it."""
    if (own := standing.alerts.get(each.entry.correlation_id)) is not None:
        return own
    if each.signal is None or not each.is_allowed:
        return standing.keys.get(each.key)
    if identity_is_lasting(each.signal):
        first = standing.keys.get(each.key)
        if first is None or first.strategy == each.signal.strategy:
            return first
    return find_same(each.signal, each.entry.received_at)


def _recorded(each: Wanted, known: WebhookLog, standing: Standing) -> Outcome | None:
    """The outcome that stands; None where the alert is to be tried once more."""
    if known.correlation_id != each.entry.correlation_id:
        # As it stands now: an exit that waits may be let through by who comes after.
        first, lots = copy(known), standing.lots_moved_by(known)
        return recorded_outcome(first, lots, is_duplicate=True, key_reused=_reuses_key(each, known))
    if known.status == LogStatus.PARKED and each.give_up and has_expired(known):
        give_up(known, each, standing)
        trail.record([known], {})
        return Outcome(known, drifted=int(known.drift))
    if known.status != LogStatus.FAILED or not (each.tries_again and each.signal_for(known)):
        return recorded_outcome(known, standing.lots_moved_by(known))
    return None


def _reuses_key(each: Wanted, first: WebhookLog) -> bool:
    # A derived key tells the order itself.
    signal = each.signal
    return signal is not None and signal.given_key != "" and orders_another(signal, first)


def _write(effects: Sequence[Effect], ends: dict[str, trail.End]) -> Callable[[], None]:
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


def _outcome(effect: Effect) -> Outcome:
    """What came of an alert, once it is written."""
    log, before, released = effect.log, effect.before, effect.released
    drifted = log.drift and not (before and before.drift)
    if (booking := effect.booking) is None:
        return Outcome(log, is_new=before is None, drifted=int(drifted))
    position = booking.opened or booking.closed[0]
    made = [trade for each in (effect, *released) if each.booking for trade in each.booking.trades]
    return Outcome(
        log,
        position.pk,
        tuple(trade.pk for trade in booking.trades),
        is_new=before is None,
        drifted=drifted + sum(each.log.drift for each in released),
        discrepancies=sum(trade.pnl_discrepancy is not None for trade in made),
        released=tuple(each.log for each in released),
    )


def _release_parked(
    each: Wanted, effect: Effect, strategies: Mapping[str, Strategy], standing: Standing
) -> list[Effect]:
    """Apply the exits that came before their entry, now that it is here."""
    if each.signal is None or effect.booking is None or effect.booking.opened is None:
        return []
    released: list[Effect] = []
    lots = effect.left
    parked_here = standing.parked.get(each.reading.book, [])
    waiting = [log for log in parked_here if log.status == LogStatus.PARKED]
    for parked, its_signal in parked_for(effect.log, each.signal, waiting):
        assert lots is not None
        try:
            freed = netted(parked, its_signal, strategies[its_signal.strategy], lots)
        except NoOpenPosition:
            continue  # It closes the other side, or another exit was first.
        parked.processed_at = timezone.now()
        _write([freed], {})()
        lots = freed.left
        released.append(freed)
    return released
