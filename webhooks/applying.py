"""One log entry becomes one effect: lots, trades and its row in webhook_logs, or nothing.

Everything here happens in one transaction that holds the lock of the entry's
book, and may be done again at any time: an entry that has its row is not applied
twice.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from faults import (
    Fault,
    InvalidJSON,
    InvalidPayload,
    NoOpenPosition,
    ProcessingError,
    StrategyDisabled,
    StrategyNotAllowed,
)
from positions.booking import Booked, as_netted, book, open_lots
from positions.models import Lot
from positions.netting import Netting, net, signed_position
from trades.models import Strategy
from wal.models import Entry
from webhooks.drift import mark_drift
from webhooks.identity import identity, identity_is_lasting, identity_of_entry
from webhooks.models import LogStatus, WebhookLog
from webhooks.orders import fill_of, order_of
from webhooks.outcome import Outcome, recorded_outcome
from webhooks.parking import has_expired, parked_for
from webhooks.payload import parse
from webhooks.signal import Signal
from webhooks.trail import record

#: How long one statement may take when an alert is applied.
STATEMENT_SECONDS = 0.6 * settings.ANSWER_SECONDS

#: The label of entries that belong to no book, because nobody can read them.
NO_BOOK = "-"


@dataclass(frozen=True, slots=True)
class Reading:
    """An entry, read: its signal, or the fault that kept it from being one."""

    signal: Signal | None
    fault: Fault | None

    @property
    def book(self) -> str:
        """What the log labels the entry with, and what orders it among others."""
        return self.signal.book if self.signal else NO_BOOK


def read(entry: Entry) -> Reading:
    """Read an entry; pure, so it comes to the same whenever it is done. Raises nothing."""
    try:
        return Reading(parse(bytes(entry.body), entry.envelope.get("given_key", "")), None)
    except (InvalidJSON, InvalidPayload) as fault:
        return Reading(None, fault)
    except Exception as error:
        # A fault of ours. Who appended it is told that it stays in the log, and other
        # books do not stop at it.
        unread = ProcessingError()
        unread.__cause__ = error
        return Reading(None, unread)


def apply(
    entry: Entry, reading: Reading, *, retry_failed: bool = False, give_up: bool = False
) -> Outcome:
    """Give an entry its effect, or find the one it had.

    With `retry_failed` an alert that failed is tried once more. With `give_up` an exit that
    has waited its time fails; only who knows that no entry is left that could still bring
    its entry may say so. Raises what the database raises; then nothing has changed.
    """
    try:
        return _apply(entry, reading, retry_failed=retry_failed, give_up=give_up)
    except IntegrityError:
        # Two books raced for one key the sender gave. Whoever came second finds
        # the first one's row now; any other violation comes up again.
        return _apply(entry, reading, retry_failed=retry_failed, give_up=give_up)


@transaction.atomic
def _apply(entry: Entry, reading: Reading, *, retry_failed: bool, give_up: bool) -> Outcome:
    lock_book(reading.book, statement_seconds=STATEMENT_SECONDS)
    known, key = _find(entry, reading)
    if known is not None:
        if known.correlation_id != entry.correlation_id:
            return recorded_outcome(known, is_duplicate=True)
        if known.status == LogStatus.PARKED and give_up and has_expired(known):
            return _fail_parked(known, reading)
        if known.status != LogStatus.FAILED or not retry_failed:
            return recorded_outcome(known)
    if isinstance(reading.fault, ProcessingError):
        raise reading.fault
    log = _new_log(entry, reading, key, known)
    try:
        if reading.fault is not None:
            raise reading.fault
        assert reading.signal is not None
        _check_allowed(entry, reading.signal)
        return _carry_out(log, reading.signal)
    except Fault as fault:
        # Faults are found before anything is written, so nothing has to be undone.
        # An exit waits for its entry once, not again each time it is tried.
        return _record_refusal(log, fault, may_wait=known is None)


def lock_book(book: str, *, statement_seconds: float | None = None) -> None:
    """Wait for the book, so that one entry of it at a time is applied; freed at commit.

    With `statement_seconds` the database gives up what waits longer in this transaction,
    be it for a lock, for itself, or for us: a client that vanished must not keep its book.
    """
    if book == NO_BOOK:
        return
    lock = "pg_advisory_xact_lock(hashtextextended(%s, 0))"
    if statement_seconds is None:
        statement, parameters = f"SELECT {lock}", [book]
    else:
        # One statement, one round trip; the timeouts hold from the next column on.
        limit = f"{statement_seconds * 1000:.0f}ms"
        timeouts = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        limits = ", ".join(f"set_config('{timeout}', %s, true)" for timeout in timeouts)
        statement, parameters = f"SELECT {limits}, {lock}", [limit, limit, limit, book]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _find(entry: Entry, reading: Reading) -> tuple[WebhookLog | None, str]:
    """The row of this entry or of the same alert before it, and the key for a new one."""
    own = identity_of_entry(entry.correlation_id)
    signal = reading.signal
    if signal is None or not _is_allowed(entry, signal):
        return WebhookLog.objects.filter(correlation_id=entry.correlation_id).first(), own
    key = identity(signal)
    same = _has_key(key, signal, entry.received_at)
    if not identity_is_lasting(signal):
        key = f"{key}@{entry.correlation_id}"
    found = list(
        WebhookLog.objects.filter(same | Q(correlation_id=entry.correlation_id)).order_by("id")
    )
    mine = [log for log in found if log.correlation_id == entry.correlation_id]
    return next(iter(mine or found), None), key


def _has_key(key: str, signal: Signal, received_at: datetime) -> Q:
    if identity_is_lasting(signal):
        return Q(idempotency_key=key)
    apart = timedelta(seconds=settings.DUPLICATE_SECONDS)
    return Q(
        idempotency_key__startswith=f"{key}@",
        received_at__gt=received_at - apart,
        received_at__lt=received_at + apart,
    )


def find_same(signal: Signal, received_at: datetime) -> WebhookLog | None:
    """The row of the same alert, if it has come before; with a time of receipt, as `apply` has."""
    same = _has_key(identity(signal), signal, received_at)
    return WebhookLog.objects.filter(same).order_by("id").first()


def _is_allowed(entry: Entry, signal: Signal) -> bool:
    """Whether the token the entry came with may speak for this strategy."""
    # What the token was bound to when it came in, so that a replay decides alike.
    bound_to = entry.envelope.get("strategies")
    return not bound_to or signal.strategy in bound_to


def _check_allowed(entry: Entry, signal: Signal) -> None:
    if not _is_allowed(entry, signal):
        raise StrategyNotAllowed


def _new_log(entry: Entry, reading: Reading, key: str, known: WebhookLog | None) -> WebhookLog:
    """The alert's row, not yet saved; in the place it has if it failed before."""
    log = WebhookLog(
        correlation_id=entry.correlation_id,
        wal_id=entry.pk,
        idempotency_key=key,
        status=LogStatus.PROCESSED,
        payload=_as_text(bytes(entry.body)),
        token_name=entry.envelope.get("token", ""),
        source_address=entry.envelope.get("address") or None,
        received_at=entry.received_at,
        via_mail=entry.envelope.get("via_mail", False),
        processed_at=timezone.now(),
    )
    if known is not None:
        log.pk, log.chain, log.place, log.link = known.pk, known.chain, known.place, known.link
    if (signal := reading.signal) is not None:
        log.strategy = signal.strategy
        log.symbol = signal.symbol
        log.is_test = signal.is_test
        log.order_time = signal.time
        log.direction = signal.direction or ""
        log.price = signal.price
    return log


