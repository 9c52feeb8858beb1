"""`make screenshots`: the pictures in docs/images, of a fresh installation that was sent the
recorded session.

To it come an alert that nobody can read, and a list of trades as TradingView exports it with
the trade that this alert lost, since both pages are about what went wrong.
"""

# ruff: noqa: E402

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import django

# Before Django's settings are read: a data folder and secrets of its own.
import tests.environment

django.setup()

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

from tests.browser.chromium import NAMES, installed, launch
from tests.installation import done, manage, with_embedded_server
from tests.server import ROOT, Server
from tests.trades.demo_list import demo_list
from tests.trades.export_files import Form, Listed, as_csv, rows
from tradelog import session

IMAGES: Final = ROOT / "docs" / "images"
_NAME, _PASSWORD = "trader", "a-password-for-pictures"

#: The whole of the recorded session: by itself the Overview shows its last year.
_WHOLE = "/?from=2015-06-30&to=2024-12-31"

_SYMBOL = "BITSTAMP:BTCUSD"
_LOST = Listed(
    23,
    "long",
    Decimal(10),
    datetime.fromisoformat("2025-03-31"),
    Decimal(82550),
    datetime.fromisoformat("2025-06-30"),
    Decimal(107150),
)
_UNREADABLE: dict[str, Any] = {
    "strategy": session.STRATEGY,
    "symbol": _SYMBOL,
    "action": "buy",
    "quantity": "10",
    "price": "{{strategy.order.price}}",
    "time": "2025-03-31T00:00:00Z",
    "order_id": "x",
}
_REVERSAL = f"""{{
  "strategy": "{session.STRATEGY}",
  "symbol": "{_SYMBOL}",
  "action": "sell",
  "quantity": "10",
  "price": "93450.5",
  "market_position": "short",
  "market_position_size": "10"
}}"""


@dataclass(frozen=True)
class Picture:
    """A page and how much of it is shown, from its top."""

    name: str
    path: str
    height: int
    width: int = 1280
    color_scheme: str = "light"
    #: What is done on the page before.
    prepare: Callable[[Page], None] = lambda page: None


def _open_message(page: Page) -> None:
    page.get_by_text("The message, its token cut out").first.click()


def _read_message(page: Page) -> None:
    page.fill("#id_message", _REVERSAL)
    page.get_by_role("button", name="Read it").click()
    page.locator(".result").wait_for()
    # The message and what is read of it; above them are the messages to copy.
    page.mouse.wheel(0, 10_000)


def _compare(page: Page) -> None:
    table = rows([_with_pnl(trade) for trade in (*demo_list(), _LOST)], Form())
    file: FilePayload = {
        "name": "list-of-trades.csv",
        "mimeType": "text/csv",
        "buffer": as_csv(table),
    }
    page.get_by_label("List of trades").set_input_files(file)
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("status").wait_for()


#: While everything is logged.
BEFORE: Final = (
    Picture("overview", _WHOLE, height=1520),
    Picture("overview-phone", _WHOLE, height=1330, width=390, color_scheme="dark"),
    Picture("trades", "/admin/trades/trade/", height=860),
    Picture("trade", "/admin/trades/trade/1/change/", height=1440, prepare=_open_message),
)
#: Once an alert was lost.
AFTER: Final = (
    Picture("alerts", "/admin/webhooks/webhooklog/", height=700),
    Picture("alert-builder", "/alert-builder/", height=1000, prepare=_read_message),
    Picture("compare-export", "/compare-export/", height=1010, prepare=_compare),
)


def take(browser: Browser, server: Server, folder: Path) -> None:
    """All pictures, of a server that was sent the session; says which it made."""
    base = f"http://127.0.0.1:{server.port}"
    context = browser.new_context(base_url=base)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill(_NAME)
    page.get_by_label("Password").fill(_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{base}/")
    known = context.storage_state()
    context.close()
    for pictures in (BEFORE, AFTER):
        for picture in pictures:
            context = browser.new_context(
                base_url=base,
                storage_state=known,
                color_scheme=picture.color_scheme,  # type: ignore[arg-type]
                viewport={"width": picture.width, "height": picture.height},
            )
            page = context.new_page()
            page.goto(picture.path, wait_until="networkidle")
            picture.prepare(page)
            page.wait_for_load_state("networkidle")
            file = folder / f"{picture.name}.png"
            _write(page.screenshot(animations="disabled"), file)
            print(f"{file.relative_to(ROOT)}  {file.stat().st_size // 1000} kB", flush=True)
            context.close()
        if pictures is BEFORE:
            assert server.post(body=None, **_UNREADABLE).http == 400


def _write(picture: bytes, file: Path) -> None:
    """With 256 colours, which is enough for pages and a third of the size."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


def _with_pnl(trade: Listed) -> Listed:
    """TradingView's list tells each trade's P&L; the recorded one leaves it out."""
    gain = (trade.exit_price - trade.entry_price) * trade.quantity
    return replace(trade, pnl=gain if trade.direction == "long" else -gain)


def main() -> int:
    program = installed()
    if program is None:
        print(f"No browser: none of {', '.join(NAMES)} is installed.", file=sys.stderr)
        return 1
    folder = Path(os.environ["TRADELOG_DATA"])
    place = with_embedded_server(folder)
    IMAGES.mkdir(exist_ok=True)
    try:
        with Server(**place) as server, sync_playwright() as playwright:
            url = f"http://127.0.0.1:{server.port}/webhook/{tests.environment.TOKEN}/"
            done(manage("demo", "--url", url, **place))
            user = {"DJANGO_SUPERUSER_PASSWORD": _PASSWORD}
            done(manage(
                "createsuperuser", "--noinput", "--username", _NAME,
                "--email", "trader@example.com", **place, **user,
            ))  # fmt: skip
            browser = launch(playwright, program)
            take(browser, server, IMAGES)
            browser.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
