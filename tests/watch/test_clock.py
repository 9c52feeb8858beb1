"""The clock is put back by hours or days: nothing is silent, or goes on, for as long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import Settings

from tests.factories import EntryFactory, RefusalFactory, TradeFactory
from tests.watch.moments import NOW
from tests.watch.receiving import Receiver
from watch.models import Alarm, Notice
from watch.watching import Watch

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
#: What the clock showed before.
AHEAD = NOW + timedelta(days=6)


@pytest.fixture(autouse=True)
def refused(databases: None, settings: Settings) -> None:
    """Something that fires on either side."""
    settings.ALERT_WINDOW_MINUTES = 10_000
    RefusalFactory(refused_at=NOW - HOUR)


def test_an_alarm_is_over_all_the_same(receiver: Receiver, settings: Settings) -> None:
    watch = Watch()
    watch.look(NOW)
    settings.ALERT_WINDOW_MINUTES = 30
    watch.look(AHEAD)
    assert Alarm.objects.get().quiet_since == AHEAD
    watch.look(NOW + MINUTE)
    watch.look(NOW + 3 * MINUTE)
    assert Alarm.objects.get().cleared_at == NOW + 3 * MINUTE
    assert [heard.title for heard in receiver.taken()] == [
        "tradelog: refused by rate",
        "tradelog: over: refused by rate",
    ]


def test_reminders_go_on(receiver: Receiver) -> None:
    watch = Watch()
    watch.look(AHEAD)
    watch.look(NOW)
    assert [heard.title for heard in receiver.taken()] == ["tradelog: refused by rate"]
    watch.look(NOW + 12 * HOUR)
    assert [heard.title for heard in receiver.taken()] == ["tradelog: still refused by rate"]


def test_what_waits_is_tried_again(receiver: Receiver) -> None:
    watch = Watch()
    receiver.status = 503
    watch.look(AHEAD)
    receiver.status = 200
    watch.look(NOW)
    assert [heard.title for heard in receiver.taken()] == ["tradelog: refused by rate"]


def test_what_does_not_get_through_is_given_up(receiver: Receiver) -> None:
    watch = Watch()
    receiver.status = 503
    watch.look(AHEAD)
    watch.look(NOW)
    watch.look(NOW + 23 * HOUR)
    assert Notice.objects.earliest("id").fate == "waits for its delivery"
    watch.look(NOW + 25 * HOUR)
    assert Notice.objects.earliest("id").fate == "given up"


def test_what_waits_in_the_log_is_told(receiver: Receiver) -> None:
    EntryFactory(received_at=AHEAD)
    Watch().look(NOW)
    (heard,) = receiver.taken()
    assert "1 alert waits in the log" in heard.text


def test_it_is_reconciled(receiver: Receiver, settings: Settings) -> None:
    settings.ALERT_RECONCILE_HOURS = 24
    watch = Watch()
    watch.look(AHEAD)
    TradeFactory(created_at=NOW)
    watch.look(NOW)
    assert [heard.title for heard in receiver.taken()] == [
        "tradelog: refused by rate",
        "tradelog: does not add up of Alpha",
    ]
