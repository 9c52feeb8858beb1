"""A Chromium that is installed, and pages in it, logged in to a real server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.chromium import NAMES, installed, launch
from tests.server import Server

# Playwright keeps an event loop in this thread, and Django then refuses to ask a database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Left out where there is none."""
    program = installed()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        browser = launch(playwright, program)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page of the server's, and everything its console complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def open(self, path: str) -> Page:
        self.page.goto(path, wait_until="networkidle")
        return self.page


@pytest.fixture
def open_tab(chromium: Browser, server: Server) -> Iterator[Callable[..., Tab]]:
    """`open_tab(color_scheme="dark", ...)`: a tab of a superuser's, by Playwright's options."""
    client = Client()
    user, _ = User.objects.get_or_create(username="trader", is_staff=True, is_superuser=True)
    client.force_login(user)
    base = f"http://127.0.0.1:{server.port}"
    contexts = []

    def make(**options: Any) -> Tab:
        context = chromium.new_context(base_url=base, **options)
        contexts.append(context)
        cookie = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": base}])
        context.set_default_timeout(20_000)
        return Tab(context.new_page())

    yield make
    for context in contexts:
        context.close()
