"""A trade's story in a browser: from the list to its alerts, its arithmetic, its correction."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import barriers
from tests.browser.conftest import Tab
from tests.browser.test_overview import LOOKS, fits
from tests.environment import TOKEN
from tests.server import Server
from trades.models import Correction, Strategy, Trade


@pytest.mark.parametrize("look", LOOKS)
def test_it_tells_all_and_is_corrected(
    server: Server, open_tab: Callable[..., Tab], look: str
) -> None:
    server.post(quantity="2", token=TOKEN, path="/webhook/")
    server.post(
        action="sell", quantity="2", price="110", pnl="25", commission="0.5",
        time="2026-01-05T15:00:00Z",
    )  # fmt: skip
    trade = Trade.objects.get()
    tab = open_tab(**LOOKS[look])
    page = tab.open("/admin/trades/trade/")
    page.locator("#result_list").get_by_role("link", name=str(trade.pk), exact=True).first.click()
    story = page.locator(".story .timeline")
    for heading in ("Entry alert", "entered", "Exit alert", "closed", "P&L", "Reported P&L"):
        expect(story.get_by_role("heading", name=heading).first).to_be_visible()
    expect(story).to_contain_text("Receipt to effect")
    page.get_by_text("As it came").first.click()
    expect(story.locator("pre:visible")).to_contain_text('"price": "100"')
    assert TOKEN not in page.content()
    expect(story.locator(".sum").first).to_contain_text("= 19.5")
    expect(story).to_contain_text("marked with a discrepancy of 5.5")

    page.get_by_role("link", name="Correct it").click()
    page.get_by_label("Exit price").fill("108.5")
    page.get_by_role("button", name="Correct the trade").click()
    expect(page.get_by_text("Say why")).to_be_visible()
    assert fits(page)
    assert barriers(page) == []
    page.get_by_label("Why").fill("The broker filled it lower.")
    # Opened again by its error, the form still has what was typed.
    expect(page.get_by_label("Exit price")).to_have_value("108.5")
    page.get_by_role("button", name="Correct the trade").click()
    expect(page.locator(".headline .result")).to_contain_text("+19.5 +16.5")
    expect(story).to_contain_text("The broker filled it lower.")
    assert Correction.objects.get().pnl == 16.5
    assert fits(page)
    assert barriers(page) == []
    # The 400 that the form without a reason was answered with.
    assert [one for one in tab.complaints if "400 (Bad Request)" not in one] == []


@pytest.mark.parametrize("look", LOOKS)
def test_point_values_are_corrected_from_the_list(
    server: Server, open_tab: Callable[..., Tab], look: str
) -> None:
    for minute in ("31", "32"):
        server.post(symbol="NYMEX:NG1!", price="3.1", time=f"2026-01-05T14:{minute}:00Z")
        server.post(
            action="sell", symbol="NYMEX:NG1!", price="3.2", time=f"2026-01-05T14:{minute}:30Z"
        )
    Strategy.objects.update(point_value=10_000)
    tab = open_tab(**LOOKS[look])
    page = tab.open("/admin/trades/trade/")
    page.locator("#action-toggle").check()
    page.get_by_label("Select action to run").select_option("revalue")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("table.rows")).to_contain_text("+2,000")
    assert fits(page)
    assert barriers(page) == []
    page.get_by_label("Why").fill("Natural gas is 10,000 a point.")
    page.get_by_role("button", name="Correct 2 trades").click()
    expect(page.get_by_text("2 trades are corrected.")).to_be_visible()
    assert [each.pnl for each in Correction.objects.all()] == [1000, 1000]
    assert tab.complaints == []
