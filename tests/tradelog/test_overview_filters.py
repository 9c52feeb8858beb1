"""What the Overview's address may ask for, and what it may not."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.alerts import Poster
from tests.factories import (
    EntryFactory,
    LotFactory,
    RefusalFactory,
    StrategyFactory,
    TradeFactory,
    WebhookLogFactory,
)
from tests.tradelog.pages import DAY, NOW, WHOLE, show, text_of
from tradelog.timezones import choose
from trades.models import Trade


def test_without_filters_it_is_the_year_that_ends_with_the_latest_trade(demo: Client) -> None:
    shown = show(demo).context["trades"]
    assert (shown.period.first, shown.period.last) == (date(2024, 1, 2), date(2024, 12, 31))
    assert shown.total.trades == Trade.objects.filter(exit_time__year=2024).count() == 6


def test_a_trade_dated_ahead_does_not_hide_the_others(staff: Client) -> None:
    TradeFactory(exit_time=NOW - 3 * DAY, pnl=Decimal(5))
    TradeFactory(exit_time=NOW + 3000 * DAY)
    assert show(staff).context["trades"].total.net == 5


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("America/New_York", datetime(1970, 1, 1, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2200, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_all_days_are_those_of_the_zone(staff: Client, zone: str, moment: datetime) -> None:
    choose(User.objects.get(), zone)
    TradeFactory(exit_time=moment)
    TradeFactory()
    whole = next(each for each in show(staff).context["quick_periods"] if each.label == "All")
    page = staff.get(whole.url)
    assert (page.status_code, page.context["trades"].total.trades) == (200, 2)


def test_each_filter_narrows(staff: Client) -> None:
    alpha, beta = StrategyFactory(name="Alpha"), StrategyFactory(name="Beta")
    one = datetime(2026, 2, 3, 12, tzinfo=UTC)
    TradeFactory(strategy=alpha, symbol="A:A", exit_time=one, pnl=Decimal(1))
    TradeFactory(strategy=alpha, symbol="B:B", exit_time=one + DAY, pnl=Decimal(10))
    TradeFactory(strategy=beta, symbol="A:A", exit_time=one + 2 * DAY, pnl=Decimal(100))

    def net(**parameters: str) -> Decimal:
        return show(staff, **parameters).context["trades"].total.net  # type: ignore[no-any-return]

    assert net() == 111
    assert net(strategy="Alpha") == 11
    assert net(symbol="A:A") == 101
    assert net(strategy="Alpha", symbol="A:A") == 1
    assert net(**{"from": "2026-02-04"}) == 110
    assert net(to="2026-02-04") == 11
    assert net(**{"from": "2026-02-04", "to": "2026-02-04"}) == 10


def test_a_currency_is_one_that_trades_are_in_or_none(staff: Client) -> None:
    assert show(staff, currency="none").status_code == 200
    assert show(staff, currency="").status_code == 200
    assert show(staff, currency="EUR").status_code == 400
    TradeFactory(currency="EUR", exit_time=NOW - 1000 * DAY)
    # Of another time, strategy or symbol is none of the year's, and still no mistake.
    assert show(staff, currency="EUR").status_code == 200
    assert show(staff, currency="eur").status_code == 400


@pytest.mark.parametrize(("kept", "told"), [("EUR", "in EUR"), ("none", "without a currency")])
def test_what_has_no_trade_in_the_currency_that_is_kept_leads_to_its_own(
    staff: Client, kept: str, told: str
) -> None:
    TradeFactory(currency="EUR", exit_time=NOW)
    TradeFactory(currency="", exit_time=NOW)
    beta = StrategyFactory(name="Beta")
    TradeFactory(currency="USD", strategy=beta, exit_time=NOW, pnl=Decimal(7))
    page = show(staff, strategy="Beta", currency=kept)
    text = text_of(page)
    assert f"No trades {told} What was closed" in text and "by what these filters choose" in text
    # Zeros would say that it came out even.
    assert "0.00" not in text
    assert "USD 1 trade +7.00" in text
    [link] = re.findall(r'<a href="([^"]*currency=USD[^"]*)"', page.content.decode())
    assert staff.get(link.replace("&amp;", "&")).context["trades"].total.net == 7
    other = show(staff, currency=kept, **{"from": "2001-01-01", "to": "2001-01-31"})
    assert "No trades in this period" in text_of(other)


def test_every_link_of_the_page_leads_somewhere(demo: Client) -> None:
    WebhookLogFactory(status="failed", error_code="STRATEGY_DISABLED")
    WebhookLogFactory(status="processed", drift=True)
    RefusalFactory()
    LotFactory()
    Trade.objects.update(pnl_discrepancy=1)
    Trade.objects.filter(direction="short").update(entry_time=F("exit_time") + DAY)
    EntryFactory(received_at=NOW - DAY)
    page = show(demo, **WHOLE)
    links = set(re.findall(r'href="([^"]+)"', page.content.decode()))
    inner = {link.replace("&amp;", "&") for link in links if link.startswith("/")}
    of_pages = {link for link in inner if not link.startswith("/static/")}
    assert len(of_pages) > 30
    assert any("strategy=Monthly+pyramid" in link for link in of_pages)
    lists: dict[str, int] = {}
    for link in of_pages:
        answer = demo.get(link)
        assert answer.status_code == 200, link
        if "cl" in (answer.context or {}) and "?" in link:
            lists[_without_times(link)] = answer.context["cl"].result_count
    # Those of the verdict and the tables show what they speak of and nothing else.
    assert lists == {
        "/admin/webhooks/webhooklog/?status__exact=failed&is_test__exact=0": 1,
        "/admin/webhooks/webhooklog/?drift__exact=1&is_test__exact=0": 1,
        "/admin/trades/trade/?discrepancy=yes": 21,
        "/admin/trades/trade/?exit_before_entry=yes": 10,
        "/admin/positions/lot/?status__exact=open": 1,
        "/admin/wal/entry/?status__exact=pending": 1,
        "/admin/wal/entry/?status__exact=processing": 0,
        "/admin/wal/entry/?status__exact=parked": 0,
        "/admin/wal/entry/?status__exact=failed": 0,
        "/admin/wal/entry/?status__exact=duplicate": 0,
    }


def test_a_cell_of_the_calendar_leads_to_its_own_figure(staff: Client) -> None:
    for day, pnl in (("11-13", 100), ("11-14", 1), ("12-09", 10), ("12-10", 1000)):
        TradeFactory(exit_time=datetime.fromisoformat(f"2025-{day}T12:00Z"), pnl=Decimal(pnl))
    page = show(staff, **{"from": "2025-11-14", "to": "2025-12-09"})
    cells = re.findall(
        r'<a href="([^"]+)"[^>]* title="([^":]+): \+([\d.]+), \d trades?"', page.content.decode()
    )
    assert {told: net for _, told, net in cells} == {
        "Fri 14 Nov 2025": "1.00",
        "Tue 9 Dec 2025": "10.00",
        "Week 46, 14–16 November 2025": "1.00",
        "Week 50, 8–9 December 2025": "10.00",
        "14–30 November 2025": "1.00",
        "1–9 December 2025": "10.00",
        "14 November – 9 December 2025": "11.00",
    }
    for link, told, net in cells:
        narrowed = staff.get(link.replace("&amp;", "&")).context["trades"]
        assert narrowed.total.net == Decimal(net), told


def test_what_needs_a_look_is_shown_narrowed_down_alike(demo: Client) -> None:
    Trade.objects.update(pnl_discrepancy=1)
    Trade.objects.filter(direction="short").update(entry_time=F("exit_time") + DAY)
    other = TradeFactory(exit_time=NOW, pnl_discrepancy=Decimal(1))
    for strategy in ("Monthly pyramid", other.strategy.name):
        for age in (1, 20):
            WebhookLogFactory(
                status="failed", strategy=strategy, symbol=other.symbol, received_at=NOW - age * DAY
            )
    for narrowed, *failed_differing_backward in (
        ({}, 2, 1),
        ({"alerts": "30"}, 4, 1),
        ({"strategy": "Monthly pyramid"}, 1, 6, 3),
        ({"symbol": other.symbol}, 2, 1),
        (WHOLE, 2, 21, 10),
    ):
        remarks = show(demo, **narrowed).context["alerts"].verdict.remarks
        assert [
            (remark.text.split()[0], demo.get(remark.url).context["cl"].result_count)
            for remark in remarks
        ] == [(str(number), number) for number in failed_differing_backward]


def _without_times(link: str) -> str:
    """A link to a list without the times that it is narrowed down by."""
    return re.sub(r"&\w+__(gte|lt)=[^&]+", "", link)


BAD = [
    ({"strategy": "Nobody's"}, "There is no strategy"),
    ({"symbol": "NO:SUCH"}, "No trade or position is on a symbol"),
    ({"from": "yesterday"}, "This is no date; write it as 2026-01-31."),
    ({"to": "2026-02-30"}, "This is no date"),
    ({"from": "0001-01-01"}, "Choose a day from 1969-12-31 to 2201-01-01."),
    ({"to": "9999-12-31"}, "Choose a day from"),
    ({"from": "2026-02-02", "to": "2026-02-01"}, "The last day is before the first one."),
    ({"tests": "perhaps"}, "Say “included”, or leave it out."),
    ({"alerts": "365"}, "Alerts are shown of 1, 7 or 30 days."),
    ({"strategy": "A" * 101}, "at most 100 characters"),
    ({"currency": "zz"}, "No trade is in a currency “zz”."),
    ({"currency": "\0"}, "Null characters are not allowed."),
]


@pytest.mark.parametrize(("parameters", "told"), BAD)
def test_what_cannot_be_is_said(staff: Client, parameters: dict[str, str], told: str) -> None:
    TradeFactory()
    page = show(staff, **parameters)
    assert page.status_code == 400
    text = text_of(page)
    assert told in text and "Show the Overview without filters" in text
    # Numbers of something else than was asked for would mislead.
    assert "Net P&L" not in text


@hypothesis_settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["strategy", "symbol", "from", "to", "currency", "tests", "alerts", "x"]),
        st.one_of(
            st.text(max_size=12),
            st.dates().map(str),
            st.sampled_from(["Alpha", "none", "USD", "BINANCE:BTCUSDT", "included", "30", "1"]),
        ),
        max_size=5,
    )
)
def test_no_address_breaks_the_page(staff: Client, parameters: dict[str, str]) -> None:
    TradeFactory()
    encoded = urlencode(parameters, errors="surrogatepass")
    assert staff.get(f"/?{encoded}").status_code in (200, 400)


def test_a_period_without_trades_leads_to_where_there_are_some(demo: Client) -> None:
    page = show(demo, **{"from": "2026-01-01", "to": "2026-01-31"})
    text = text_of(page)
    assert "No trades in this period" in text
    assert "There are trades from 2016-03-31 to 2024-12-31" in text
    link = re.search(r'href="([^"]+)">show all of them', page.content.decode())
    assert link is not None
    everything = demo.get(link[1].replace("&amp;", "&"))
    assert everything.context["trades"].total.trades == 21


def test_tests_are_left_out_unless_they_are_asked_for(staff: Client, post: Poster) -> None:
    post()
    post(is_test=True, time="2026-01-05T14:31:00Z")
    assert show(staff).context["alerts"].traffic.alerts == 1
    assert show(staff, tests="included").context["alerts"].traffic.alerts == 2


def test_days_are_those_of_the_users_zone(staff: Client) -> None:
    # Half past midnight of 5 March in Berlin.
    TradeFactory(exit_time=datetime(2026, 3, 4, 23, 30, tzinfo=UTC))
    day = {"from": "2026-03-04", "to": "2026-03-04"}
    assert show(staff, **day).context["trades"].total.trades == 1
    choose(User.objects.get(username="trader"), "Europe/Berlin")
    assert show(staff, **day).context["trades"].total.trades == 0
    page = show(staff, **{"from": "2026-03-05", "to": "2026-03-05"})
    assert page.context["trades"].total.trades == 1
    assert "Thu 5 Mar 2026: +1.00, 1 trade" in page.content.decode()


def test_many_trades_are_shown_by_their_latest_days(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradelog.overview_filters.MOST_TRADES", 4)
    for days in range(10):
        TradeFactory(exit_time=NOW - days * DAY)
    page = show(staff)
    assert page.context["trades"].total.trades == 4
    assert "a period chosen here is shown whole" in text_of(page)
    chosen = (NOW - 300 * DAY).date().isoformat()
    assert show(staff, **{"from": chosen}).context["trades"].total.trades == 10
