"""The API's statistics are the Overview's."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import StrategyFactory, TradeFactory
from tests.tradelog.api import Reader
from tests.tradelog.pages import show
from tradelog import overview_filters
from tradelog.timezones import choose
from trades import results
from trades.corrections import correct


@pytest.fixture
def trades(staff: Client) -> None:
    """Of two strategies on two symbols in three currencies, some of them corrected."""
    chance = random.Random(5)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    user = User.objects.get(username="trader")
    for number in range(60):
        trade = TradeFactory(
            strategy=StrategyFactory(name=chance.choice(["Alpha", "Beta"])),
            symbol=chance.choice(["A:A", "B:B"]),
            currency=chance.choice(["USD", "USD", "EUR", ""]),
            exit_time=start + timedelta(minutes=chance.randrange(60 * 24 * 40)),
            pnl=D(chance.randrange(-(10**12), 10**12)).scaleb(-9),
            pnl_discrepancy=D(1) if number % 11 == 0 else None,
        )
        if number % 7 == 0:
            correct(trade, user=user, reason="x", exit_price=D(number + 1))
        elif number % 13 == 0:
            correct(trade, user=user, reason="it never was", quantity=D(0))


def of_overview(client: Client, **parameters: str) -> Any:
    page = show(client, **parameters)
    assert page.status_code == 200
    return page.context["trades"]


def same(told: dict[str, Any], tally: Any) -> None:
    """Every number of one as of the other."""
    assert (told["trades"], told["wins"], told["losses"]) == (
        tally.trades, tally.wins, tally.losses,
    )  # fmt: skip
    for name, number in {
        "win_rate": tally.win_rate,
        "profit_factor": tally.profit_factor,
        "expectancy": tally.expectancy,
        "average_win": tally.average_win,
        "average_loss": tally.average_loss,
        "net_pnl": tally.net,
        "gross_profit": tally.profit,
        "gross_loss": tally.loss,
    }.items():
        assert told[name] == (None if number is None else f"{number:f}"), name


NARROWED = [
    {},
    {"strategy": "Alpha"},
    {"symbol": "A:A"},
    {"strategy": "Beta", "symbol": "B:B"},
    {"from": "2026-01-05", "to": "2026-01-20"},
    {"to": "2026-01-20"},
]


@pytest.mark.parametrize("parameters", NARROWED)
@pytest.mark.parametrize("most_single_steps", [0, 2000], ids=["by day", "by trade"])
def test_they_are_the_overviews(
    trades: None,
    staff: Client,
    api: Reader,
    parameters: dict[str, str],
    most_single_steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(results, "MOST_SINGLE_STEPS", most_single_steps)
    zone = "America/New_York"
    choose(User.objects.get(username="trader"), zone)
    told = api("statistics/", **parameters, time_zone=zone)
    assert {each["currency"] for each in told["currencies"]} == {"USD", "EUR", ""}
    for each in told["currencies"]:
        shown = of_overview(staff, **parameters, currency=each["currency"] or "none")
        assert (told["from"], told["to"]) == (str(shown.period.first), str(shown.period.last))
        same(each, shown.total)
        assert each["days"] == shown.days
        assert each["max_drawdown"] == f"{shown.max_drawdown:f}"
        assert each["sharpe"] == (None if shown.sharpe is None else f"{shown.sharpe:f}")
        assert each["discrepancies"] == shown.results.discrepancies
        for kind in ("strategies", "symbols"):
            groups = getattr(shown.results, kind)
            assert [group["name"] for group in each[kind]] == [group.name for group in groups]
            for group, of_page in zip(each[kind], groups, strict=True):
                same(group, of_page.tally)
                assert group["max_drawdown"] == f"{of_page.max_drawdown:f}"
                assert group["sharpe"] == (of_page.sharpe and f"{of_page.sharpe:f}")
                assert group["discrepancies"] == of_page.discrepancies


def test_the_recorded_session(demo: Client, api: Reader) -> None:
    told = api("statistics/", **{"from": "2015-01-01", "to": "2024-12-31"})
    [only] = told["currencies"]
    assert (only["net_pnl"], only["trades"], only["days"]) == ("616334.31", 21, 10)
    assert told["drawdown_seen"] == "by trade" and told["time_zone"] == "UTC"


def test_currencies_are_never_added(api: Reader) -> None:
    TradeFactory(currency="USD", pnl=D(100))
    TradeFactory(currency="EUR", pnl=D(7))
    TradeFactory(currency="", pnl=D(-3))
    nets = {each["currency"]: each["net_pnl"] for each in api("statistics/")["currencies"]}
    assert nets == {"USD": "100", "EUR": "7", "": "-3"}
    for asked, net in (("EUR", "7"), ("none", "-3")):
        [only] = api("statistics/", currency=asked)["currencies"]
        assert only["net_pnl"] == net


def test_a_strategy_by_its_id(api: Reader) -> None:
    alpha, beta = StrategyFactory(name="Alpha"), StrategyFactory(name="Beta")
    TradeFactory(strategy=alpha, pnl=D(1))
    TradeFactory(strategy=beta, pnl=D(2))
    assert api("statistics/", strategy_id=beta.pk)["currencies"][0]["net_pnl"] == "2"
    both = api("statistics/", strategy_id=beta.pk, strategy="Beta")
    assert both["currencies"][0]["net_pnl"] == "2"
    other = api("statistics/", strategy_id=beta.pk, strategy="Alpha")
    assert (other.http, list(other["error"]["fields"])) == (400, ["strategy_id"])


def test_a_year_of_too_many_trades_is_said_to_be_shortened(
    api: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview_filters, "MOST_TRADES", 2)
    now = datetime.now(UTC)
    for days in range(4):
        TradeFactory(exit_time=now - timedelta(days=days), pnl=D(1))
    told = api("statistics/")
    assert (told["is_shortened"], told["currencies"][0]["trades"]) == (True, 2)
    whole = api("statistics/", **{"from": str((now - timedelta(days=9)).date())})
    assert (whole["is_shortened"], whole["currencies"][0]["trades"]) == (False, 4)


def test_nothing_is_asked_twice(trades: None, staff: Client, api: Reader) -> None:
    for answers in (
        lambda: api("statistics/", strategy="Alpha"),
        lambda: show(staff, strategy="Alpha"),
    ):
        with CaptureQueriesContext(connection) as captured:
            answers()
        asked = Counter(query["sql"] for query in captured.captured_queries)
        assert {sql for sql, times in asked.items() if times > 1} <= {"BEGIN", "COMMIT"}


def test_no_trades(api: Reader) -> None:
    assert api("statistics/")["currencies"] == []
    assert api("statistics/", currency="none")["currencies"] == []
