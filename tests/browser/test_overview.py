"""The Overview in a browser: its charts draw, in both themes and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import barriers
from tests.browser.conftest import Tab
from tests.factories import StrategyFactory, TradeFactory, WebhookLogFactory

NOW = datetime.now(UTC)

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}

#: How many pixels of each canvas have been painted.
PAINTED = """() => [...document.querySelectorAll('.plot canvas')].map((canvas) => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let place = 3; place < data.length; place += 4) painted += data[place] > 0;
  return painted;
})"""


@pytest.fixture
def trades(databases: None) -> None:
    strategies = [StrategyFactory(name=name) for name in ("Alpha", "Beta with a longer name")]
    for number in range(60):
        TradeFactory(
            strategy=strategies[number % 2],
            exit_time=NOW - timedelta(days=3 * number, hours=number % 5),
            pnl=Decimal(number % 7 - 3) * Decimal("123.4567"),
            currency="USD" if number % 4 else "EUR",
        )
        WebhookLogFactory(
            received_at=NOW - timedelta(hours=2 * number),
            status="failed" if number % 20 == 0 else "processed",
        )


def painted(page: Page) -> list[int]:
    found: list[int] = page.evaluate(PAINTED)
    return found


def fits(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("look", LOOKS)
def test_its_charts_draw(trades: None, open_tab: Callable[..., Tab], look: str) -> None:
    tab = open_tab(**LOOKS[look])
    page = tab.open("/")
    expect(page.locator(".plot canvas")).to_have_count(3)
    assert min(painted(page)) > 1000
    assert fits(page)
    assert barriers(page) == []
    expect(page.locator(".verdict")).to_contain_text("3 alerts failed")
    # The latest figures stand in the legend while nothing is pointed at.
    latest = page.locator(".u-legend .u-value")
    expect(latest.nth(1)).to_have_text(re.compile(r"^−?[\d,]+\.\d\d$"))
    expect(latest.last).to_have_text(re.compile(r"^\d+$"))
    for details in page.locator("details > summary").all():
        details.click()
    assert fits(page)
    assert barriers(page) == []
    assert tab.complaints == []


def test_charts_follow_the_theme_and_the_window(trades: None, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(**LOOKS["light"])
    page = tab.open("/")
    canvas = page.locator(".plot canvas").first
    expect(canvas).to_be_visible()
    before: str = canvas.evaluate("canvas => canvas.toDataURL()")
    page.emulate_media(color_scheme="dark")
    page.evaluate("document.documentElement.classList.add('dark')")
    page.wait_for_function(
        "before => document.querySelector('.plot canvas').toDataURL() !== before", arg=before
    )
    width = page.locator(".plot").first.evaluate("plot => plot.clientWidth")
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_function(
        "before => document.querySelector('.plot .uplot').clientWidth < before", arg=width
    )
    assert min(painted(page)) > 500
    assert tab.complaints == []


def test_it_is_narrowed_down_by_clicks(trades: None, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(**LOOKS["light"])
    page = tab.open("/")
    page.locator(".currencies a", has_text="EUR").click()
    expect(page.locator(".numbers .main dt").first).to_have_text("Net P&L, EUR")
    page.locator(".calendar tbody td a").last.click()
    expect(page.locator(".filters .chosen")).to_contain_text("All strategies")
    assert "from=" in page.url and "currency=EUR" in page.url
    page.locator(".filters summary").click()
    page.select_option("#strategy", "Beta with a longer name")
    page.fill("#from", "2020-01-01")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".filters .chosen")).to_contain_text("Beta with a longer name")
    assert "strategy=Beta" in page.url
    assert tab.complaints == []


def test_the_browsers_zone_is_offered(open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(**LOOKS["phone"], timezone_id="Asia/Tokyo")
    page = tab.open("/time-zone/")
    page.get_by_role("button", name="Use this browser's: Asia/Tokyo").click()
    expect(page.get_by_text("Times are shown in Asia/Tokyo.")).to_be_visible()
    assert fits(page)
    assert barriers(page) == []
    assert tab.complaints == []
