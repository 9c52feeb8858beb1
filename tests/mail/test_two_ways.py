"""The same order by webhook and by mail is one effect; by mail alone it is a missed webhook."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from positions.models import Lot
from tests.alerts import Poster
from tests.mail.imap import MailServer
from tests.mail.mails import mail
from trades.models import Trade
from wal.models import Entry
from webhooks import trail
from webhooks.models import WebhookLog
from webhooks.traffic import Asked, traffic

Ingest = Callable[..., str]

#: Messages with a time of their own, and without.
TIMED_OR_NOT = pytest.mark.parametrize("told", [{}, {"time": None}], ids=["timed", "untimed"])


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


@TIMED_OR_NOT
def test_webhook_first(
    post: Poster, mails: MailServer, ingest: Ingest, told: dict[str, Any]
) -> None:
    posted = post(**told)
    mails.deliver(mail(sent_at=ago(0), **told))
    said = ingest()
    assert f"known: alert {posted['webhook_log_id']}: opened, Alpha on BINANCE:BTCUSDT" in said
    assert Lot.objects.count() == 1
    assert not WebhookLog.objects.get().via_mail
    assert Entry.objects.count() == 1
    assert mails.flags() == ["seen"]


@TIMED_OR_NOT
def test_mail_first(post: Poster, mails: MailServer, ingest: Ingest, told: dict[str, Any]) -> None:
    mails.deliver(mail(sent_at=ago(50), **told), ago=50)
    ingest()
    by_mail = WebhookLog.objects.get()
    answer = post(**told)
    assert (answer["status"], answer["webhook_log_id"]) == ("duplicate", by_mail.pk)
    assert Lot.objects.count() == 1


@TIMED_OR_NOT
def test_a_mail_that_was_hours_on_its_way(
    post: Poster, mails: MailServer, ingest: Ingest, told: dict[str, Any]
) -> None:
    """What counts is when TradingView sent it: the webhook was sent at the same moment."""
    post(**told)
    WebhookLog.objects.update(received_at=ago(3 * 3600 + 5))
    mails.deliver(mail(sent_at=ago(3 * 3600), **told))
    assert "1 known" in ingest()
    assert Lot.objects.count() == 1
    assert Entry.objects.count() == 1


@pytest.mark.parametrize(("webhook", "sent"), [(240, 60), (0, 180)], ids=["earlier", "later"])
def test_the_same_words_at_another_time_are_another_order(
    post: Poster, mails: MailServer, ingest: Ingest, webhook: float, sent: float
) -> None:
    post(time=None)
    WebhookLog.objects.update(received_at=ago(webhook))
    mails.deliver(mail(sent_at=ago(sent), time=None))
    ingest()
    assert Lot.objects.count() == 2


def test_a_key_of_the_senders_holds_for_both_ways(
    post: Poster, mails: MailServer, ingest: Ingest
) -> None:
    post(idempotency_key="one", time=None)
    mails.deliver(mail(idempotency_key="one", time=None, sent_at=ago(3600)))
    ingest()
    assert Lot.objects.count() == 1


@pytest.mark.parametrize("way", ["webhook", "mail"])
def test_both_at_once(post: Poster, mails: MailServer, ingest: Ingest, way: str) -> None:
    """The webhook's entry is in the log and not yet applied, or the mail's."""
    mails.deliver(mail())
    if way == "webhook":
        post()
        Lot.objects.all().delete()
        WebhookLog.objects.all().delete()
        Entry.objects.update(status="pending", webhook_log_id=None, settled_at=None)
        ingest()
    else:
        ingest()
        post()
    assert sorted(Entry.objects.values_list("status", flat=True)) == ["completed", "duplicate"]
    assert Lot.objects.count() == 1
    assert WebhookLog.objects.get().via_mail == (way == "mail")


def test_by_mail_alone_it_is_applied_marked_and_counted(
    post: Poster, mails: MailServer, ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    post()
    sent_at = ago(90).replace(microsecond=0)
    mails.deliver(mail(action="exit", price="110", sent_at=sent_at, time="2026-01-05T15:00:00Z"))
    assert "1 taken whose webhook was missed" in ingest()
    assert Trade.objects.get().pnl == 10
    log = WebhookLog.objects.latest("id")
    assert (log.via_mail, log.status, log.action) == (True, "processed", "closed")
    assert (log.received_at, log.token_name, log.source_address) == (sent_at, "", None)
    assert f"A webhook was missed: alert {log.pk} came by mail alone" in caplog.messages
    came = traffic(Asked(ago(3600), ago(0)), UTC)
    assert (came.alerts, came.via_mail) == (2, 1)
    # The mail waited for its webhook; that says nothing of how quick we are.
    assert came.latency is not None and came.latency.p99 < timedelta(seconds=30)
    assert list(trail.verify()) == []
    assert mails.flags() == ["seen"]


def test_it_is_seen_in_the_admin(mails: MailServer, ingest: Ingest, client: Client) -> None:
    client.force_login(User.objects.create_superuser("trader"))
    mails.deliver(mail())
    ingest()
    log = WebhookLog.objects.get()
    listed = reverse("admin:webhooks_webhooklog_changelist")
    told = reverse("admin:webhooks_webhooklog_change", args=[log.pk])
    assert told in client.get(listed, {"via_mail__exact": "1"}).content.decode()
    assert told not in client.get(listed, {"via_mail__exact": "0"}).content.decode()
    assert "mail; its webhook had not come" in client.get(told).content.decode()
    assert "1 alert came by mail alone" in client.get(reverse("overview")).content.decode()


def test_a_test_by_mail_moves_nothing(mails: MailServer, ingest: Ingest) -> None:
    mails.deliver(mail(is_test=True))
    ingest()
    log = WebhookLog.objects.get()
    assert (log.is_test, log.via_mail, log.status) == (True, True, "processed")
    assert not Lot.objects.exists()
    assert traffic(Asked(ago(3600), ago(0)), UTC).via_mail == 0


def test_the_webhook_is_waited_for(mails: MailServer, ingest: Ingest, settings: Settings) -> None:
    settings.MAILBOX_GRACE_SECONDS = 45
    mails.deliver(mail(sent_at=ago(300)), ago=20)
    assert "waits: for its webhook, 2" in ingest()
    assert not Entry.objects.exists()
    assert mails.flags() == [""]
    settings.MAILBOX_GRACE_SECONDS = 10
    ingest()
    assert Lot.objects.count() == 1


def test_mails_are_applied_in_the_order_they_were_sent(mails: MailServer, ingest: Ingest) -> None:
    exit_order: dict[str, Any] = {"action": "exit", "price": "110", "time": "2026-01-05T15:00:00Z"}
    mails.deliver(mail(sent_at=ago(60), **exit_order), ago=59)
    mails.deliver(mail(sent_at=ago(90)), ago=50)
    ingest()
    assert list(WebhookLog.objects.order_by("id").values_list("action", flat=True)) == [
        "opened",
        "closed",
    ]


def test_a_parked_exit_is_let_through_by_its_entrys_mail(
    post: Poster, mails: MailServer, ingest: Ingest
) -> None:
    """The entry's webhook was lost and the exit's was not, half a minute later."""
    assert post(action="exit", price="110", time="2026-01-05T15:00:00Z")["status"] == "parked"
    mails.deliver(mail(sent_at=ago(50)), ago=50)
    ingest()
    assert Trade.objects.get().pnl == 10
    assert list(trail.verify()) == []


def test_the_same_mail_twice(mails: MailServer, ingest: Ingest) -> None:
    twice = mail(time=None)
    mails.deliver(twice)
    mails.deliver(twice)
    assert "1 taken whose webhook was missed, 1 known" in ingest()
    mails.deliver(twice)
    ingest()
    assert Lot.objects.count() == 1
    assert mails.flags() == ["seen"] * 3


def test_dry_run_changes_nothing(post: Poster, mails: MailServer, ingest: Ingest) -> None:
    post()
    mails.deliver(mail())
    mails.deliver(mail(symbol="OTHER"))
    mails.deliver(mail("no order at all"))
    said = ingest("--dry-run", exits=1)
    assert "known: alert" in said and "its webhook has not come: Alpha on OTHER" in said
    assert "1 refused, 0 waiting; nothing was changed." in said
    assert mails.flags() == [""] * 3
    assert Entry.objects.count() == 1


def test_limit(mails: MailServer, ingest: Ingest) -> None:
    for number in range(3):
        mails.deliver(mail(symbol=f"S{number}"), ago=90 - number)
    ingest("--limit", "2")
    assert sorted(Lot.objects.values_list("symbol", flat=True)) == ["S0", "S1"]


def test_an_old_mail_is_left_alone(mails: MailServer, ingest: Ingest, settings: Settings) -> None:
    settings.MAILBOX_MAX_DAYS = 2
    mails.deliver(mail(), ago=2 * 86400 + 60)
    assert ingest().startswith("0 mails")
    assert mails.flags() == [""]
