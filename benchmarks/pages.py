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
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import quote_plus, urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from tabulate import tabulate

from benchmarks.installation import SYMBOL, Installation
from benchmarks.meters import read_meter
from benchmarks.served import TRADELOG, Running, running

#: What each should stay under.
TARGET_MS = 300

_ALERTS = "/admin/webhooks/webhooklog/"
_TRADES = "/admin/trades/trade/"
_LOTS = "/admin/positions/lot/"
_ENTRIES = "/admin/wal/entry/"

#: Of the history's two years, as the Overview's address has them.
_ALL_DAYS = "from=2000-01-01&to=2100-12-31"


def _days(first: int, last: int, since: str = "from", until: str = "to") -> str:
    """From so many days ago to so many days ago, by these parameters."""
    today = datetime.now(UTC).date()
    return f"{since}={today - timedelta(days=first)}&{until}={today - timedelta(days=last)}"


_STRATEGY, _SYMBOL = "strategy=Strategy+7", f"symbol={quote_plus(SYMBOL)}"

PAGES = {
    "Overview": "/",
    "Overview of one strategy": f"/?{_STRATEGY}",
    "Overview of one symbol": f"/?{_SYMBOL}",
    "Overview of both": f"/?{_STRATEGY}&{_SYMBOL}",
    "Overview, 30 days of alerts": "/?alerts=30",
    "Overview, one day": f"/?{_days(100, 100)}",
    "Overview, a month": f"/?{_days(29, 0)}",
    "Overview, a year": f"/?{_days(364, 0)}",
    "Overview, a year that has gone by": f"/?{_days(500, 136)}",
    "Overview, all days": f"/?{_ALL_DAYS}",
    "Overview, all days, of one strategy": f"/?{_ALL_DAYS}&{_STRATEGY}",
    "Overview, all days, of one symbol": f"/?{_ALL_DAYS}&{_SYMBOL}",
    "Overview, all days, of both": f"/?{_ALL_DAYS}&{_STRATEGY}&{_SYMBOL}",
    "Overview, all days, tests included": f"/?{_ALL_DAYS}&tests=included",
    "Trades": _TRADES,
    "Trades of one strategy": f"{_TRADES}?strategy=8",
    "Trades of one direction": f"{_TRADES}?direction__exact=long",
    "Trades of no direction": f"{_TRADES}?direction__exact=short",
    "Trades by exit": f"{_TRADES}?o=1",
    "Trades by P&L": f"{_TRADES}?o=8",
    "Trades by P&L, largest first": f"{_TRADES}?o=-8",
    "Trades of a month": f"{_TRADES}?{_days(60, 30, 'exit_time__gte', 'exit_time__lt')}",
    "Trades with discrepancy": f"{_TRADES}?discrepancy=yes",
    "Trades that ended before they began": f"{_TRADES}?exit_before_entry=yes",
    "Trades with drift": f"{_TRADES}?drift=yes",
    "Trades, search": f"{_TRADES}?q=Strategy+7",
    "Trades, search for an id": f"{_TRADES}?q=cafe",
    "Trades, search for nothing there is": f"{_TRADES}?q=nowhere",
    "Trades, last page": f"{_TRADES}?p=200",
    "One trade": f"{_TRADES}150/change/",
    "Trades as CSV, of one strategy": f"{_TRADES}export/?format=csv&strategy=8",
    "Alerts": _ALERTS,
    "Alerts of one strategy": f"{_ALERTS}?{_STRATEGY}",
    "Alerts that failed": f"{_ALERTS}?status__exact=failed",
    "Alerts with drift": f"{_ALERTS}?drift__exact=1",
    "Alerts, search": f"{_ALERTS}?q=Strategy+7",
    "Alerts, search for an id": f"{_ALERTS}?q=cafe",
    "Alerts, search for nothing there is": f"{_ALERTS}?q=nowhere",
    "Alerts, last page": f"{_ALERTS}?p=200",
    "One alert": f"{_ALERTS}1/change/",
    "Positions": _LOTS,
    "Positions that are open": f"{_LOTS}?status__exact=open",
    "Positions, search for nothing there is": f"{_LOTS}?q=nowhere",
    "Positions, last page": f"{_LOTS}?p=200",
    "Write-ahead log": _ENTRIES,
    "Write-ahead log, failed": f"{_ENTRIES}?status__exact=failed",
    "Write-ahead log, search for nothing there is": f"{_ENTRIES}?q=nowhere",
    "Write-ahead log, last page": f"{_ENTRIES}?p=200",
    "Strategies": "/admin/trades/strategy/",
    "One strategy": "/admin/trades/strategy/8/change/",
    "Admin": "/admin/",
    "Alarms": "/admin/watch/alarm/",
    "Comparing an export": "/compare-export/",
    "Alert builder": "/alert-builder/",
    "API, trades": "/api/trades/",
    "API, trades of one strategy": "/api/trades/?strategy_id=8",
    "API, trades, 1000 a page": "/api/trades/?page_size=1000",
    "API, alerts": "/api/alerts/",
    "API, alerts that failed": "/api/alerts/?status=failed",
    "API, positions": "/api/positions/",
    "API, strategies": "/api/strategies/",
    "API, statistics": "/api/statistics/",
    "API, statistics of all days": f"/api/statistics/?{_ALL_DAYS}",
    "Metrics": "/metrics",
    "Ready": "/health/ready",
}

