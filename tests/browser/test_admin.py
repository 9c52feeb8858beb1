"""The admin in a browser: no page breaks the content security policy, or the screen."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.urls import reverse
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django import Settings

from positions.models import Lot, Reconciliation
from tests.browser.accessibility import barriers
from tests.browser.conftest import Tab
from tests.browser.test_overview import LOOKS, fits
from tests.factories import RefusalFactory, StrategyFactory
from tests.server import Server
from trades.models import Strategy, Trade
from wal.models import Entry, Refusal
from watch.models import Alarm, Notice
from watch.watching import Watch
from webhooks.models import WebhookLog

LISTED: list[type[Model]] = [
    Trade, Lot, WebhookLog, Entry, Strategy, User, Reconciliation, Refusal, Alarm, Notice,
]  # fmt: skip


@pytest.fixture
def rows(server: Server, settings: Settings) -> None:
    """One row or more of everything, with what does not fit easily."""
    wide: dict[str, Any] = {"strategy": "A strategy with quite a long name", "symbol": "NYMEX:CL1!"}
    for order_id, fields in enumerate(
        (
            {"quantity": "12500000.5", "price": "0.0000123456789"},
            {"action": "sell", "quantity": "500000.25", "price": "0.00001", "pnl": "-1"},
            {"action": "sell", "quantity": "12000000.25", "price": "0.00002"},
            {"action": "buy", "price": "100", "prev_market_position": "short"},
            {"action": "buy", "price": "{{close}}"},
        )
    ):
        time = f"2026-01-05T15:00:0{order_id}Z"
        server.post(**{**wide, **fields}, order_id=str(order_id), time=time)
    server.post("{ no JSON")
    RefusalFactory()
    Reconciliation.objects.create(
        strategy=StrategyFactory(), symbol="BTC", findings=[{"a": 1}], before={}, after={}
    )
    settings.ALERT_URLS = "json://127.0.0.1:1/nobody-listens"
    Watch().look()


def page_of(model: type[Model], page: str = "changelist", *arguments: object) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=arguments)


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_sound(rows: None, open_tab: Callable[..., Tab], look: str) -> None:
    tab = open_tab(**LOOKS[look])
    paths = [page_of(model) for model in LISTED]
    paths += [
        page_of(model, "change", row.pk)
        for model in LISTED
        for row in model.objects.order_by("-pk")[:2]  # type: ignore[attr-defined]
    ]
    paths += ["/admin/", "/admin/password_change/", "/time-zone/", page_of(Strategy, "add")]
    paths += [page_of(Trade) + "?q=nothing", page_of(WebhookLog) + "?status__exact=rejected"]
    for path in paths:
        page = tab.open(path)
        expect(page.locator("#nav-sidebar")).to_have_count(1)
        for summary in page.locator("main details > summary, .story details > summary").all():
            summary.click()
        assert fits(page), path
        assert barriers(page) == [], path
        assert tab.complaints == [], path
        assert (page.locator("html.dark").count() == 1) == (look == "dark")


def test_logging_in_leads_to_the_overview(
    databases: None, chromium: Browser, server: Server
) -> None:
    User.objects.create_superuser("trader", password="correct-horse-battery")
    page = chromium.new_page(base_url=f"http://127.0.0.1:{server.port}")
    try:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/", wait_until="networkidle")
        page.get_by_label("Username").fill("trader")
        page.get_by_label("Password").fill("correct-horse-battery")
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_title(re.compile("Overview"))
        page.get_by_role("link", name="Trades", exact=True).first.click()
        expect(page.get_by_text("No trades yet")).to_be_visible()
        assert complaints == []
    finally:
        page.close()


def test_filters_are_chosen_and_taken_back(rows: None, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(**LOOKS["light"])
    page = tab.open(page_of(Trade))
    number = Trade.objects.count()
    expect(page.locator("#result_list tbody")).to_have_count(number)
    page.locator("a", has_text="Filters").click()
    page.get_by_label("By direction").locator("..").locator(".select2-selection").click()
    page.get_by_role("option", name="short").click()
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"\?direction__exact=short$"))
    expect(page.locator("#result_list tbody")).to_have_count(
        Trade.objects.filter(direction="short").count()
    )
    page.get_by_role("link", name="Show all").first.click()
    expect(page.locator("#result_list tbody")).to_have_count(number)
    assert tab.complaints == []


def test_the_theme_is_kept(rows: None, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(**LOOKS["light"])
    page = tab.open(page_of(Trade))
    page.locator("#nav-sidebar").get_by_text("trader", exact=True).click()
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html.dark")).to_have_count(1)
    page = tab.open(page_of(WebhookLog))
    expect(page.locator("html.dark")).to_have_count(1)
    assert tab.complaints == []


def test_the_sidebar_opens_on_a_phone(rows: None, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(**LOOKS["phone"])
    page = tab.open(page_of(Trade))
    link = page.locator("#nav-sidebar").get_by_role("link", name="Alerts", exact=True)
    expect(link).not_to_be_visible()
    _sidebar_button(page).click()
    link.click()
    expect(page).to_have_url(re.compile(page_of(WebhookLog)))
    assert tab.complaints == []


def test_the_sidebar_is_put_away_for_good(rows: None, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(color_scheme="light", viewport={"width": 1440, "height": 900})
    page = tab.open(page_of(Trade))
    link = page.locator("#nav-sidebar").get_by_role("link", name="Alerts", exact=True)
    expect(link).to_be_visible()
    _sidebar_button(page).click()
    expect(link).not_to_be_visible()
    page = tab.open(page_of(WebhookLog))
    expect(link).not_to_be_visible()
    assert tab.complaints == []


def test_a_card_hides_nothing_on_a_phone(rows: None, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(**LOOKS["phone"])
    for model in (Trade, Lot, WebhookLog, Entry):
        page = tab.open(page_of(model))
        cells = page.locator("#result_list tr.data-row > :is(td, th)")
        assert cells.count()
        hidden = "cells => cells.filter(one => one.scrollHeight > one.clientHeight + 1).length"
        assert cells.evaluate_all(hidden) == 0, model


def _sidebar_button(page: Page) -> Locator:
    return page.get_by_role("button", name="sidebar")
