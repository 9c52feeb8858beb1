"""The API in a browser: its page within the policy, and a token from making to using."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import barriers
from tests.browser.conftest import Tab
from tests.browser.test_overview import LOOKS, fits
from tests.server import Server


@pytest.mark.parametrize("look", LOOKS)
def test_the_page_reads_the_api(open_tab: Callable[..., Tab], server: Server, look: str) -> None:
    server.post()
    tab = open_tab(**LOOKS[look])
    page = tab.open("/api/docs/")
    path = page.locator("#operations-positions-positions_list")
    path.locator(".opblock-summary-control").click()
    path.get_by_role("button", name="Try it out").click()
    path.get_by_role("button", name="Execute").click()
    expect(path.locator(".live-responses-table")).to_contain_text('"symbol": "BINANCE:BTCUSDT"')
    assert fits(page)
    assert barriers(page) == []
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/api-{look}.png", full_page=True)
    assert tab.complaints == []


def test_a_token_is_made_and_used(open_tab: Callable[..., Tab], server: Server) -> None:
    tab = open_tab(**LOOKS["light"])
    page = tab.open("/api/docs/")
    page.get_by_role("link", name="make one").click()
    page.get_by_label("Name").fill("notebook")
    page.get_by_role("button", name="Save").click()
    token = page.locator("#api-token").inner_text()
    headers = {"Authorization": f"Token {token}"}
    assert server.page("/api/trades/", headers=headers).status == 200
    page.get_by_role("link", name="I have it").click()
    expect(page.get_by_text("notebook").first).to_be_visible()
    assert token not in page.content()
    assert tab.complaints == []
