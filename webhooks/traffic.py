"""What alerts came in a while, what became of them, and how long that took.

Summed up in the database: for pages over the times of receipt; for the watch over the times of
processing, since what waited in the log may have been received long before anything became of
it. Alerts that came twice have no row here; the log has them (wal.backlog).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import (
    Aggregate,
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Func,
    Q,
    QuerySet,
)

from webhooks.models import LogStatus, WebhookLog

_REFUSED: Final = (LogStatus.FAILED, LogStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which alerts."""

    #: From then on, and before then; aware. Times of receipt where nothing else is said.
    since: datetime
    until: datetime
    #: "" for all.
    strategy: str = ""
    symbol: str = ""
    with_tests: bool = False


@dataclass(frozen=True, slots=True)
class Hour:
    """The alerts of one hour."""

    begins: datetime
    alerts: int
    failed: int
    rejected: int
    #: TradingView's own position was another than the one in the lots.
    drifted: int
    #: They came by mail alone: their webhooks were missed.
    via_mail: int = 0

    @property
    def refused(self) -> int:
        """Those without an effect for good."""
        return self.failed + self.rejected


@dataclass(frozen=True, slots=True)
class StrategyTraffic:
    """The alerts of one strategy."""

    #: Its name; "" for those nobody can read.
    strategy: str
    alerts: int
    failed: int
    rejected: int
    drifted: int

    @property
    def refused(self) -> int:
        """Those without an effect for good."""
        return self.failed + self.rejected


@dataclass(frozen=True, slots=True)
class Latency:
    """From the receipt of a webhook until it was processed, at most so long for 50, 95, 99 %."""

    p50: timedelta
    p95: timedelta
    p99: timedelta


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the alerts came to."""

    #: Those with alerts, in order of time.
    hours: tuple[Hour, ...]
    #: None where nothing was processed.
    latency: Latency | None

    @property
    def alerts(self) -> int:
        return sum(hour.alerts for hour in self.hours)

    @property
    def failed(self) -> int:
        return sum(hour.failed for hour in self.hours)

    @property
    def rejected(self) -> int:
        return sum(hour.rejected for hour in self.hours)

    @property
    def drifted(self) -> int:
        return sum(hour.drifted for hour in self.hours)

    @property
    def via_mail(self) -> int:
        return sum(hour.via_mail for hour in self.hours)

    @property
    def has_faults(self) -> bool:
        return bool(self.failed or self.rejected or self.drifted)


# Both are made of one pass over the alerts, whose rows are wide and many.
_QUERY: Final = """
WITH came AS MATERIALIZED ({alerts})
SELECT begins, count(*), count(*) FILTER (WHERE status = 'failed'),
    count(*) FILTER (WHERE status = 'rejected'), count(*) FILTER (WHERE drift),
    count(*) FILTER (WHERE via_mail), NULL::interval[] AS percentiles
FROM came GROUP BY begins
UNION ALL
SELECT NULL, 0, 0, 0, 0, 0, {percentiles}
FROM came WHERE status = 'processed' AND NOT via_mail
ORDER BY begins
"""
#: Else what is kept of a month's alerts goes through a file.
_MEMORY: Final = "32MB"


def traffic(asked: Asked, zone: tzinfo) -> Traffic:
    """Sum up these alerts; hours are those of the zone's clocks."""
    alerts: Any = _asked_for(asked).annotate(begins=_QuarterOfAnHour("received_at"), took=_TOOK)
    statement, parameters = alerts.values(
        "begins", "status", "drift", "via_mail", "took"
    ).query.sql_with_params()
    query = _QUERY.format(alerts=statement, percentiles=_PERCENTILES.format(of="took"))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [_MEMORY])
        cursor.execute(query, parameters)
        # The one without a time comes last.
        *quarters, (*_, percentiles) = cursor.fetchall()
    return Traffic(
        hours=_by_hour([Hour(*quarter[:-1]) for quarter in quarters], zone),
        latency=Latency(*percentiles) if percentiles else None,
    )


def latency(asked: Asked) -> Latency | None:
    """How long alerts took that were processed then; None where none was."""
    # A mail waits for its webhook on purpose.
    processed = _asked_for(asked, "processed_at").filter(status=LogStatus.PROCESSED, via_mail=False)
    percentiles = processed.aggregate(found=_Percentiles(_TOOK))["found"]
    return Latency(*percentiles) if percentiles else None


