"""Why a trade that TradingView lists is missing here, as far as the audit trail tells."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from faults import InvalidJSON, StrategyDisabled
from trades.comparison.bars import Bar
from trades.comparison.groups import TradeGroup
from trades.comparison.tolerances import Tolerances
from wal import journal
from wal.models import Entry, Refusal
from wal.steps import walk
from webhooks.models import LogStatus, WebhookLog
from webhooks.payload import subject_of
from webhooks.reading import read
from webhooks.signal import book_name

#: An alert's time of receipt is looked for in no longer a bar.
_LONGEST_BAR: Final = timedelta(days=1)


class CauseKind(StrEnum):
    """What became of the alert that should have made the trade."""

    #: Nothing of it is known.
    NO_ALERT = "no_alert"
    #: It came and failed, or was rejected; `code` says as what.
    FAILED = "failed"
    #: It came while the strategy was switched off.
    STRATEGY_DISABLED = "strategy_disabled"
    #: It is an exit that waits for its entry.
    PARKED = "parked"
    #: An alert of the book was refused by rate at that time.
    REFUSED_BY_RATE = "refused_by_rate"
    #: It is in the log and not applied yet.
    QUEUED = "queued"
    #: It came as a test.
    TEST = "test"
    #: It was applied, and led to another trade than TradingView's.
    APPLIED_OTHERWISE = "applied_otherwise"


#: What will still make the trade by itself, so that importing it would make it twice.
STILL_TO_COME: Final = frozenset({CauseKind.QUEUED, CauseKind.PARKED})


@dataclass(frozen=True, slots=True)
class Cause:
    """The likely cause, and the rows that show it."""

    kind: CauseKind
    #: entry or exit: the order whose alert it is about; "" for both.
    order: str
    #: For a trader.
    sentence: str
    #: The error's code where the alert failed.
    code: str = ""
    #: Ids in webhook_logs, webhook_wal and refused_alerts.
    alerts: tuple[int, ...] = ()
    entries: tuple[int, ...] = ()
    refusals: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        return {**asdict(self), "kind": self.kind.value}


@dataclass(frozen=True, slots=True)
class _Trace:
    """An alert of the book, wherever it left one."""

    moment: datetime
    #: Whether the moment is that of receipt; else the order's own.
    is_receipt: bool
    kind: CauseKind
    #: As the alert tells them; "" and None where it does not.
    direction: str = ""
    price: Decimal | None = None
    code: str = ""
    message: str = ""
    alert: int | None = None
    entry: int | None = None
    refusal: int | None = None


class Causes:
    """Finds the causes for one book's missing trades; everything is read once."""

    def __init__(
        self,
        strategy: str,
        symbol: str,
        missing: Iterable[TradeGroup],
        tolerances: Tolerances,
        bar: Bar,
    ) -> None:
        self._tolerances = tolerances
        self._bar = bar
        times = [time for group in missing for time in (group.entry_time, group.exit_time) if time]
        self._traces: list[_Trace] = []
        if times:
            around = (
                min(times) - max(tolerances.time, bar.before),
                max(times) + max(tolerances.time, bar.length),
            )
            self._traces = sorted(
                (
                    *_alerts(strategy, symbol, *around),
                    *_unreadable(strategy, symbol, around[0]),
                    *_queued(strategy, symbol),
                    *_refused(strategy, symbol, *around),
                ),
                key=_moment,
            )

    def of(self, group: TradeGroup) -> Cause:
        """The cause for one trade: its entry's, if that alert was not applied, else its exit's."""
        entry = self._traces_of(group.entry_time, group.entry_price, group.direction)
        if not entry or entry[0].kind is not CauseKind.APPLIED_OTHERWISE:
            return self._cause("entry", group.entry_time, entry)
        if group.exit_time is None or group.exit_price is None:
            return self._cause("entry", group.entry_time, entry)
        leaving = self._traces_of(group.exit_time, group.exit_price, None)
        if not leaving or leaving[0].kind is not CauseKind.APPLIED_OTHERWISE:
            return self._cause("exit", group.exit_time, leaving)
        return Cause(
            CauseKind.APPLIED_OTHERWISE,
            "",
            "The alerts for its entry and its exit were applied, but to another position or as of "
            "another time; look for drift before them.",
            alerts=tuple({one.alert for one in (entry[0], leaving[0]) if one.alert}),
        )

    def _traces_of(self, time: datetime, price: Decimal, direction: str | None) -> list[_Trace]:
        """What may be the alert for an order, the likeliest first; of the entry by its side."""
        tolerance, bar = self._tolerances.time, self._bar
        since = time - max(tolerance, bar.before)
        until = time + max(tolerance, bar.length)
        first = bisect_left(self._traces, since, key=_moment)
        last = bisect_right(self._traces, until, key=_moment)
        received_until = time + max(tolerance, min(bar.length, _LONGEST_BAR) - tolerance)

        def fits(trace: _Trace) -> bool:
            if direction and trace.direction not in ("", direction):
                return False
            told = trace.price is not None and self._is_price(trace.price, price)
            if told and bar.holds(time, trace.moment):
                return True
            latest = received_until if trace.is_receipt else time + tolerance
            return time - tolerance <= trace.moment <= latest

        def likelihood(trace: _Trace) -> tuple[bool, bool, timedelta]:
            # What went wrong is likelier the cause than what went well.
            return (
                not self._is_price(trace.price, price),
                trace.kind is CauseKind.APPLIED_OTHERWISE,
                abs(trace.moment - time),
            )

        return sorted(filter(fits, self._traces[first:last]), key=likelihood)

    def _is_price(self, told: Decimal | None, price: Decimal) -> bool:
        return told is None or abs(told - price) <= self._tolerances.price.limit(told, price)

    def _cause(self, order: str, time: datetime, traces: list[_Trace]) -> Cause:
        if not traces:
            pruned = time < timezone.now() - timedelta(days=settings.RETENTION_DAYS)
            return Cause(
                CauseKind.NO_ALERT,
                order,
                f"No alert for its {order} came."
                + (" Refused alerts of that age are pruned." if pruned else ""),
            )
        trace = traces[0]
        alike = [one for one in traces if one.kind is trace.kind and one.code == trace.code]
        # TradingView sends a refused alert four times; of anything else one is meant.
        meant = alike if trace.kind is CauseKind.REFUSED_BY_RATE else [trace]
        return Cause(
            trace.kind,
            order,
            _SENTENCES[trace.kind].format(
                order=order, code=trace.code, message=trace.message, entry=trace.entry
            ),
            trace.code,
            alerts=tuple(one.alert for one in meant if one.alert is not None),
            entries=tuple(one.entry for one in meant if one.entry is not None),
            refusals=tuple(one.refusal for one in meant if one.refusal is not None),
        )


