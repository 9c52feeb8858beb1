"""How long the pages take that people look at.

.venv/bin/python -m benchmarks.pages FOLDER
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from tabulate import tabulate

from benchmarks.installation import Installation
from benchmarks.meters import read_meter
from benchmarks.served import TRADELOG, Running, running

#: What each should stay under.
TARGET_MS = 300

_ALERTS = "/admin/webhooks/webhooklog/"
_TRADES = "/admin/trades/trade/"
_LOTS = "/admin/positions/lot/"
_ENTRIES = "/admin/wal/entry/"

PAGES = {
    "Overview": "/",
    "Overview of one strategy": "/?strategy=Strategy+7",
    "Overview, all days": "/?from=2000-01-01&to=2100-12-31",
    "Trades": _TRADES,
    "Trades of one strategy": f"{_TRADES}?strategy=Strategy+7",
    "Trades by P&L": f"{_TRADES}?o=8",
    "Trades, search": f"{_TRADES}?q=Strategy+7",
    "Trades, page 100": f"{_TRADES}?p=100",
    "Alerts": _ALERTS,
    "Alerts of one strategy": f"{_ALERTS}?strategy=Strategy+7",
    "Alerts that failed": f"{_ALERTS}?status__exact=failed",
    "Alerts, search": f"{_ALERTS}?q=Strategy+7",
    "Alerts, page 100": f"{_ALERTS}?p=100",
    "One alert": f"{_ALERTS}1/change/",
    "Positions": _LOTS,
    "Positions that are open": f"{_LOTS}?status__exact=open",
    "Write-ahead log": _ENTRIES,
    "Write-ahead log, failed": f"{_ENTRIES}?status__exact=failed",
    "Strategies": "/admin/trades/strategy/",
}

_USER, _PASSWORD = "bench", "a-password-for-benchmarks-alone"


@dataclass(frozen=True, slots=True)
class Page:
    """Milliseconds from the request to the answer's last byte."""

    name: str
    #: The first time it was asked for since the server started.
    first_ms: float
    median_ms: float
    #: The server's and PostgreSQL's together; what others do at the same time does not count.
    cpu_ms: float
    status: int
    kilobytes: float

    @property
    def misses(self) -> bool:
        return self.median_ms > TARGET_MS or self.status != 200

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def measure_pages(installation: Installation, *, times: int = 5) -> list[Page]:
    """Every page, asked for by one user, `times` times after the first."""
    with installation.connect() as connection:
        connection.execute("DELETE FROM auth_user WHERE username = %s", [_USER])
    installation.manage(
        *("createsuperuser", "--noinput", f"--username={_USER}", "--email=bench@example.com"),
        DJANGO_SUPERUSER_PASSWORD=_PASSWORD,
    )
    with running(TRADELOG, installation) as now:
        site = f"http://127.0.0.1:{now.port}"
        browser = _logged_in(site)
        # Else the first page pays for what every page needs once.
        _get(browser, f"{site}/admin/trades/strategy/")
        return [_measure(installation, now, browser, name, times) for name in PAGES]


def _logged_in(site: str) -> OpenerDirector:
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    _, html, _ = _get(browser, f"{site}/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', html)
    assert token
    form = {"csrfmiddlewaretoken": token[1], "username": _USER, "password": _PASSWORD}
    browser.addheaders.append(("Referer", f"{site}/admin/login/"))
    with browser.open(f"{site}/admin/login/?next=/", urlencode(form).encode()) as answer:
        assert answer.url == f"{site}/", "The log-in was refused."
    return browser


def _get(browser: OpenerDirector, url: str) -> tuple[int, str, float]:
    begun = time.perf_counter()
    with browser.open(url) as answer:
        html = answer.read().decode()
        milliseconds = 1000 * (time.perf_counter() - begun)
        # A list that does not understand its address leads elsewhere.
        return answer.status if answer.url == url else 302, html, milliseconds


def _measure(
    installation: Installation, now: Running, browser: OpenerDirector, name: str, times: int
) -> Page:
    url = f"http://127.0.0.1:{now.port}{PAGES[name]}"
    status, html, first = _get(browser, url)
    before = read_meter(installation, now.processes())
    again = [_get(browser, url)[2] for _ in range(times)]
    spent = read_meter(installation, now.processes()).since(before)
    return Page(
        name,
        first_ms=first,
        median_ms=statistics.median(again),
        cpu_ms=1000 * (spent.server_cpu + spent.database_cpu) / times,
        status=status,
        kilobytes=len(html) / 1000,
    )


def table_of_pages(pages: Sequence[Page]) -> str:
    rows = [
        (
            page.name,
            f"{page.first_ms:.0f}",
            f"{page.median_ms:.0f}",
            f"{page.cpu_ms:.0f}",
            f"{page.kilobytes:.0f}",
            "" if page.status == 200 else page.status,
            "missed" if page.misses else "",
        )
        for page in pages
    ]
    return tabulate(
        rows, ("page", "first ms", "median ms", "CPU ms", "KB", "HTTP", f"under {TARGET_MS} ms")
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("folder", type=Path, help="a data folder that benchmarks.history made")
    options = parser.parse_args()
    installation = Installation(options.folder.resolve())
    print(table_of_pages(measure_pages(installation)))


if __name__ == "__main__":
    main()
