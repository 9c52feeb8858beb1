"""Addresses of lists that ask for what cannot be: the list is shown, as the admin does it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from tests.factories import EntryFactory, TradeFactory
from trades.models import Trade

#: Of trades.
CANNOT_BE = [
    {"foo": "bar"},
    {"exit_time__gte": "zz"},
    {"exit_time__year": "abc"},
    {"exit_time__year": "9999"},
    {"exit_time__year": "9999", "exit_time__month": "12", "exit_time__day": "31"},
    {"exit_time__year__gt": "10000"},
    {"id__exact": "abc"},
    {"id__range": "1"},
    {"id__range": "123"},
    {"pnl__gte": "1e400000"},
    {"direction__exact": "\0"},
    {"symbol__contains": "\0"},
    {"symbol__regex": "("},
    {"q": "#" + "9" * 5000},
]


@pytest.mark.parametrize("asked", CANNOT_BE, ids=str)
def test_what_cannot_be_leads_to_the_list(staff: Client, asked: dict[str, str]) -> None:
    trade = TradeFactory()
    listed = reverse("admin:trades_trade_changelist")
    for path, form in ((listed, {}), (reverse("admin:trades_trade_export"), {"format": "csv"})):
        answer = staff.get(path, {**form, **asked}, follow=True)
        assert answer.redirect_chain == [(f"{listed}?e=1", 302)]
        assert list(answer.context["cl"].result_list) == [trade]


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("positions_lot", {"entry_time__year": "9999"}),
        ("webhooks_webhooklog", {"received_at__year": "9999"}),
        ("wal_entry", {"received_at__year": "9999"}),
        ("wal_entry", {"received_at__gte": "9999-12-31T23:59:59-12:00"}),
        ("trades_importbatch", {"imported_at__year": "9999"}),
        ("positions_reconciliation", {"happened_at__year": "9999"}),
        ("trades_strategy", {"name__contains": "\0"}),
        ("wal_entry", {"q": "#" + "9" * 5000}),
        ("auth_user", {"username__contains": "\0"}),
    ],
)
def test_every_list_takes_every_address(staff: Client, listed: str, asked: Any) -> None:
    EntryFactory()
    path = reverse(f"admin:{listed}_changelist")
    answer = staff.get(path, asked, follow=True)
    assert answer.redirect_chain == [(f"{path}?e=1", 302)]
    assert answer.status_code == 200


def test_a_month_that_cannot_be_has_no_rows(staff: Client) -> None:
    TradeFactory()
    answer = staff.get(reverse("admin:trades_trade_changelist"), {"exit_time__month": "9" * 30})
    assert answer.status_code == 200
    assert list(answer.context["cl"].result_list) == []


@pytest.mark.parametrize("address", ["", "?e=1"])
def test_a_fault_of_ours_is_not_taken_for_one_of_the_address(
    staff: Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def broken(*given: Any) -> None:
        raise ValueError("ours")

    monkeypatch.setattr("audit.searching.BookAdmin.get_search_results", broken)
    with pytest.raises(ValueError, match="ours"):
        staff.get(reverse("admin:trades_trade_changelist") + address)


def test_rows_have_no_page_outside_the_admin(staff: Client) -> None:
    trade = TradeFactory()
    of_trades = ContentType.objects.get_for_model(Trade).pk
    without_table = ContentType.objects.get(model="webhooktoken")
    for kind in (of_trades, without_table.pk, "x"):
        answer = staff.get(f"/admin/r/{kind}/{trade.pk}/")
        assert answer.status_code == 404
        assert "There is nothing here" in answer.content.decode()
