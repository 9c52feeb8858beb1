"""The admin's lists: what they cost, what they sum up, how they look."""

from __future__ import annotations

import re
from decimal import Decimal as D

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit import counting
from tests.factories import (
    EntryFactory,
    LotFactory,
    StrategyFactory,
    TradeFactory,
    WebhookLogFactory,
)
from tests.tradelog.lists import ALERTS, ENTRIES, LOTS, TRADES, moment, page, shown, words
from trades.corrections import correct


def test_totals_are_by_currency_and_corrected(staff: Client) -> None:
    TradeFactory(pnl=D("10.50"), commission=D("0.5"))
    TradeFactory(pnl=D("-4"), commission=D("0.25"))
    corrected = TradeFactory(pnl=D(100), quantity=D(1))
    TradeFactory(pnl=D("1234567.1"), currency="EUR")
    # 1 × (101 − 100) − 3
    correct(corrected, user=User.objects.get(), reason="It cost.", commission=D(3))
    told = words(page(staff, TRADES).split('class="totals"')[1].split('id="changelist-search"')[0])
    dollars, euros = told.split("EUR")
    assert "USD Trades 3 P&amp;L +4.5 Wins 1 +10.5 Losses 2 −6 Win rate 33.3%" in dollars
    assert "Commission 3.75" in dollars
    assert "Trades 1 P&amp;L +1,234,567.1 Wins 1" in euros
    filtered = words(page(staff, TRADES, q="nothing like it"))
    assert "Win rate" not in filtered and "Nothing matches" in filtered


def test_what_is_too_long_is_neither_counted_nor_summed_up(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    TradeFactory.create_batch(4)
    monkeypatch.setattr("audit.counting.MOST_PAGED", 3)
    with CaptureQueriesContext(connection) as queries:
        told = words(page(staff, TRADES))
    assert "3+ trades" in told and "more than 10,000 trades" in told
    assert not any("sum(" in query["sql"] for query in queries)
    monkeypatch.setattr("audit.counting.MOST_PAGED", 4)
    assert "4 trades" in words(page(staff, TRADES))


@pytest.mark.parametrize("listed", [TRADES, LOTS, ALERTS, ENTRIES])
def test_a_list_costs_the_same_however_long_it_is(staff: Client, listed: str) -> None:
    def add(number: int) -> None:
        logs = WebhookLogFactory.create_batch(number, strategy="Alpha", status="processed")
        EntryFactory.create_batch(number)
        TradeFactory.create_batch(number)
        for log in logs:
            LotFactory(entry_webhook_log=log)

    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as found:
            page(staff, listed)
        return [query["sql"] for query in found]

    add(2)
    few = queries()
    add(40)
    many = queries()
    assert len(many) == len(few) <= 13
    for sql in many:
        counts_rows = re.search(r"count\(\*\)", sql, re.IGNORECASE) and "GROUP BY" not in sql
        assert not counts_rows or f"LIMIT {counting.MOST_PAGED + 1}" in sql
        assert not re.search(r"SELECT (DISTINCT|MIN|MAX)\b", sql, re.IGNORECASE)


def test_a_column_is_sorted_where_an_index_sorts_it(staff: Client) -> None:
    small, large = TradeFactory(pnl=D(-5)), TradeFactory(pnl=D(7))
    middle = TradeFactory(pnl=D(0))
    heads = re.findall(r'class="[^"]*\bsortable column-(\w+)', page(staff, TRADES))
    assert heads == ["id", "exit_time", "its_pnl"]
    number = 9  # of its_pnl
    assert shown(staff, TRADES, o=f"-{number}") == [large.pk, middle.pk, small.pk]
    assert shown(staff, TRADES, o=str(number)) == [small.pk, middle.pk, large.pk]


def test_numbers_and_times_are_written_for_people(staff: Client) -> None:
    TradeFactory(
        quantity=D("12500000.500"),
        entry_price=D("0.0000123456"),
        exit_price=D("1E+3"),
        pnl=D("-1234.50"),
        exit_time=moment("2026-01-05T23:30:00.250"),
    )
    staff.post(reverse("time-zone"), {"zone": "Europe/Berlin"})
    html = page(staff, TRADES)
    for written in ("12,500,000.5<", "0.0000123456<", "1,000<"):
        assert f'<span class="number">{written}' in html
    assert '<span class="number"><span class="loss">−1,234.5</span></span>' in html
    assert (
        '<time datetime="2026-01-05T23:30:00.250Z" title="2026-01-05 23:30:00.250 UTC">'
        "2026-01-06 00:30:00</time>"
    ) in html
    assert "Times in Europe/Berlin" in html


@pytest.mark.parametrize(
    ("listed", "hint"),
    [
        (TRADES, "No trades yet"),
        (ALERTS, "No alerts yet"),
        (ENTRIES, "The log is empty"),
        (LOTS, "No open positions"),
        ("wal_refusal", "No alert was refused by rate"),
        ("positions_reconciliation", "Nothing was ever put right"),
        ("trades_strategy", "A strategy is made by its first alert"),
    ],
)
def test_an_empty_list_says_what_to_do(staff: Client, listed: str, hint: str) -> None:
    html = page(staff, listed)
    assert hint in html
    if listed in (TRADES, ALERTS, ENTRIES, "trades_strategy"):
        assert ">https://testserver/webhook/••••••••/<" in html
        assert "{{strategy.order.action}}" in html
        assert reverse("alert-builder") in html


def test_the_log_counts_its_entries(staff: Client) -> None:
    EntryFactory()
    assert "1 log entry" in words(page(staff, ENTRIES))
    EntryFactory()
    assert "2 log entries" in words(page(staff, ENTRIES))
    assert "No log entries are like this" in page(staff, ENTRIES, q="nothing")


def test_a_strategy_leads_to_what_is_its(staff: Client) -> None:
    strategy = StrategyFactory(name="A & B")
    trade = TradeFactory(strategy=strategy)
    TradeFactory()
    html = staff.get(reverse("admin:trades_strategy_change", args=[strategy.pk])).content.decode()
    for listed in (TRADES, LOTS, ALERTS):
        path = reverse(f"admin:{listed}_changelist")
        link = re.search(rf'href="({path}\?[^"]+)"', html)
        assert link and staff.get(link[1].replace("&amp;", "&")).status_code == 200
    assert shown(staff, TRADES, strategy=strategy.pk) == [trade.pk]
    assert "strategy=A+%26+B" in html


def test_a_day_is_one_of_the_users_zone(staff: Client) -> None:
    staff.post(reverse("time-zone"), {"zone": "America/New_York"})
    evening = TradeFactory(exit_time=moment("2026-01-06T02:00"))
    TradeFactory(exit_time=moment("2026-01-06T06:00"))
    day = {"exit_time__year": 2026, "exit_time__month": 1, "exit_time__day": 5}
    assert shown(staff, TRADES, **day) == [evening.pk]


def test_rows_of_one_value_are_in_its_order(staff: Client) -> None:
    """As the index has them: a million trades of one P&L need not be put in order."""
    first, second, third, last = (TradeFactory(pnl=D(pnl)).pk for pnl in (5, 5, 7, 5))

    def listed(order: str) -> list[int]:
        found = staff.get(reverse(f"admin:{TRADES}_changelist"), {"o": order})
        return [trade.pk for trade in found.context["cl"].result_list]

    assert listed("9") == [first, second, last, third]
    assert listed("-9") == [third, last, second, first]
