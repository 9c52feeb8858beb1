"""An exit that came by mail waits for its entry from when the service had it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.mail.imap import MailServer
from tests.mail.mails import mail
from tests.tradelog.test_metrics import Since
from tests.wal.test_arrival import named_at
from tests.webhooks.test_parking import waited
from tests.webhooks.test_reconcile import log
from trades.models import Trade
from wal.backlog import backlog
from wal.models import Entry
from webhooks import trail
from webhooks.models import WebhookLog
from webhooks.pipeline import settle_through
from webhooks.reconcile import find, mend
from webhooks.replay import Choice, how_many, replay

Ingest = Callable[..., str]

EXIT: dict[str, Any] = {"action": "exit", "price": "110", "time": "2026-01-05T15:00:00Z"}


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def status() -> tuple[str, str]:
    """Of the exit, in webhook_logs and in the log."""
    exit_log = WebhookLog.objects.get(price=110)
    return exit_log.status, Entry.objects.get(correlation_id=exit_log.correlation_id).status


def is_overdue() -> bool:
    now = datetime.now(UTC)
    held_up = backlog(since=now, until=now).overdue(
        now, soon=timedelta(seconds=10), parking=timedelta(seconds=60)
    )
    return bool(held_up)


@pytest.fixture
def parked(mails: MailServer, ingest: Ingest) -> None:
    """An exit whose mail was five minutes on its way."""
    mails.deliver(mail(sent_at=ago(300), **EXIT), ago=50)
    assert "NO_OPEN_POSITION" in ingest(exits=1)
    assert status() == ("parked", "parked")


def taken_up(seconds_ago: float) -> None:
    """Have the exit be with the service for so long."""
    name = named_at(ago(seconds_ago))
    Entry.objects.update(correlation_id=name)
    WebhookLog.objects.update(correlation_id=name)
    waited(seconds_ago)


def test_its_way_and_its_grace_take_nothing_of_its_time(parked: None, post: Poster) -> None:
    assert how_many(Choice()) == 0
    assert list(replay(Choice())) == []
    list(replay(Choice(entry_ids=frozenset({Entry.objects.get().pk}))))
    assert status() == ("parked", "parked")
    post()
    assert Trade.objects.get().pnl == 10
    assert list(trail.verify()) == []


def test_nothing_is_found_about_it_meanwhile(parked: None) -> None:
    assert find() == []
    assert not is_overdue()
    exit_entry = Entry.objects.get()
    Entry.objects.all().delete()
    assert find() == [], "its alert may still be let through"
    WebhookLog.objects.update(status="processed", error_code="", processed_at=ago(10), is_test=True)
    Entry.objects.bulk_create([exit_entry])
    assert find() == [], "its mark may still follow"


def test_its_time_ends(parked: None) -> None:
    taken_up(seconds_ago=59)
    assert how_many(Choice()) == 0
    taken_up(seconds_ago=61)
    assert how_many(Choice()) == 1
    list(replay(Choice()))
    assert status() == ("failed", "failed")


def test_its_webhook_is_missed_once(
    mails: MailServer, ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    since = Since()
    mails.deliver(mail(sent_at=ago(300), **EXIT), ago=50)
    ingest(exits=1)
    taken_up(seconds_ago=61)
    list(replay(Choice()))
    list(replay(Choice(failed=True)))
    assert status() == ("failed", "failed")
    assert since("tradelog_missed_webhooks_total") == 1
    assert sum("A webhook was missed" in message for message in caplog.messages) == 1


@pytest.mark.parametrize("is_in_log", [True, False])
def test_past_its_time_it_is_found(parked: None, is_in_log: bool) -> None:
    taken_up(seconds_ago=130)
    assert is_overdue()
    if not is_in_log:
        Entry.objects.all().delete()
    (finding,) = find()
    assert finding.kind == ("entry_stuck" if is_in_log else "parked_without_entry")
    since = WebhookLog.objects.get().processed_at
    assert f"since {since:%Y-%m-%d %H:%M:%S} UTC" in finding.sentence
    _, left = mend()
    assert left == []
    assert WebhookLog.objects.get().status == "failed"


@pytest.mark.parametrize(("waited", "belongs"), [(50, True), (70, False)])
def test_an_entry_by_mail_comes_when_the_service_has_it(
    databases: None, mails: MailServer, ingest: Ingest, waited: float, belongs: bool
) -> None:
    settle_through(log(alert(**EXIT), received_at=ago(waited)), patience=0)
    mails.deliver(mail(sent_at=ago(waited + 10)), ago=50)
    ingest()
    assert Lot.objects.get().status == ("closed" if belongs else "open")


def test_an_exit_by_mail_of_a_backlog_is_let_through_in_its_time(
    mails: MailServer, ingest: Ingest, settings: Settings, parked: None
) -> None:
    """An hour later, what the service had within its time still belongs together."""
    taken_up(seconds_ago=3600)
    entry = log(alert(), received_at=ago(3550))
    list(replay(Choice()))
    assert status() == ("processed", "completed")
    entry.refresh_from_db()
    assert entry.status == "completed"
