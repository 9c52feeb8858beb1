"""Which pages staff may open: those of which they may view all, as in the lists and the API."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.alerts import Poster
from tests.factories import TradeFactory
from tests.tradelog.api import staff_who_may
from tests.tradelog.pages import text_of
from trades.models import Trade
from wal.models import Entry

ALERTS = "/admin/webhooks/webhooklog/"
#: Permissions, and how the admin names them.
OF_THE_LOG = {
    "trades.view_trade": "Trades | trade | Can view trade",
    "positions.view_lot": "Positions | position lot | Can view position lot",
    "webhooks.view_webhooklog": "Alerts | alert | Can view alert",
    "wal.view_entry": "Write-ahead log | log entry | Can view log entry",
    "wal.view_refusal": "alert refused by rate | Can view alert refused by rate",
}
#: By path, those to view what stands there.
SHOWN = {
    "/": {**OF_THE_LOG, "watch.view_alarm": "Watch | alarm | Can view alarm"},
    "/compare-export/": {
        **OF_THE_LOG,
        "trades.view_importbatch": "Trades | import | Can view import",
    },
    "/correct-trade/7/": {
        "trades.view_trade": "Trades | trade | Can view trade",
        "trades.add_correction": "Trades | correction | Can add correction",
    },
}


def logged_in(*permissions: str, name: str = "looker") -> Client:
    client = Client()
    client.force_login(staff_who_may(*permissions, name=name))
    return client


def sidebar(client: Client, path: str) -> list[str]:
    """Where the sidebar of a page leads."""
    _, _, rest = client.get(path).content.decode().partition('id="nav-sidebar-apps"')
    return re.findall(r'<a href="([^"]*)"', rest.partition("</nav>")[0].partition("<nav")[0])


@pytest.mark.parametrize("path", SHOWN)
def test_a_page_is_for_who_may_view_all_that_is_on_it(databases: None, path: str) -> None:
    TradeFactory(id=7, symbol="SECRET")
    nobody = logged_in(name="nobody")
    for answer in (nobody.get(path), nobody.get(path, {"symbol": "SECRET"}), nobody.post(path)):
        assert answer.status_code in (403, 405) and "SECRET" not in answer.content.decode()
    text = text_of(nobody.get(path))
    assert "Your user lacks these permissions:" in text
    assert all(named in text for named in SHOWN[path].values())

    assert logged_in(*SHOWN[path], name="all").get(path).status_code == 200
    for lacking, named in SHOWN[path].items():
        others = [permission for permission in SHOWN[path] if permission != lacking]
        answer = logged_in(*others, name=f"all but {lacking}").get(path)
        assert answer.status_code == 403
        assert f"{named} Whoever runs" in text_of(answer)
        assert "Your user lacks this permission:" in text_of(answer)
        assert "no-store" in answer.headers["Cache-Control"]


#: What a page tells by the permission to view it.
OF_A_TRADE = {
    "webhooks.view_webhooklog": ("Entry alert #", "Exit alert #", "Sent by", "Delay", "short 4 →"),
    "positions.view_lot": ("Lot #", "short 2 at 5,012.25"),
    "wal.view_entry": ("Log entry #",),
}
OF_AN_ALERT = {
    "positions.view_lot": ("Lot #", "short 1 at 5,012.25"),
    "wal.view_entry": ("Log entry #", "The log's last error"),
    "trades.view_trade": ("Trade #", "+112.5"),
}
#: What is told within another part.
WITHIN = {"wal.view_entry": "webhooks.view_webhooklog", "trades.view_trade": "positions.view_lot"}


@pytest.mark.parametrize(
    ("own", "parts"),
    [("trades.view_trade", OF_A_TRADE), ("webhooks.view_webhooklog", OF_AN_ALERT)],
    ids=["trade", "alert"],
)
def test_each_part_of_a_page_is_for_who_may_view_it(
    post: Poster, own: str, parts: dict[str, tuple[str, ...]]
) -> None:
    order: dict[str, Any] = {"strategy": "Beta", "symbol": "CME_MINI:ES1!"}
    post(**order, action="sell", quantity="3", price="5012.25")
    as_seen: dict[str, Any] = {"prev_market_position": "short", "prev_market_position_size": "4"}
    post(**order, **as_seen, action="buy", price="5010", time="2026-01-05T15:00:00Z")
    Entry.objects.update(last_error="Tried again.")
    trade = Trade.objects.get()
    path = {
        "trades.view_trade": f"/admin/trades/trade/{trade.pk}/change/",
        "webhooks.view_webhooklog": f"{ALERTS}{trade.lot.exit_webhook_log_id}/change/",
    }[own]
    for number, may in enumerate([set(parts), set(), *(set(parts) - {one} for one in parts)]):
        told = text_of(logged_in(own, *may, name=f"looker{number}").get(path))
        shown = {one for one in parts if one in may and WITHIN.get(one, own) in {own, *may}}
        for one, words in parts.items():
            assert [each in told for each in words] == [one in shown] * len(words), (may, words)
        # What is the row's own is there in any case.
        assert "5,010" in told


def test_who_may_view_alerts_alone_gets_from_the_log_in_to_them(databases: None) -> None:
    cache.clear()
    user = staff_who_may("webhooks.view_webhooklog")
    user.set_password("correct-horse-battery")
    user.save()
    client = Client()
    form = {"username": "looker", "password": "correct-horse-battery", "next": "/"}
    page = client.post("/admin/login/", form, follow=True)
    assert (page.redirect_chain, page.status_code) == ([("/", 302)], 403)
    assert "You may not do this" in text_of(page)
    assert sidebar(client, "/") == [ALERTS, "/alert-builder/", "/api/docs/"]
    assert all(client.get(path).status_code == 200 for path in sidebar(client, "/"))


@pytest.mark.parametrize("path", SHOWN)
def test_the_sidebar_offers_what_may_be_opened(databases: None, path: str) -> None:
    everything = {*SHOWN["/"], *SHOWN["/compare-export/"]}
    whole = sidebar(logged_in(*everything, name="all"), ALERTS)
    assert {"/", "/compare-export/"} < set(whole)
    for number, permissions in enumerate([(), ("trades.view_trade",), SHOWN[path]]):
        client = logged_in(*permissions, name=f"looker{number}")
        offered = sidebar(client, "/alert-builder/")
        assert offered == [each for each in whole if client.get(each).status_code == 200]


def test_the_other_lists_refuse_with_the_sidebar_as_well(databases: None) -> None:
    client = logged_in("webhooks.view_webhooklog")
    answer = client.get("/admin/trades/trade/")
    assert answer.status_code == 403
    assert "Your user lacks the permission. Whoever runs" in text_of(answer)
    assert ALERTS in sidebar(client, "/admin/trades/trade/")


def test_who_may_not_open_the_overview_is_not_led_there(databases: None) -> None:
    client = logged_in("webhooks.view_webhooklog")
    page = client.post("/time-zone/", {"zone": "Asia/Tokyo"}, follow=True)
    assert (page.redirect_chain, page.status_code) == ([("/admin/", 302)], 200)
    assert "Times are shown in Asia/Tokyo." in text_of(page)


def test_superusers_open_everything(databases: None) -> None:
    TradeFactory(id=7)
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    assert all(client.get(path).status_code == 200 for path in SHOWN)
    offered = sidebar(client, "/")
    assert {"/", "/compare-export/", "/admin/auth/user/"} < set(offered)
    assert {client.get(path).status_code for path in offered} == {200}
