"""The admin's pages: the audit trail is read, never written; entries are replayed."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from positions.models import Lot, Reconciliation
from tests.alerts import Poster
from tests.factories import RefusalFactory
from trades.models import Strategy, Trade
from wal.models import Entry, Refusal
from webhooks.models import WebhookLog

AUDIT_TRAIL = [Trade, Lot, WebhookLog, Entry, Refusal, Reconciliation]


def url(model: type, page: str, *arguments: object) -> str:
    meta = model._meta  # type: ignore[attr-defined]
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=arguments)


@pytest.fixture
def staff(post: Poster) -> Client:
    """Logged in as one who may do anything, after one whole trade."""
    post(quantity="1.50")
    post(action="exit", quantity=None, price="110", time="2026-01-05T15:00:00Z")
    RefusalFactory()
    Reconciliation.objects.create(
        strategy=Strategy.objects.get(), symbol="BTC", findings=[], before={}, after={}
    )
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    return client


@pytest.mark.parametrize("model", AUDIT_TRAIL)
def test_pages_show(staff: Client, model: type) -> None:
    row = model.objects.latest("id")  # type: ignore[attr-defined]
    for page in (url(model, "changelist") + "?q=BTC", url(model, "change", row.pk)):
        answer = staff.get(page)
        assert answer.status_code == 200
        assert "Save" not in answer.content.decode()


def test_a_reconciliation_without_a_strategy_shows(staff: Client) -> None:
    row = Reconciliation.objects.create(symbol="", findings=[], before={}, after={})
    for page in (url(Reconciliation, "changelist"), url(Reconciliation, "change", row.pk)):
        assert staff.get(page).status_code == 200


@pytest.mark.parametrize("model", AUDIT_TRAIL)
def test_nobody_adds_edits_or_deletes(staff: Client, model: type) -> None:
    row = model.objects.latest("id")  # type: ignore[attr-defined]
    assert staff.get(url(model, "add")).status_code == 403
    assert staff.post(url(model, "change", row.pk), {"quantity": "9"}).status_code == 403
    assert staff.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    staff.post(url(model, "changelist"), chosen)
    assert model.objects.filter(pk=row.pk).exists()  # type: ignore[attr-defined]


def test_a_trade_leads_to_everything_that_made_it(staff: Client) -> None:
    trade, lot = Trade.objects.get(), Lot.objects.get()
    page = staff.get(url(Trade, "change", trade.pk)).content.decode()
    entered, left = WebhookLog.objects.order_by("id")
    for row in (lot, entered, left):
        assert url(type(row), "change", row.pk) in page
    arithmetic = re.sub(r"<[^>]+>|\s+", " ", page[page.index('class="sum"') :])
    for line in ("110 exit price", "− 100 entry price = 10", "× 1.5 contracts = 15", "+15"):
        assert line in re.sub(" +", " ", arithmetic)
    alert = staff.get(url(WebhookLog, "change", left.pk)).content.decode()
    assert url(Entry, "change", Entry.objects.latest("id").pk) in alert
    assert url(Trade, "change", trade.pk) in alert


def test_a_refusal_names_its_book(staff: Client) -> None:
    RefusalFactory(book="")
    page = staff.get(url(Refusal, "changelist")).content.decode()
    assert "Alpha on BINANCE:BTCUSDT" in page and "the alert told none" in page


def test_chosen_entries_are_replayed(staff: Client) -> None:
    entry = Entry.objects.latest("id")
    Entry.objects.filter(pk=entry.pk).update(status="pending", webhook_log_id=None)
    chosen = {"action": "replay_entries", "_selected_action": [entry.pk]}
    answer = staff.post(url(Entry, "changelist"), chosen, follow=True)
    assert f"Entry {entry.pk}: completed." in answer.content.decode()
    entry.refresh_from_db()
    assert entry.status == "completed"
    assert Trade.objects.count() == 1


def test_who_may_only_look_cannot_replay(staff: Client) -> None:
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_entry"))
    staff.force_login(looker)
    Entry.objects.update(status="pending")
    chosen = {"action": "replay_entries", "_selected_action": [Entry.objects.latest("id").pk]}
    staff.post(url(Entry, "changelist"), chosen)
    assert set(Entry.objects.values_list("status", flat=True)) == {"pending"}


def test_a_strategys_point_value_is_set_here(staff: Client, post: Poster) -> None:
    strategy = Strategy.objects.get()
    form = {"enabled": "on", "default_quantity": "1", "point_value": "12.5"}
    assert staff.post(url(Strategy, "change", strategy.pk), form).status_code == 302
    strategy.refresh_from_db()
    assert str(strategy.point_value) == "12.5"
