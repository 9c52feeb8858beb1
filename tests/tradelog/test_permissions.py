"""Which pages staff may open: those of which they may view all, as in the lists and the API."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.factories import TradeFactory
from tests.tradelog.api import staff_who_may
from tests.tradelog.pages import text_of

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
