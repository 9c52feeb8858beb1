"""What metrics tell of the databases: asked when it is wanted, and kept for a moment.

Found by indexes of what is open, never by reading a table; and however often metrics are
asked for, each process asks a database once in `KEPT_SECONDS` at most, and waits for
`_PATIENCE_SECONDS` at most.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import Error, connections
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

import deadline
from positions.exposure import open_lots_by_strategy
from trades.models import Strategy
from wal.backlog import waiting
from webhooks.traffic import last_alerts

logger = logging.getLogger(__name__)

#: How long an answer of a database is told again before it is asked again.
KEPT_SECONDS: Final = 2.0
#: Times as long as a question took, before it is asked again.
_REST: Final = 10
#: How long a database may take to answer.
_PATIENCE_SECONDS: Final = 1.0

#: Stands for all strategies that have no series of their own: too many, or disabled.
_OTHER: Final = "other"


class MeasuredState(Collector):
    """The backlog, the open lots, the last alerts, and whether each database has answered."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "tradelog_database_up",
            "Whether the database answered when it was last asked.",
            labels=("database",),
        )
        for database, question in _QUESTIONS.items():
            # What is not known is not told: a number of a while ago would look like one.
            families = question.answer()
            up.add_metric((database,), families is not None)
            yield from families or ()
        yield up


class _Question:
    """Asked of a database by one thread at a time; the others are told what it was told."""

    def __init__(self, alias: str, ask: Callable[[], list[Metric]]) -> None:
        self._alias = alias
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: list[Metric] | None = None
        self._asked_again_at = float("-inf")

    def answer(self) -> list[Metric] | None:
        """What the database says; None where it does not answer."""
        with self._lock:
            begun = time.monotonic()
            if begun >= self._asked_again_at:
                self._answer = self._asked()
                now = time.monotonic()
                # What takes long (a backlog of hundreds of thousands) is asked more rarely.
                self._asked_again_at = now + max(KEPT_SECONDS, _REST * (now - begun))
            return self._answer

    def _asked(self) -> list[Metric] | None:
        try:
            with deadline.within(_PATIENCE_SECONDS):
                return self._ask()
        except Error as error:
            logger.info("Metrics are told without %s: %s", self._alias, str(error).strip())
            connections[self._alias].close()
            return None


def _of_the_log() -> list[Metric]:
    entries = GaugeMetricFamily(
        "tradelog_backlog_entries",
        "Log entries that want their effect, or wait for their entry (parked).",
        labels=("state",),
    )
    age = GaugeMetricFamily(
        "tradelog_backlog_oldest_age_seconds",
        "How long the oldest of them has waited; 0 where there is none.",
        labels=("state",),
    )
    now = timezone.now()
    for each in waiting():
        entries.add_metric((each.status,), each.entries)
        age.add_metric((each.status,), _seconds(now, each.oldest))
    return [entries, age]


def _seconds(now: datetime, since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


def _of_the_main_database() -> list[Metric]:
    enabled = Strategy.objects.filter(enabled=True).order_by("id").values_list("id", "name")
    shown = dict(enabled[: settings.METRICS_STRATEGIES])
    lots = GaugeMetricFamily(
        "tradelog_open_lots", "Lots that are open, by strategy.", labels=("strategy",)
    )
    counted = Counter(dict.fromkeys(shown.values(), 0))
    for strategy, number in open_lots_by_strategy().items():
        counted[shown.get(strategy, _OTHER)] += number
    for name, number in counted.items():
        lots.add_metric((name,), number)
    last = GaugeMetricFamily(
        "tradelog_last_alert_timestamp_seconds",
        "When the last alert of a strategy came, tests left out; seconds since 1970.",
        labels=("strategy",),
    )
    for name, moment in last_alerts(list(shown.values())).items():
        last.add_metric((name,), moment.timestamp())
    return [lots, last]


_QUESTIONS: Final = {
    "log": _Question("wal", _of_the_log),
    "main": _Question("default", _of_the_main_database),
}