def traffic_by_strategy(asked: Asked) -> list[StrategyTraffic]:
    """What became of alerts then, by strategy's name."""
    alerts: Any = _asked_for(asked, "processed_at").values("strategy")
    rows = alerts.annotate(**_COUNTED).order_by("strategy")
    return [StrategyTraffic(**row) for row in rows]


#: What is counted of alerts, whatever they are grouped by.
_COUNTED: Final[dict[str, Any]] = {
    "alerts": Count("id"),
    "failed": Count("id", filter=Q(status=LogStatus.FAILED)),
    "rejected": Count("id", filter=Q(status=LogStatus.REJECTED)),
    "drifted": Count("id", filter=Q(drift=True)),
}


_TOOK: Final = ExpressionWrapper(F("processed_at") - F("received_at"), DurationField())
_PERCENTILES: Final = "percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY {of})"


def _by_hour(quarters: list[Hour], zone: tzinfo) -> tuple[Hour, ...]:
    """Quarters of an hour, in order of time, as the hours of the zone's clocks."""

    def hour(quarter: Hour) -> datetime:
        # Told in UTC: two hours of one name are one to a zone whose clocks go back.
        past = timedelta(minutes=quarter.begins.astimezone(zone).minute)
        return quarter.begins.astimezone(UTC) - past

    return tuple(
        Hour(
            begins.astimezone(zone),
            sum(quarter.alerts for quarter in held),
            sum(quarter.failed for quarter in held),
            sum(quarter.rejected for quarter in held),
            sum(quarter.drifted for quarter in held),
            sum(quarter.via_mail for quarter in held),
        )
        for begins, within in groupby(quarters, hour)
        for held in (list(within),)
    )


def last_alerts(strategies: Sequence[str]) -> dict[str, datetime]:
    """When the last alert of each strategy came, tests left out; those without one are not told.

    The index by book is entered twice a book, so it takes no longer the more alerts there are.
    """
    sql = """
        WITH RECURSIVE book AS (
            SELECT name AS strategy,
                (SELECT min(symbol) FROM webhook_logs WHERE strategy = name) AS symbol
            FROM unnest(%s::text[]) AS name
            UNION ALL
            SELECT strategy, (
                SELECT min(log.symbol) FROM webhook_logs AS log
                WHERE log.strategy = book.strategy AND log.symbol > book.symbol
            )
            FROM book WHERE symbol IS NOT NULL
        )
        SELECT book.strategy, max(last.received_at)
        FROM book CROSS JOIN LATERAL (
            SELECT received_at FROM webhook_logs AS log
            WHERE log.strategy = book.strategy AND log.symbol = book.symbol AND NOT log.is_test
            ORDER BY log.id DESC LIMIT 1
        ) AS last
        GROUP BY book.strategy
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(strategies)])
        return dict(cursor.fetchall())


def recent_faults(asked: Asked, *, most: int) -> list[WebhookLog]:
    """The latest of these alerts that were refused, or that drifted."""
    return list(
        _asked_for(asked)
        .filter(Q(status__in=_REFUSED) | Q(drift=True))
        .defer("payload")
        .order_by("-received_at")[:most]
    )


def _asked_for(asked: Asked, time: str = "received_at") -> QuerySet[WebhookLog]:
    alerts = WebhookLog.objects.filter(
        **{f"{time}__gte": asked.since, f"{time}__lt": asked.until}
    ).order_by()
    if asked.strategy:
        alerts = alerts.filter(strategy=asked.strategy)
    if asked.symbol:
        alerts = alerts.filter(symbol=asked.symbol)
    return alerts if asked.with_tests else alerts.filter(is_test=False)


class _QuarterOfAnHour(Func):
    """When the quarter of an hour began; every zone's hours are made of these.

    Much cheaper than to truncate each time in the zone.
    """

    function = "date_bin"
    template = "%(function)s('15 minutes', %(expressions)s, '2000-01-01T00:00Z')"
    output_field: Any = DateTimeField()


class _Percentiles(Aggregate):
    """The 50th, 95th and 99th percentile, in a list; None where there is no row."""

    template = _PERCENTILES.format(of="%(expressions)s")
    output_field: Any = DurationField()

    def convert_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value