_SENTENCES: Final = {
    CauseKind.FAILED: "The alert for its {order} came and failed as {code}: {message}",
    CauseKind.STRATEGY_DISABLED: "The alert for its {order} came while the strategy was disabled.",
    CauseKind.PARKED: "The alert for its {order} is parked: it waits for an entry.",
    CauseKind.REFUSED_BY_RATE: "An alert of this book was refused by rate when its {order} was "
    "due.",
    CauseKind.QUEUED: "The alert for its {order} is in the log and not applied yet (log entry "
    "{entry}).",
    CauseKind.TEST: "The alert for its {order} came as a test, which moves nothing.",
    CauseKind.APPLIED_OTHERWISE: "The alert for its {order} was applied, but to another position "
    "or as of another time; look for drift before it.",
}


def _moment(trace: _Trace) -> datetime:
    return trace.moment


def _alerts(strategy: str, symbol: str, since: datetime, until: datetime) -> Iterator[_Trace]:
    logs = WebhookLog.objects.filter(
        Q(order_time__range=(since, until))
        | Q(order_time__isnull=True, received_at__range=(since, until)),
        strategy=strategy,
        symbol=symbol,
    ).order_by()
    for log in logs.defer("payload").iterator():
        yield _Trace(
            log.order_time or log.received_at,
            log.order_time is None,
            _kind_of(log),
            log.direction,
            log.price,
            log.error_code,
            log.error_message,
            alert=log.pk,
        )


def _kind_of(log: WebhookLog) -> CauseKind:
    if log.status == LogStatus.PROCESSED:
        return CauseKind.TEST if log.is_test else CauseKind.APPLIED_OTHERWISE
    if log.status == LogStatus.PARKED:
        return CauseKind.PARKED
    if log.error_code == StrategyDisabled.code:
        return CauseKind.STRATEGY_DISABLED
    return CauseKind.FAILED


def _unreadable(strategy: str, symbol: str, since: datetime) -> Iterator[_Trace]:
    """Alerts whose row does not say whose they were, and whose text does."""
    book = book_name(strategy, symbol)
    logs = WebhookLog.objects.filter(
        strategy="",
        received_at__gte=since,
        # The exchange may stand in another field.
        payload__contains=symbol.rpartition(":")[2],
    ).order_by()
    for log in logs.iterator():
        # What is no JSON tells nothing by its fields; else it came before its row said it.
        subject = subject_of(log.payload.encode())
        if subject.book == book or (log.error_code == InvalidJSON.code and strategy in log.payload):
            yield _Trace(
                subject.time or log.received_at,
                subject.time is None,
                CauseKind.FAILED,
                code=log.error_code,
                message=log.error_message,
                alert=log.pk,
            )


def _queued(strategy: str, symbol: str) -> Iterator[_Trace]:
    book = book_name(strategy, symbol)
    for entry in walk(journal.unsettled(book)):
        if (trace := _trace_of(entry, book)) is not None:
            yield trace


def _trace_of(entry: Entry, book: str) -> _Trace | None:
    reading = read(entry)
    if reading.signal is None or reading.signal.book != book:
        return None
    signal = reading.signal
    return _Trace(
        signal.time or entry.received_at,
        signal.time is None,
        CauseKind.QUEUED,
        signal.direction or "",
        signal.price,
        entry=entry.pk,
    )


def _refused(strategy: str, symbol: str, since: datetime, until: datetime) -> Iterator[_Trace]:
    refusals = Refusal.objects.filter(
        book=book_name(strategy, symbol), refused_at__range=(since, until)
    ).order_by("refused_at")
    for refusal in refusals:
        yield _Trace(refusal.refused_at, True, CauseKind.REFUSED_BY_RATE, refusal=refusal.pk)
