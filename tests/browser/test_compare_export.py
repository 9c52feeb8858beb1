"""Comparing an export in a browser: upload, report, import, undo."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from tests.alerts import alert
from tests.browser.accessibility import barriers
from tests.browser.conftest import Tab
from tests.browser.test_overview import LOOKS, fits
from tests.server import Server
from tests.trades.export_files import Form, as_csv, rows
from tests.webhooks.exported_trades import FIRST, SECOND, listed
from trades.models import ImportBatch, Trade
from webhooks.models import WebhookLog


@pytest.mark.parametrize("look", LOOKS)
def test_from_the_file_to_the_import_and_back(
    open_tab: Callable[..., Tab], server: Server, look: str
) -> None:
    times = ("2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z", "2026-01-05T12:00:00Z")
    for action, price, time in zip(
        ("buy", "sell", "buy"), ("100", "110", "55"), times, strict=True
    ):
        server.post(**alert(action=action, price=price, time=time))
    server.post(**alert(price="none", time="2026-01-05T14:30:00Z"))
    still_open = listed(3, "12:00", "15:00", entry_price=Decimal(55), is_open=True)
    table = rows([FIRST, SECOND, still_open], Form("de"))
    tab = open_tab(**LOOKS[look])
    page = tab.open("/compare-export/")
    file = {"name": "liste.csv", "mimeType": "text/csv", "buffer": as_csv(table, delimiter=";")}
    page.get_by_label("List of trades").set_input_files(file)  # type: ignore[arg-type]
    # Its name stands beside it, and in no field of the form.
    expect(page.get_by_label("Symbol")).to_have_value("")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("status")).to_contain_text("2 matched, 0 differ, 1 missing here")
    failed = WebhookLog.objects.get(error_code="INVALID_PAYLOAD")
    expect(page.get_by_role("link", name=f"alert {failed.pk}", exact=True)).to_be_attached()
    assert fits(page)
    assert barriers(page) == []
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/compare-{look}.png", full_page=True)
    page.get_by_role("button", name="Import the missing trade").click()
    expect(page.get_by_text("Imported 1 trade as import")).to_be_visible()
    assert ImportBatch.objects.get().file_name == "liste.csv"
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("its trades are taken out")).to_be_visible()
    assert Trade.objects.count() == 1
    assert tab.complaints == []