#: To a user whose days are others.
_ZONE = "America/New_York"
PAGES_ELSEWHERE = {
    "Overview in New York": "/",
    "Overview in New York, a year": f"/?{_days(364, 0)}",
    "Overview in New York, all days": f"/?{_ALL_DAYS}",
}

_USER, _PASSWORD = "bench", "a-password-for-benchmarks-alone"


@dataclass(frozen=True, slots=True)
class Page:
    """Milliseconds from the request to the answer's last byte."""

    name: str
    #: The first time it was asked for since the server started.
    first_ms: float
    #: Of the times after that: what it takes while nobody else is at work, and the usual.
    least_ms: float
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


def measure_pages(installation: Installation, *, times: int = 5, only: str = "") -> list[Page]:
    """Those with `only` in their names, asked for by one user, `times` times after the first."""
    with installation.connect() as connection:
        connection.execute(
            "DELETE FROM time_zone_preferences "
            "WHERE user_id IN (SELECT id FROM auth_user WHERE username = %s)",
            [_USER],
        )
        connection.execute("DELETE FROM auth_user WHERE username = %s", [_USER])
    installation.manage(
        *("createsuperuser", "--noinput", f"--username={_USER}", "--email=bench@example.com"),
        DJANGO_SUPERUSER_PASSWORD=_PASSWORD,
    )
    # Else it reconciles all of the history after a minute, which takes a core for long.
    with running(TRADELOG, installation, ALERT_EVERY_SECONDS="0") as now:
        site = f"http://127.0.0.1:{now.port}"
        browser = _logged_in(site)
        # Else the first page pays for what every page needs once.
        _get(browser, f"{site}/admin/trades/strategy/")
        # A server does so within its first minute.
        installation.manage("sum_up_trades")
        pages = [
            _measure(installation, now, browser, name, path, times)
            for name, path in PAGES.items()
            if only in name
        ]
        _send(browser, f"{site}/time-zone/", zone=_ZONE)
        installation.manage("sum_up_trades")
        return pages + [
            _measure(installation, now, browser, name, path, times)
            for name, path in PAGES_ELSEWHERE.items()
            if only in name
        ]


def _logged_in(site: str) -> OpenerDirector:
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    led_to = _send(browser, f"{site}/admin/login/?next=/", username=_USER, password=_PASSWORD)
    assert led_to == f"{site}/", "The log-in was refused."
    return browser


def _send(browser: OpenerDirector, url: str, **form: str) -> str:
    """Fill in the page's form; the address that it led to."""
    _, html, _ = _get(browser, url)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', html)
    assert token
    browser.addheaders = [("Referer", url)]
    with browser.open(url, urlencode({"csrfmiddlewaretoken": token[1], **form}).encode()) as answer:
        return str(answer.url)


def _get(browser: OpenerDirector, url: str) -> tuple[int, str, float]:
    begun = time.perf_counter()
    with browser.open(url) as answer:
        html = answer.read().decode()
        milliseconds = 1000 * (time.perf_counter() - begun)
        # A list that does not understand its address leads elsewhere.
        return answer.status if answer.url == url else 302, html, milliseconds


def _measure(
    installation: Installation,
    now: Running,
    browser: OpenerDirector,
    name: str,
    path: str,
    times: int,
) -> Page:
    url = f"http://127.0.0.1:{now.port}{path}"
    status, html, first = _get(browser, url)
    before = read_meter(installation, now.processes())
    again = [_get(browser, url)[2] for _ in range(times)]
    spent = read_meter(installation, now.processes()).since(before)
    return Page(
        name,
        first_ms=first,
        least_ms=min(again),
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
            f"{page.least_ms:.0f}",
            f"{page.median_ms:.0f}",
            f"{page.cpu_ms:.0f}",
            f"{page.kilobytes:.0f}",
            "" if page.status == 200 else page.status,
            "missed" if page.misses else "",
        )
        for page in pages
    ]
    return tabulate(
        rows,
        (
            "page",
            "first ms",
            "least ms",
            "median ms",
            "CPU ms",
            "KB",
            "HTTP",
            f"under {TARGET_MS} ms",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("folder", type=Path, help="a data folder that benchmarks.history made")
    parser.add_argument("--only", default="", help="pages with this in their names")
    options = parser.parse_args()
    installation = Installation(options.folder.resolve())
    print(table_of_pages(measure_pages(installation, only=options.only)))


if __name__ == "__main__":
    main()
