"""The order in which a book's alerts took effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from django.db.models import Max, QuerySet

from positions.models import Lot
from webhooks.models import LogStatus, WebhookLog

#: The position an alert found and the one it left, as its row tells them.
Link = tuple[Decimal | None, Decimal | None]


def moving_alerts(strategy: str, symbol: str) -> QuerySet[WebhookLog]:
    """The alerts that moved a book's position."""
    return WebhookLog.objects.filter(
        strategy=strategy, symbol=symbol, status=LogStatus.PROCESSED, is_test=False
    ).order_by()


def link_of(alert: WebhookLog) -> Link:
    return alert.position_before, alert.position_after


def breaks(links: Iterable[Link]) -> Iterator[tuple[Decimal | None, int]]:
    """Where a position is not the one that was left: that one, and the alert's number."""
    left: Decimal | None = Decimal(0)
    for number, (before, after) in enumerate(links):
        if before != left:
            yield left, number
        left = after


def in_order_of_effect(alerts: Iterable[WebhookLog]) -> list[WebhookLog]:
    """One book's alerts that moved its position, in the order they did.

    Their ids tell it for most, but not for an exit that waited for its entry, nor
    for an alert that failed and was tried again later. `processed_at` tells it for
    all, being taken under the book's lock, unless the clock was set back meanwhile.
    So of the two orders the one counts in which the positions follow better.
    """
    alerts = list(alerts)
    by_clock = sorted(alerts, key=lambda alert: (alert.processed_at, alert.pk))
    if not _breaks(by_clock):
        return by_clock
    entered_last = dict(
        Lot.objects.filter(exit_webhook_log__in=[alert.pk for alert in alerts])
        .order_by()
        .values_list("exit_webhook_log_id")
        .annotate(Max("entry_webhook_log_id"))
    )

    def turn(alert: WebhookLog) -> tuple[int, bool, int]:
        entry = entered_last.get(alert.pk, 0)
        return max(alert.pk, entry), alert.pk < entry, alert.pk

    by_id = sorted(alerts, key=turn)
    return min((by_clock, by_id), key=_breaks)


def _breaks(alerts: Sequence[WebhookLog]) -> int:
    return sum(1 for _ in breaks(link_of(alert) for alert in alerts))
