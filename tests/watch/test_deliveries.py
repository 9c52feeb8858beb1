"""Who gets a notice, in which order, when receivers are down, replaced or added."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from pytest_django import Settings

from tests.factories import RefusalFactory, StrategyFactory, WebhookLogFactory
from tests.watch.receiving import Receiver
from wal.models import Refusal
from watch import outbox
from watch.models import Alarm, Notice
from watch.watching import Watch

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(microsecond=0)

#: Nobody listens there.
DEAD = "json://127.0.0.1:1"


@pytest.fixture
def other(receiver: Receiver, settings: Settings) -> Iterator[Receiver]:
    """A second one who is told, after the first."""
    with Receiver() as listening:
        settings.ALERT_URLS = f"{receiver.url},{listening.url}"
        yield listening


def refuse() -> None:
    RefusalFactory(refused_at=NOW)


def drift(strategy: str) -> None:
    StrategyFactory(name=strategy)
    WebhookLogFactory(strategy=strategy, status="processed", drift=True, received_at=NOW)


def titles(receiver: Receiver) -> list[str]:
    return [heard.title.removeprefix("tradelog: ") for heard in receiver.taken()]


def test_what_waited_for_a_wrong_address_goes_to_the_right_one(
    watch: Watch, receiver: Receiver, settings: Settings
) -> None:
    settings.ALERT_URLS = f"{receiver.url},{DEAD}"
    refuse()
    watch.look(NOW + MINUTE)
    assert titles(receiver) == ["refused by rate"]
    # For hours, so that its next try is far away.
    for hours in (1, 2):
        settings.ALERT_WINDOW_MINUTES = 10_000
        watch.look(NOW + hours * HOUR)
    with Receiver() as right:
        settings.ALERT_URLS = f"{receiver.url},{right.url}"
        Watch().look(NOW + 2 * HOUR + MINUTE)
        assert titles(right) == ["refused by rate"]
        assert titles(receiver) == [], "it has had it"
    assert Notice.objects.get().fate == "delivered"


def test_with_nobody_there_it_waits_for_somebody(
    watch: Watch, receiver: Receiver, settings: Settings
) -> None:
    settings.ALERT_WINDOW_MINUTES = 10_000
    right, settings.ALERT_URLS = receiver.url, DEAD
    refuse()
    watch.look(NOW + MINUTE)
    settings.ALERT_URLS = ""
    watch.look(NOW + HOUR)
    assert Notice.objects.get().fate == "waits for its delivery"
    settings.ALERT_URLS = right
    watch.look(NOW + HOUR + MINUTE)
    assert titles(receiver) == ["refused by rate"]


def test_what_nobody_came_for_is_told_as_given_up(
    watch: Watch, receiver: Receiver, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALERT_URLS = DEAD
    refuse()
    watch.look(NOW + MINUTE)
    settings.ALERT_URLS = ""
    watch.look(NOW + 24 * HOUR + 2 * MINUTE)
    notice = Notice.objects.get()
    assert notice.fate == "given up"
    assert f"Notice {notice.pk} is given up" in caplog.text


def test_what_waited_from_before_that_was_kept_comes_to_nobody_twice(
    watch: Watch, receiver: Receiver, other: Receiver
) -> None:
    receiver.status = 503
    refuse()
    watch.look(NOW + MINUTE)
    assert titles(other) == ["refused by rate"]
    executor = MigrationExecutor(connections["wal"])
    newest = executor.loader.graph.leaf_nodes("watch")
    for targets in ([("watch", "0001_initial")], newest):
        MigrationExecutor(connections["wal"]).migrate(targets)
    receiver.status = 200
    watch.look(NOW + 2 * MINUTE)
    assert (titles(receiver), titles(other)) == (["refused by rate"], [])


def test_the_others_are_reminded_while_one_is_down(
    watch: Watch, receiver: Receiver, other: Receiver, settings: Settings
) -> None:
    settings.ALERT_WINDOW_MINUTES = 10_000
    receiver.status = 503
    refuse()
    watch.look(NOW + MINUTE)
    watch.look(NOW + 12 * HOUR + MINUTE)
    assert titles(other) == ["refused by rate", "still refused by rate"]
    receiver.status = 200
    watch.look(NOW + 14 * HOUR)
    assert titles(receiver) == ["refused by rate"], "which tells the same as a reminder"
    assert titles(other) == []
    watch.look(NOW + 24 * HOUR + MINUTE)
    assert titles(receiver) == titles(other) == ["still refused by rate"]


def test_each_hears_of_an_alarm_before_it_hears_that_it_is_over(
    watch: Watch, receiver: Receiver, other: Receiver
) -> None:
    # It would take another one.
    receiver.status_of["tradelog: refused by rate"] = 503
    refuse()
    watch.look(NOW + MINUTE)
    for minutes in (2, 4, 8):
        watch.look(NOW + minutes * MINUTE)
    Refusal.objects.all().delete()
    watch.look(NOW + 9 * MINUTE)
    # Over now, and the next try of the first would be a minute later.
    watch.look(NOW + 11 * MINUTE)
    assert titles(receiver) == []
    receiver.status_of.clear()
    watch.look(NOW + 12 * MINUTE)
    wanted = ["refused by rate", "over: refused by rate"]
    assert titles(receiver) == titles(other) == wanted
    assert {notice.fate for notice in Notice.objects.all()} == {"delivered"}


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_message_that_a_service_cannot_read_holds_up_no_other(
    watch: Watch, receiver: Receiver, status: int
) -> None:
    receiver.status_of["tradelog: refused by rate"] = status
    refuse()
    watch.look(NOW + MINUTE)
    drift("Alpha")
    watch.look(NOW + 2 * MINUTE)
    assert titles(receiver) == ["drift of Alpha"]
    refused, drifted = Notice.objects.order_by("id")
    assert (refused.fate, drifted.fate) == ("waits for its delivery", "delivered")
    assert refused.trouble == f"json, entry 1 of ALERT_URLS: it answered {status}"


class SlowWatch(Watch):
    """Its first write takes until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def _record(self, *arguments: object) -> object:  # type: ignore[override]
        taken = super()._record(*arguments)  # type: ignore[arg-type]
        assert self.go_on.wait(30)
        return taken


def test_a_write_that_came_through_after_it_was_given_up_is_carried_on(
    databases: None, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = SlowWatch()
    refuse()
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "_WRITE_SECONDS", 0.2)
        watch.look(NOW + MINUTE)
    assert titles(receiver) == ["refused by rate"], "told at once, from memory"
    watch.go_on.set()
    drift("Alpha")
    watch.look(NOW + 2 * MINUTE)
    refused, drifted = Alarm.objects.order_by("id")
    assert (refused.rule, refused.told_at) == ("rate", NOW + MINUTE)
    assert (drifted.rule, drifted.told_at) == ("drift", NOW + 2 * MINUTE)
    for minutes in (0, 3):
        watch.look(NOW + 3 * HOUR + minutes * MINUTE)
    assert titles(receiver)[-1] == "over: refused by rate and 1 more"
    assert not Alarm.objects.filter(cleared_at=None).exists()
    assert Alarm.objects.count() == 2
