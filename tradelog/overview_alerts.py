"""The Overview's part on alerts: what came, what waits, and the verdict on it all."""

from __future__ import annotations

from concurrent.futures import TimeoutError as WriteTimeout
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final

from django.conf import settings
from django.db import Error

import deadline
from tradelog.overview_filters import Filters
from tradelog.verdict import Listed, Verdict, verdict
from wal.backlog import Backlog, backlog
from watch.models import Alarm, Rule
from webhooks.models import WebhookLog
from webhooks.parking import parking_time
from webhooks.traffic import Asked, Traffic, recent_faults, traffic

_MOST_FAULTS: Final = 10
#: Seconds to wait for the log, which the page can do without.
_PATIENCE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class DayOfAlerts:
    day: date
    alerts: int
    refused: int


@dataclass(frozen=True, slots=True)
class AlertsShown:
    """The alerts of the last days."""

    asked: Asked
    traffic: Traffic
    #: None: the log cannot be read.
    backlog: Backlog | None
    faults: list[WebhookLog]
    verdict: Verdict

    @property
    def by_day(self) -> list[DayOfAlerts]:
        """Days with alerts, the latest first."""
        days: dict[date, DayOfAlerts] = {}
        for hour in self.traffic.hours:
            day = hour.begins.date()
            so_far = days.get(day, DayOfAlerts(day, 0, 0))
            days[day] = DayOfAlerts(day, so_far.alerts + hour.alerts, so_far.refused + hour.refused)
        return [days[day] for day in sorted(days, reverse=True)]

    def plotted(self) -> dict[str, Any]:
        """What the chart draws: each hour, those without an alert too, in seconds since 1970."""
        found = {hour.begins.timestamp(): hour for hour in self.traffic.hours}
        if not found:
            return {"times": [], "alerts": [], "refused": []}
        # Counted from an hour that is there: those of some zones begin at half past.
        since, until = self.asked.since.timestamp(), self.asked.until.timestamp()
        first = min(found)
        first -= (first - since) // 3600 * 3600
        times = [first + 3600 * number for number in range(int((until - first) // 3600) + 1)]
        return {
            "times": times,
            "alerts": [found[time].alerts if time in found else 0 for time in times],
            "refused": [found[time].refused if time in found else 0 for time in times],
        }


def alerts_shown(
    filters: Filters, zone: tzinfo, now: datetime, *, differing: Listed, backward: Listed
) -> AlertsShown:
    """The alerts of the filters' days up to now, and the verdict on them."""
    asked = Asked(
        since=now - timedelta(days=filters.alert_days),
        until=now,
        strategy=filters.strategy,
        symbol=filters.symbol,
        with_tests=filters.with_tests,
    )
    came = traffic(asked, zone)
    waiting = _backlog(asked)
    return AlertsShown(
        asked=asked,
        traffic=came,
        backlog=waiting,
        faults=recent_faults(asked, most=_MOST_FAULTS) if came.has_faults else [],
        verdict=verdict(
            traffic=came,
            backlog=waiting,
            differing=differing,
            backward=backward,
            alarms=_alarms(asked),
            asked=asked,
            soon=timedelta(seconds=settings.ALERT_WAITING_SECONDS),
            parking=parking_time(),
            now=now,
        ),
    )


#: What is watched and not judged here.
_WATCHED: Final = (Rule.SILENCE, Rule.RECONCILIATION)


def _alarms(asked: Asked) -> list[Alarm]:
    """Those that fire; none where the log's database, which has them, cannot be read."""
    alarms = Alarm.objects.filter(cleared_at=None, rule__in=_WATCHED)
    if asked.strategy:
        alarms = alarms.filter(strategy=asked.strategy)
    try:
        with deadline.within(_PATIENCE_SECONDS):
            return list(alarms.order_by("id"))
    except Error:
        return []


def _backlog(asked: Asked) -> Backlog | None:
    try:
        with deadline.within(_PATIENCE_SECONDS):
            return backlog(since=asked.since, until=asked.until)
    except (Error, WriteTimeout):
        return None
