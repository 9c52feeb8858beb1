"""The alert builder in a browser: what is copied, what is shown, what is tried."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import barriers
from tests.browser.conftest import Tab
from tests.browser.test_overview import LOOKS, fits
from tests.environment import TOKEN
from tradelog.alert_messages import ALERT_MESSAGE
from webhooks.models import WebhookLog

MAY_COPY = ["clipboard-read", "clipboard-write"]

#: As over plain http on another machine, where a browser has no clipboard for pages.
NO_CLIPBOARD = "Object.defineProperty(window, 'isSecureContext', {value: false})"


def copied(page: Page) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


@pytest.mark.parametrize("has_clipboard", [True, False], ids=["https", "plain http"])
def test_the_message_and_the_url_are_copied(
    open_tab: Callable[..., Tab], has_clipboard: bool
) -> None:
    tab = open_tab(**LOOKS["light"], permissions=MAY_COPY)
    if not has_clipboard:
        tab.page.add_init_script(NO_CLIPBOARD)
    page = tab.open("/alert-builder/")
    copies = page.get_by_role("button", name="Copy")
    copies.nth(1).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert copied(page) == ALERT_MESSAGE
    page.locator(".address").get_by_role("button", name="Copy").click()
    expect(page.locator(".address").get_by_role("button", name="Copied")).to_be_visible()
    assert copied(page).endswith(f"/webhook/{TOKEN}/")
    # Copying shows it to nobody who looks over the shoulder.
    assert TOKEN not in page.content()
    assert tab.complaints == []


@pytest.mark.parametrize("has_clipboard", [True, False], ids=["https", "plain http"])
def test_an_empty_list_has_the_message_to_copy(
    open_tab: Callable[..., Tab], has_clipboard: bool
) -> None:
    tab = open_tab(**LOOKS["phone"], permissions=MAY_COPY)
    if not has_clipboard:
        tab.page.add_init_script(NO_CLIPBOARD)
    page = tab.open("/admin/trades/trade/")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert copied(page) == ALERT_MESSAGE
    assert fits(page)
    assert barriers(page) == []
    assert tab.complaints == []


@pytest.mark.parametrize("look", LOOKS)
def test_from_the_url_to_a_test_in_the_log(open_tab: Callable[..., Tab], look: str) -> None:
    tab = open_tab(**LOOKS[look])
    page = tab.open("/alert-builder/?case=indicator&strategy=Gamma")
    url = page.locator("#webhook-url")
    expect(url).to_contain_text("••••••••")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(url).to_contain_text(TOKEN)
    page.get_by_role("button", name="Hide", exact=True).click()
    expect(url).not_to_contain_text(TOKEN)

    page.get_by_role("button", name="Try it below").first.click()
    expect(page.locator("#id_message")).to_have_value(page.locator("#message-1").inner_text())
    page.get_by_role("button", name="Read it").click()
    expect(page.locator(".result")).to_contain_text("Now it would open a position")
    assert not WebhookLog.objects.exists()
    page.get_by_role("button", name="Send it as a test").click()
    expect(page.locator(".result")).to_contain_text("answered 200: processed")
    log = WebhookLog.objects.get()
    assert log.is_test and log.strategy == "Gamma"
    assert fits(page)
    assert barriers(page) == []
    page.get_by_role("link", name=f"Alert {log.pk} in the log").click()
    expect(page).to_have_url(
        f"{page.url.split('/admin')[0]}/admin/webhooks/webhooklog/{log.pk}/change/"
    )
    assert tab.complaints == []
