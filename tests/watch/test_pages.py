"""The admin's pages of alarms and notices, and what a strategy says of its alarms."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.factories import RefusalFactory, StrategyFactory, WebhookLogFactory
from tests.tradelog.pages import text_of
from tests.watch.moments import NOW
from tests.watch.receiving import SECRET, Receiver
from watch.models import Alarm, Notice
from watch.watching import Watch

LIST = reverse("admin:watch_alarm_changelist")


@pytest.fixture
def staff(databases: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    return client


def test_nothing_has_fired(staff: Client) -> None:
    assert "No alarm has fired" in text_of(staff.get(LIST))
    assert "Nobody was told anything" in text_of(
        staff.get(reverse("admin:watch_notice_changelist"))
    )
    assert f'href="{LIST}"' in staff.get("/admin/").content.decode()


def test_who_fired_when_and_who_was_told(staff: Client, receiver: Receiver) -> None:
    RefusalFactory(refused_at=NOW)
    watch = Watch()
    receiver.status = 503
    watch.look(NOW + timedelta(minutes=1))
    shown = text_of(staff.get(LIST, {"firing": "yes"}))
    assert "refused by rate" in shown and "waits for its delivery" in shown
    receiver.status = 200
    for hours in (2, 3):
        watch.look(NOW + timedelta(hours=hours))
    assert "1 alarm" not in text_of(staff.get(LIST, {"firing": "yes"}))
    assert "delivered" in text_of(staff.get(LIST, {"firing": "no"}))
    alarm = Alarm.objects.get()
    page = staff.get(reverse("admin:watch_alarm_change", args=[alarm.pk]))
    assert "2 h 59 min" in text_of(page)
    for notice in Notice.objects.all():
        address = reverse("admin:watch_notice_change", args=[notice.pk])
        assert f'href="{address}"' in page.content.decode()
        shown = text_of(staff.get(address))
        assert "were refused by rate" in shown or "Over:" in shown
        assert SECRET not in shown
    answer = staff.post(reverse("admin:watch_alarm_change", args=[alarm.pk]), {"text": "other"})
    assert answer.status_code == 403


def test_a_strategy_is_muted_on_its_page(staff: Client) -> None:
    strategy = StrategyFactory()
    path = reverse("admin:trades_strategy_change", args=[strategy.pk])
    form = {
        "enabled": "on", "default_quantity": "1", "point_value": "", "muted": "on",
        "silence_hours": "48", "failure_rate": "0.25", "tell_trades": "true",
    }  # fmt: skip
    assert staff.post(path, form).status_code == 302
    strategy.refresh_from_db()
    assert (strategy.muted, strategy.silence_hours, strategy.tell_trades) == (True, 48, True)
    assert strategy.failure_rate == Decimal("0.25")
    assert staff.post(path, {**form, "failure_rate": "2"}).status_code == 200


def test_the_overview_tells_who_is_silent(staff: Client, receiver: Receiver) -> None:
    StrategyFactory(silence_hours=1)
    StrategyFactory(name="Beta")
    WebhookLogFactory(strategy="Alpha", status="processed", received_at=NOW - timedelta(hours=2))
    Watch().look(NOW)
    assert len(receiver.taken()) == 1
    for asked, is_told in (
        ({}, True),
        ({"strategy": "Alpha"}, True),
        ({"strategy": "Beta"}, False),
    ):
        shown = text_of(staff.get("/", asked))
        assert ("Alpha has sent no alert for 2 h" in shown) == is_told, asked
