"""Alerts that waited in the log for longer than the window: what became of them is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from tests.factories import EntryFactory, StrategyFactory, WebhookLogFactory
from tests.plans import pages_of, plan_of, questions
from tests.watch.moments import NOW
from tests.watch.receiving import Receiver
from watch.silence import Rhythms
from watch.watching import Watch
from webhooks.models import WebhookLog
from webhooks.traffic import Asked, latency, traffic_by_strategy

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def waited(**fields: object) -> None:
    """An alert received hours ago, and processed a minute ago."""
    StrategyFactory()
    WebhookLogFactory(
        **{
            "strategy": "Alpha",
            "status": "processed",
            "received_at": NOW - 3 * HOUR,
            "processed_at": NOW - MINUTE,
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"drift": True}, "1 alert of Alpha drifted in the last 1 h"),
        ({"status": "failed"}, "1 of 1 alert of Alpha was refused in the last 1 h"),
        ({}, "it took more than 2 h 59 min for one in twenty in the last 1 h"),
    ],
    ids=["drift", "refused", "delay"],
)
def test_what_became_of_it_is_told(
    databases: None, receiver: Receiver, fields: dict[str, object], says: str
) -> None:
    waited(**fields)
    watch = Watch()
    watch.look(NOW)
    (heard,) = receiver.taken()
    assert says in heard.text
    # The window is over.
    watch.look(NOW + HOUR)
    watch.look(NOW + HOUR + 3 * MINUTE)
    (heard,) = receiver.taken()
    assert heard.title.startswith("tradelog: over: ")


def test_an_order_whose_key_had_come_before_is_told(databases: None, receiver: Receiver) -> None:
    EntryFactory(
        status="duplicate",
        last_error="It orders something else.",
        received_at=NOW - 3 * HOUR,
        settled_at=NOW - MINUTE,
    )
    Watch().look(NOW)
    (heard,) = receiver.taken()
    assert "1 order had no effect in the last 1 h" in heard.text


def test_its_strategy_was_not_silent(databases: None) -> None:
    waited(received_at=NOW - 9 * HOUR, processed_at=NOW - 9 * HOUR)
    rhythms = Rhythms()
    assert rhythms.at(NOW)["Alpha"].last == NOW - 9 * HOUR
    waited(processed_at=NOW + MINUTE)
    assert rhythms.at(NOW + 2 * MINUTE)["Alpha"].last == NOW - 3 * HOUR


def test_a_look_reads_none_of_long_ago(databases: None) -> None:
    long_ago = NOW - 99 * HOUR
    WebhookLog.objects.bulk_create(WebhookLogFactory.build_batch(5000, received_at=long_ago))
    waited()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE webhook_logs")
    window = Asked(NOW - HOUR, NOW)
    with questions() as asked:
        (found,) = traffic_by_strategy(window)
        took = latency(window)
    assert (found.strategy, found.alerts) == ("Alpha", 1)
    assert took is not None and took.p50 == 3 * HOUR - MINUTE
    assert len(asked) == 2
    for question in asked:
        plan = plan_of(question)
        # The table has well over a hundred pages.
        assert pages_of(plan) < 20, plan