def _carry_out(log: WebhookLog, signal: Signal) -> Outcome:
    strategy, _ = Strategy.objects.get_or_create(name=signal.strategy)
    if not strategy.enabled:
        raise StrategyDisabled
    lots = open_lots(strategy, signal.symbol)
    if signal.is_test:
        return _rehearse(log, signal, strategy, lots)
    booked = _net_and_book(log, signal, strategy, lots)
    released = _release_parked(log, signal, strategy) if booked.opened else ()
    return replace(_outcome(log, booked), released=released)


def _rehearse(log: WebhookLog, signal: Signal, strategy: Strategy, lots: list[Lot]) -> Outcome:
    """Log a test in full; it moves no position."""
    with suppress(NoOpenPosition):
        log.action = net(order_of(signal, strategy), [as_netted(lot) for lot in lots]).effect
    record(log)
    return Outcome(log)


def _net_and_book(log: WebhookLog, signal: Signal, strategy: Strategy, lots: list[Lot]) -> Booked:
    """Net one order and write its effect: its row first, since the lots refer to it."""
    netting = net(order_of(signal, strategy), [as_netted(lot) for lot in lots])
    _note_effect(log, signal, netting)
    record(log)
    booked = book(netting, lots, fill_of(log, signal, strategy))
    if booked.trades:
        log.trade = booked.trades[0]
        record(log, only=("trade",))
    return booked


def _note_effect(log: WebhookLog, signal: Signal, netting: Netting) -> None:
    log.status, log.error_code, log.error_message = LogStatus.PROCESSED, "", ""
    log.action = netting.effect
    log.quantity = netting.quantity
    mark_drift(log, signal, netting.before, netting.after)


def _outcome(log: WebhookLog, booked: Booked) -> Outcome:
    position = booked.opened or booked.closed[0]
    return Outcome(log, position.pk, tuple(trade.pk for trade in booked.trades))


def _release_parked(log: WebhookLog, signal: Signal, strategy: Strategy) -> tuple[WebhookLog, ...]:
    """Apply the exits that came before their entry, now that it is here."""
    released = []
    for parked, its_signal in parked_for(log, signal):
        try:
            parked.processed_at = timezone.now()
            _net_and_book(parked, its_signal, strategy, open_lots(strategy, signal.symbol))
        except NoOpenPosition:
            continue  # It closes the other side, or another exit was first.
        released.append(parked)
    return tuple(released)


def _record_refusal(log: WebhookLog, fault: Fault, *, may_wait: bool) -> Outcome:
    log.error_code, log.error_message, log.error_fields = fault.code, fault.message, fault.fields
    log.status = LogStatus(fault.status)
    if isinstance(fault, NoOpenPosition) and may_wait and settings.PARK_SECONDS > 0:
        log.status = LogStatus.PARKED
    record(log)
    return Outcome(log)


def _fail_parked(log: WebhookLog, reading: Reading) -> Outcome:
    """Give up waiting for an exit's entry: it is missing, which is drift as well."""
    assert reading.signal is not None
    log.status = LogStatus.FAILED
    log.processed_at = timezone.now()
    strategy = Strategy.objects.get(name=log.strategy)
    position = signed_position([as_netted(lot) for lot in open_lots(strategy, log.symbol)])
    mark_drift(log, reading.signal, position, position)
    record(log)
    return Outcome(log)


def _as_text(body: bytes) -> str:
    # PostgreSQL's text holds no NUL, and a body need not be UTF-8; both stay readable.
    return body.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
