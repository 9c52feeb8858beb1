"""Alerts by the hour, what became of them, and how long it took."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from tests.factories import WebhookLogFactory
from tests.plans import pages_of, plan_of, questions
from webhooks.models import WebhookLog
from webhooks.traffic import Asked, Hour, recent_faults, traffic

pytestmark = pytest.mark.django_db

KOLKATA = ZoneInfo("Asia/Kolkata")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = Asked(NOON - timedelta(hours=24), NOON)


def log(minutes_ago: float, **fields: object) -> None:
    fields = {"status": "processed", **fields}
    WebhookLogFactory(received_at=NOON - timedelta(minutes=minutes_ago), **fields)


def test_alerts_are_counted_by_the_zones_hours() -> None:
    log(10)
    log(35)
    log(50, status="failed")
    log(55, status="rejected", drift=True)
    # Half past five ahead of UTC: there an hour begins at 11:30 and at 10:30.
    found = traffic(DAY, KOLKATA)
    assert found.hours == (
        Hour(NOON - timedelta(minutes=90), 3, failed=1, rejected=1, drifted=1),
        Hour(NOON - timedelta(minutes=30), 1, failed=0, rejected=0, drifted=0),
    )
    assert (found.alerts, found.failed, found.rejected, found.drifted) == (4, 1, 1, 1)
    assert found.has_faults


def test_an_hour_that_comes_twice_is_two() -> None:
    began = datetime(2026, 10, 25, tzinfo=UTC)
    for minutes in (0, 45, 60, 75, 120):
        WebhookLogFactory(status="processed", received_at=began + timedelta(minutes=minutes))
    found = traffic(Asked(began, began + timedelta(days=1)), ZoneInfo("Europe/Berlin"))
    assert [(hour.begins.isoformat()[11:], hour.alerts) for hour in found.hours] == [
        ("02:00:00+02:00", 2), ("02:00:00+01:00", 2), ("03:00:00+01:00", 1),
    ]  # fmt: skip


def test_only_what_was_asked_for_is_counted() -> None:
    log(0)  # At the end, which is not included.
    log(24 * 60, strategy="Alpha", symbol="A:B")
    log(24 * 60 + 1)
    log(1, strategy="Alpha", symbol="C:D")
    log(1, strategy="Beta", symbol="A:B", is_test=True)

    def number(**asked: object) -> int:
        return traffic(Asked(DAY.since, DAY.until, **asked), UTC).alerts  # type: ignore[arg-type]

    assert number() == 2
    assert number(with_tests=True) == 3
    assert number(strategy="Alpha") == 2
    assert number(symbol="A:B") == 1
    assert number(symbol="A:B", with_tests=True) == 2


def test_latency_is_of_what_was_processed() -> None:
    took = [n * n / 1000 for n in range(1, 41)]
    for seconds in took:
        log(5, processed_at=NOON - timedelta(minutes=5) + timedelta(seconds=seconds))
    log(5, status="failed", processed_at=NOON + timedelta(hours=1))
    latency = traffic(DAY, UTC).latency
    assert latency is not None
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    wanted = [cuts[49], cuts[94], cuts[98]]
    told = [latency.p50, latency.p95, latency.p99]
    assert [each.total_seconds() for each in told] == pytest.approx(wanted, abs=1e-5)


def test_nothing_came() -> None:
    found = traffic(DAY, UTC)
    assert (found.hours, found.latency, found.alerts, found.has_faults) == ((), None, 0, False)


def test_faults_come_latest_first() -> None:
    log(30, status="failed", strategy="third")
    log(10, status="rejected", strategy="first")
    log(20, drift=True, strategy="second")
    log(5)
    log(5, status="parked")
    log(1, status="failed", is_test=True)
    found = [fault.strategy for fault in recent_faults(DAY, most=10)]
    assert found == ["first", "second", "third"]
    assert len(recent_faults(DAY, most=2)) == 2


@pytest.fixture
def many(databases: None) -> None:
    """Alerts a minute apart, the first of them at noon."""
    alerts = [
        WebhookLogFactory.build(received_at=NOON + n * timedelta(minutes=1)) for n in range(4000)
    ]
    WebhookLog.objects.bulk_create(alerts)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE webhook_logs")


def test_alerts_are_counted_without_reading_them(many: None) -> None:
    asked_for = Asked(NOON, NOON + timedelta(minutes=3000))
    with questions() as asked:
        assert traffic(asked_for, UTC).alerts == 3000
    [counting] = [question for question in asked if "webhook_logs" in question[0]]
    # Together with their rows it would be 95.
    assert pages_of(plan_of(counting)) < 60


def test_what_came_is_told_by_the_index_soon() -> None:
    """By PostgreSQL's own settings, not before a fifth of the table has come since."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT unnest(reloptions) FROM pg_class WHERE relname = 'webhook_logs'")
        options = {option for (option,) in cursor.fetchall()}
    assert "autovacuum_vacuum_insert_scale_factor=0" in options
