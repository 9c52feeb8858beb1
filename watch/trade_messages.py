"""Messages about trades: each entry, exit and reversal, told once, from the tables alone.

Read after the fact and never on an alert's own way. Progress and notice are written in one
transaction, so that a restart tells nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import Max, QuerySet

from audit.shown import exact
from positions.models import Lot
from trades.models import Strategy
from trades.numeric import exactly
from wal.writer import ALIAS
from watch.models import Progress
from watch.outbox import put, write
from watch.receivers import Message, Receiver
from webhooks.main_database import LONGEST_SECONDS, TRANSACTION_SECONDS
from webhooks.models import LogStatus, WebhookLog

#: The most alerts that are told at a time, and the most lines of a message.
_MOST: Final = 1000
_MOST_LINES: Final = 20

#: Ids are given out before they are committed: what is younger than a transaction can be may
#: still get a neighbour before it.
_SETTLED: Final = timedelta(seconds=2 * TRANSACTION_SECONDS)
#: As long as any transaction can be: where an id is missing before it, that one may yet come.
_SETTLED_AFTER_A_GAP: Final = timedelta(seconds=LONGEST_SECONDS)


def tell_trades(receivers: list[Receiver], now: datetime) -> None:
    """Put a notice of what has traded since the last time; raises what the databases do.

    The first time only notes where the alerts stand.
    """
    progress = Progress.load(ALIAS)
    latest = WebhookLog.objects.aggregate(latest=Max("id"))["latest"] or 0
    if progress.told_up_to is None or progress.told_up_to > latest:
        # The first time, or an older database was put back.
        progress.told_up_to, progress.parked = latest, []
        write(lambda: progress.save(using=ALIAS))
        return
    came = _since(progress.told_up_to, now)
    if came:
        progress.told_up_to = came[-1].pk
    before = progress.parked
    waited = _alerts().filter(pk__in=before) if before else []
    # Each is looked at once, so that it either waits on or is told.
    seen = [*waited, *came]
    progress.parked = sorted(one.pk for one in seen if _waits(one, now))
    if not came and progress.parked == before:
        return
    moved = sorted(
        (one for one in seen if _has_moved(one) and not _waits(one, now)),
        key=lambda one: (one.processed_at, one.pk),
    )
    wanted = _wanted(moved) if receivers else []
    # Made before: alerts wait while this is written.
    message = _message(wanted) if wanted else None

    def keep() -> None:
        progress.save(using=ALIAS)
        if message is not None:
            put(message, receivers, now)

    write(keep)


def _since(told_up_to: int, now: datetime) -> list[WebhookLog]:
    """The alerts after this one, in order, up to the first that may get a neighbour yet."""
    settled: list[WebhookLog] = []
    last = told_up_to
    for alert in _alerts().filter(pk__gt=told_up_to)[:_MOST]:
        age = _SETTLED if alert.pk == last + 1 else _SETTLED_AFTER_A_GAP
        if not _is_settled(alert, now, age):
            break
        settled.append(alert)
        last = alert.pk
    return settled


def _alerts() -> QuerySet[WebhookLog]:
    return WebhookLog.objects.defer("payload").order_by("pk")


def _has_moved(alert: WebhookLog) -> bool:
    return alert.status == LogStatus.PROCESSED and bool(alert.action) and not alert.is_test


def _waits(alert: WebhookLog, now: datetime) -> bool:
    """Whether it is parked, or was let through by an entry that cannot be told yet."""
    return alert.status == LogStatus.PARKED or not _is_settled(alert, now)


def _is_settled(alert: WebhookLog, now: datetime, age: timedelta = _SETTLED) -> bool:
    # What lies further ahead is from before the clock was put back.
    return abs(now - alert.processed_at) >= age


def _wanted(moved: list[WebhookLog]) -> list[WebhookLog]:
    """Those of strategies whose trades are to be told."""
    own = dict(Strategy.objects.exclude(tell_trades=None).values_list("name", "tell_trades"))
    return [one for one in moved if own.get(one.strategy, settings.ALERT_TRADES)]


def _message(moved: list[WebhookLog]) -> Message:
    made = _realised(moved)
    lines = [_line(one, made.get(one.pk, {})) for one in moved]
    if len(lines) == 1:
        return Message(f"{moved[0].strategy}: {_what(moved[0])}", lines[0])
    more = len(lines) - _MOST_LINES
    left_out = [f"and {more:,} more"] if more > 0 else []
    return Message(f"tradelog: {len(lines):,} orders", "\n".join([*lines[:_MOST_LINES], *left_out]))


def _realised(moved: list[WebhookLog]) -> dict[int, dict[str, Decimal]]:
    """The P&L of the trades that each of these alerts closed, by currency."""
    made: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    closed = Lot.objects.filter(
        exit_webhook_log__in=[one.pk for one in moved], trade__isnull=False
    ).values_list("exit_webhook_log_id", "trade__currency", "trade__pnl")
    with exactly():
        for alert, currency, pnl in closed:
            made[alert][currency] += pnl
    return made


_WHAT: Final = {
    "opened": "entry",
    "added": "entry, added",
    "reduced": "exit in part",
    "closed": "exit",
    "reversed": "reversal",
}


def _what(alert: WebhookLog) -> str:
    return _WHAT.get(alert.action, alert.action)


def _line(alert: WebhookLog, made: dict[str, Decimal]) -> str:
    """One order, as: Alpha on BINANCE:BTCUSDT: exit, 1 at 110, now flat, P&L +10 USD."""
    parts = [
        f"{alert.strategy} on {alert.symbol}: {_what(alert)}",
        f"{exact(alert.quantity)} at {exact(alert.price)}",
        f"now {_position(alert.position_after)}",
        *(
            f"P&L {'+' if pnl > 0 else ''}{exact(pnl)} {currency}".rstrip()
            for currency, pnl in made.items()
        ),
    ]
    return ", ".join(parts)


def _position(signed: Decimal | None) -> str:
    if not signed:
        return "flat"
    return f"{'long' if signed > 0 else 'short'} {exact(signed.copy_abs())}"
