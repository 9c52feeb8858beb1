"""Messages about trades: each entry, exit and reversal, told once, from the tables alone.

Read after the fact and never on an alert's own way. Progress and notice are written in one
transaction, so that a restart tells nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Max, QuerySet

from audit.shown import exact
from positions.models import Lot
from trades.models import Strategy
from trades.numeric import exactly
from wal.writer import ALIAS
from watch.models import Progress
from watch.outbox import put, write
from watch.receivers import Message, Receiver
from webhooks.main_database import TRANSACTION_SECONDS
from webhooks.models import LogStatus, WebhookLog

#: The most alerts that are told at a time, and the most lines of a message.
_MOST: Final = 1000
_MOST_LINES: Final = 20

#: Ids are given out before they are committed: what is hardly older than the oldest transaction
#: that still writes may get a neighbour before it. Clocks may be as far apart.
_SETTLED: Final = timedelta(seconds=2 * TRANSACTION_SECONDS)


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
    is_settled = _settled(now)
    came = _since(progress.told_up_to, is_settled)
    if came:
        progress.told_up_to = came[-1].pk
    before = progress.parked
    waited = _alerts().filter(pk__in=before) if before else []
    # Each is looked at once, so that it either waits on or is told.
    seen = [*waited, *came]
    progress.parked = sorted(one.pk for one in seen if _waits(one, is_settled))
    if not came and progress.parked == before:
        return
    moved = sorted(
        (one for one in seen if _has_moved(one) and not _waits(one, is_settled)),
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


def _since(told_up_to: int, is_settled: Callable[[WebhookLog], bool]) -> list[WebhookLog]:
    """The alerts after this one, in order, up to the first that may get a neighbour yet."""
    return list(takewhile(is_settled, _alerts().filter(pk__gt=told_up_to)[:_MOST]))


def _settled(now: datetime) -> Callable[[WebhookLog], bool]:
    """Whether no alert can come before one any more; of those that are read after this is asked."""
    certain = min(now, _writing_since() or now) - _SETTLED
    # What lies ahead is from before the clock was put back.
    return lambda alert: alert.processed_at <= certain or alert.processed_at >= now + _SETTLED


def _writing_since() -> datetime | None:
    """When the oldest transaction began that has written and is not at its end; None: none is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
        )
        began: datetime | None = cursor.fetchone()[0]
        return began


def _alerts() -> QuerySet[WebhookLog]:
    return WebhookLog.objects.defer("payload").order_by("pk")


def _has_moved(alert: WebhookLog) -> bool:
    return alert.status == LogStatus.PROCESSED and bool(alert.action) and not alert.is_test


def _waits(alert: WebhookLog, is_settled: Callable[[WebhookLog], bool]) -> bool:
    """Whether it is parked, or was let through by an entry that cannot be told yet."""
    return alert.status == LogStatus.PARKED or not is_settled(alert)


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
