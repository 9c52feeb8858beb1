"""How often strategies usually send an alert, and for how long they have not.

TradingView's alerts expire and stop without a word, so a strategy that is silent for longer
than it ever was may have lost its alert. Saturdays and Sundays (UTC) on which a strategy has
never sent one are taken for days its market is closed, and do not count as silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, pairwise
from typing import Any, Final

from django.db.models import Max

from positions.findings import selected
from webhooks.models import WebhookLog

#: How far back a strategy's own history is read: a quarter has its holidays.
HISTORY: Final = timedelta(days=90)
#: Enough to know a strategy by: so many alerts, on so many days, over two weekends.
_ALERTS, _DAYS, _SPAN = 10, 5, timedelta(days=14)
#: Histories are read anew after this long; what has come since is asked for every time.
_FRESH: Final = timedelta(hours=1)
#: What was being processed while they were read.
_OVERLAP: Final = timedelta(minutes=1)

_SATURDAY, _SUNDAY = 5, 6


@dataclass(frozen=True, slots=True)
class Day:
    """A strategy's alerts of one day, UTC."""

    strategy: str
    alerts: int
    first: datetime
    last: datetime
    #: Between two of them, one after the other; None where there is one.
    longest_gap: timedelta | None


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a strategy last sent an alert, and how long it usually takes for the next."""

    #: UTC.
    last: datetime
    #: The longest there was without the days its market is closed; None: too little history.
    usual_gap: timedelta | None
    #: Days of the week, Monday is 0, on which its market is closed.
    closed: frozenset[int] = frozenset()

    def silent_for(self, now: datetime) -> timedelta:
        """How long it has been since the last alert, without the days its market is closed."""
        return open_time(self.last, now, self.closed)


def rhythm(days: Sequence[Day]) -> Rhythm:
    """What a strategy's days, in order, tell of it; there must be one."""
    weekdays = {day.first.weekday() for day in days}
    closed = frozenset({_SATURDAY, _SUNDAY} - weekdays)
    is_known = (
        sum(day.alerts for day in days) >= _ALERTS
        and len(days) >= _DAYS
        and days[-1].last - days[0].first >= _SPAN
    )
    gaps = [
        *(day.longest_gap for day in days if day.longest_gap is not None),
        *(open_time(day.last, following.first, closed) for day, following in pairwise(days)),
    ]
    return Rhythm(days[-1].last, max(gaps) if is_known else None, closed)


def open_time(start: datetime, end: datetime, closed: frozenset[int]) -> timedelta:
    """How long it is from `start` to `end`, both UTC, without the closed days of the week."""
    passed = max(end - start, timedelta())
    day = start.date()
    while closed and day <= end.date():
        if day.weekday() in closed:
            passed -= max(min(end, _midnight(day, 1)) - max(start, _midnight(day)), timedelta())
        day += timedelta(days=1)
    return passed


def _midnight(day: date, later: int = 0) -> datetime:
    return datetime.combine(day + timedelta(days=later), time(), UTC)


class Rhythms:
    """The strategies' rhythms, read once an hour and kept up to date in between."""

    def __init__(self) -> None:
        self._known: dict[str, Rhythm] = {}
        self._read_at: datetime | None = None

    def at(self, now: datetime) -> dict[str, Rhythm]:
        """By strategy's name; those that sent an alert within HISTORY."""
        if self._read_at is None or not timedelta() <= now - self._read_at < _FRESH:
            self._known = _read(now)
            self._read_at = now
            return self._known
        came = (
            WebhookLog.objects.filter(
                # What waited in the log was received long before it came here.
                processed_at__gte=self._read_at - _OVERLAP, received_at__lte=now, is_test=False,
            )
            .exclude(strategy="")
            .values("strategy")
            .annotate(last=Max("received_at"))
            .order_by()
        )  # fmt: skip
        for row in came:
            name, last = row["strategy"], row["last"]
            known = self._known.get(name, Rhythm(last, None))
            self._known[name] = replace(known, last=max(known.last, last))
        return self._known


#: Within a day; what lies between two days follows from their first and last.
_DAYS_OF_STRATEGIES: Final = """
    SELECT strategy, count(*) AS alerts, min(received_at) AS first, max(received_at) AS last,
           max(gap) AS longest_gap
      FROM (SELECT strategy, received_at, (received_at AT TIME ZONE 'UTC')::date AS day,
                   received_at - lag(received_at) OVER (
                       PARTITION BY strategy, (received_at AT TIME ZONE 'UTC')::date
                       ORDER BY received_at) AS gap
              FROM webhook_logs
             WHERE received_at >= %(since)s AND received_at <= %(now)s
               AND NOT is_test AND strategy <> '') alert
     GROUP BY strategy, day
     ORDER BY strategy, day
"""


def _read(now: datetime) -> dict[str, Rhythm]:
    parameters: dict[str, Any] = {"since": now - HISTORY, "now": now}
    days = [Day(**row) for row in selected(_DAYS_OF_STRATEGIES, **parameters)]
    return {
        strategy: rhythm(list(its)) for strategy, its in groupby(days, lambda day: day.strategy)
    }
