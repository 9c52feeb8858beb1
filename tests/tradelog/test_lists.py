"""The admin's lists: what they find, what they cost, what they sum up."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any
from uuid import UUID

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
from trades.corrections import correct
from trades.models import Trade

TRADES, LOTS = "trades_trade", "positions_lot"
ALERTS, ENTRIES = "webhooks_webhooklog", "wal_entry"


@pytest.fixture
def client(databases: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    return client


def page(client: Client, listed: str, **parameters: Any) -> str:
    answer = client.get(reverse(f"admin:{listed}_changelist"), parameters)
    assert answer.status_code == 200, (parameters, answer.headers.get("Location"))
    return answer.content.decode()


def shown(client: Client, listed: str, **parameters: Any) -> list[int]:
    """The ids of the rows in a list, in its order."""
    path = reverse(f"admin:{listed}_changelist")
    found = re.findall(rf'href="{path}(\d+)/change/', page(client, listed, **parameters))
    return [int(number) for number in found]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_trades_are_found_by_each_filter(client: Client) -> None:
    user = User.objects.get()
    beta = StrategyFactory(name="Beta")
    plain = TradeFactory()
    on_beta = TradeFactory(strategy=beta, symbol="NASDAQ:AAPL")
    short = TradeFactory(direction="short")
    differs = TradeFactory(pnl_reported=D(3), pnl_discrepancy=D(2))
    # It differed as well, until somebody said what is right.
    corrected = TradeFactory(pnl_reported=D(3), pnl_discrepancy=D(2))
    correct(corrected, user=user, reason="It was less.", quantity=D("0.5"))
    entered = TradeFactory()
    left = TradeFactory()
    drifting = {"status": "processed", "drift": True}
    steady = {"status": "processed", "drift": False}
    for trade, entry, leave in ((entered, drifting, steady), (left, steady, drifting)):
        LotFactory(
            trade=trade,
            status="closed",
            entry_webhook_log=WebhookLogFactory(**entry),
            exit_webhook_log=WebhookLogFactory(**leave),
        )
    everything = sorted(Trade.objects.values_list("pk", flat=True), reverse=True)

    def but(*trades: Trade) -> list[int]:
        return [pk for pk in everything if pk not in {trade.pk for trade in trades}]

    assert shown(client, TRADES) == everything
    assert shown(client, TRADES, strategy=beta.pk) == [on_beta.pk]
    assert shown(client, TRADES, strategy="no number") == []
    assert shown(client, TRADES, symbol="NASDAQ:AAPL") == [on_beta.pk]
    assert shown(client, TRADES, symbol="NASDAQ:NOTHING") == []
    assert shown(client, TRADES, strategy=plain.strategy_id, symbol="NASDAQ:AAPL") == []
    assert shown(client, TRADES, direction__exact="short") == [short.pk]
    assert shown(client, TRADES, discrepancy="yes") == [differs.pk]
    assert shown(client, TRADES, discrepancy="no") == but(differs)
    assert shown(client, TRADES, corrected="yes") == [corrected.pk]
    assert shown(client, TRADES, corrected="no") == but(corrected)
    assert shown(client, TRADES, drift="yes") == [left.pk, entered.pk]
    assert shown(client, TRADES, drift="no") == but(left, entered)


def test_many_drifts_are_found_as_few_are(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    drifting = WebhookLogFactory.create_batch(3, status="processed", drift=True)
    trades = TradeFactory.create_batch(4)
    for trade, log in zip(trades, drifting, strict=False):
        LotFactory(trade=trade, status="closed", entry_webhook_log=log, exit_webhook_log=log)
    expected = [trade.pk for trade in reversed(trades[:3])]
    assert shown(client, TRADES, drift="yes") == expected
    monkeypatch.setattr("trades.drifted.MOST_PAGED", 2)
    assert shown(client, TRADES, drift="yes") == expected
    assert shown(client, TRADES, drift="no") == [trades[3].pk]


def test_alerts_are_found_by_each_filter(client: Client) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "rejected": {},
        "failed": {"status": "failed", "error_code": "NO_OPEN_POSITION"},
        "parked": {"status": "parked", "error_code": "NO_OPEN_POSITION"},
        "opened": {"status": "processed", "action": "opened", "direction": "long"},
        "reversed": {"status": "processed", "action": "reversed", "direction": "short"},
        "drift": {"status": "processed", "drift": True},
        "test": {"status": "processed", "is_test": True},
        "of Beta": {"strategy": "Beta", "symbol": "NASDAQ:AAPL"},
    }
    made = {name: WebhookLogFactory(**fields).pk for name, fields in kinds.items()}
    rows = sorted(made.values(), reverse=True)

    def only(*names: str) -> list[int]:
        return sorted((made[name] for name in names), reverse=True)

    assert shown(client, ALERTS, status__exact="parked") == only("parked")
    assert shown(client, ALERTS, status__exact="rejected") == only("rejected", "of Beta")
    assert shown(client, ALERTS, error_code__exact="NO_OPEN_POSITION") == only("failed", "parked")
    assert shown(client, ALERTS, action__exact="reversed") == only("reversed")
    assert shown(client, ALERTS, direction__exact="long") == only("opened")
    assert shown(client, ALERTS, drift__exact="1") == only("drift")
    assert shown(client, ALERTS, drift__exact="0") == [pk for pk in rows if pk != made["drift"]]
    assert shown(client, ALERTS, is_test__exact="1") == only("test")
    assert shown(client, ALERTS, strategy="Beta") == only("of Beta")
    assert shown(client, ALERTS, symbol="NASDAQ:AAPL") == only("of Beta")


def test_positions_are_open_unless_asked_otherwise(client: Client) -> None:
    opened = LotFactory()
    closed = LotFactory(
        status="closed",
        exit_webhook_log=WebhookLogFactory(status="processed"),
        trade=TradeFactory(),
    )
    assert shown(client, LOTS) == [opened.pk]
    assert shown(client, LOTS, status__exact="closed") == [closed.pk]
    assert shown(client, LOTS, status__exact="all") == [closed.pk, opened.pk]


@pytest.mark.parametrize("most", [counting.MOST_PAGED, 1])
def test_entries_are_found_by_their_state(
    client: Client, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("webhooks.admin.MOST_PAGED", most)
    states = ("pending", "processing", "parked", "failed", "duplicate", "completed")
    for state in states:
        rows = EntryFactory.create_batch(2, status=state)
        expected = [row.pk for row in reversed(rows)]
        assert shown(client, ENTRIES, status__exact=state) == expected


def test_rows_are_searched_by_what_a_person_knows(client: Client) -> None:
    correlation_id = UUID("5eed1234-0000-4000-8000-00000000beef")
    log = WebhookLogFactory(
        correlation_id=correlation_id,
        strategy="Mean Reversion",
        symbol="CME_MINI:ES1!",
        status="processed",
    )
    other = WebhookLogFactory(strategy="Breakout", symbol="BINANCE:BTCUSDT", status="processed")
    strategy = StrategyFactory(name="Mean Reversion")
    trade = TradeFactory(strategy=strategy, symbol="CME_MINI:ES1!")
    another = TradeFactory(strategy=StrategyFactory(name="Breakout"))
    lot = LotFactory(
        trade=trade,
        status="closed",
        strategy=strategy,
        symbol="CME_MINI:ES1!",
        entry_webhook_log=other,
        exit_webhook_log=log,
    )
    entry = EntryFactory(correlation_id=correlation_id)
    EntryFactory()
    for text in (
        str(correlation_id), correlation_id.hex, "5eed", "5EED1234-00", " 5eed1234 ",
    ):  # fmt: skip
        assert shown(client, ALERTS, q=text) == [log.pk], text
        assert shown(client, TRADES, q=text) == [trade.pk], text
        assert shown(client, LOTS, q=text, status__exact="all") == [lot.pk], text
        assert shown(client, ENTRIES, q=text) == [entry.pk], text
    for text in ("mean", "reversion es1", "ES1!", "cme_mini:es1! MEAN"):
        assert shown(client, ALERTS, q=text) == [log.pk], text
        assert shown(client, TRADES, q=text) == [trade.pk], text
    assert shown(client, TRADES, q=f"#{another.pk}") == [another.pk]
    assert shown(client, ENTRIES, q=f"#{entry.pk}") == [entry.pk]
    for text in ("nothing", "5eee", "mean breakout", "#0", f"#{10**30}", "5eed1234-zz", "'", "%"):
        assert shown(client, TRADES, q=text) == [], text
        assert shown(client, ENTRIES, q=text) == [], text


def test_books_beyond_the_list_of_choices_are_found(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Alpha", "Beta", "Gamma"):
        last = TradeFactory(strategy=StrategyFactory(name=name), symbol=f"{name}USD")
    monkeypatch.setattr("audit.distinct.MOST", 2)
    assert shown(client, TRADES, q="gamma") == [last.pk]
    assert shown(client, TRADES, q="gammausd") == [last.pk]


def test_dates_lead_to_years_months_and_days(client: Client) -> None:
    old = TradeFactory(exit_time=moment("2024-03-05T10:00"))
    TradeFactory(exit_time=moment("2025-01-31T23:30"))
    new = TradeFactory(exit_time=moment("2026-02-01T00:30"))

    def links(**chosen: int) -> list[str]:
        toplinks = page(client, TRADES, **chosen).split('class="toplinks')[1].split("</ul>")[0]
        return words(toplinks.partition(">")[2]).split()

    assert links() == ["2024", "2025", "2026"]
    assert links(exit_time__year=2024)[-10:-8] == ["March", "April"]
    assert links(exit_time__year=2026)[-2:] == ["January", "February"]
    assert links(exit_time__year=2024, exit_time__month=2)[-1] == "29"
    assert shown(client, TRADES, exit_time__year=2024) == [old.pk]
    assert shown(client, TRADES, exit_time__year=2026, exit_time__month=2) == [new.pk]
    day = {"exit_time__year": 2026, "exit_time__month": 2, "exit_time__day": 1}
    assert shown(client, TRADES, **day) == [new.pk]
    assert "Nothing matches" in page(client, TRADES, exit_time__year=2023)


@pytest.mark.parametrize("wrong", ["exit_time__year=x", "exit_time__month=77", "p=x", "o=99", "e"])
def test_what_no_link_says_is_no_fault_of_ours(client: Client, wrong: str) -> None:
    TradeFactory()
    answer = client.get(f"{reverse('admin:trades_trade_changelist')}?{wrong}", follow=True)
    assert answer.status_code == 200


def test_totals_are_by_currency_and_corrected(client: Client) -> None:
    TradeFactory(pnl=D("10.50"), commission=D("0.5"))
    TradeFactory(pnl=D("-4"), commission=D("0.25"))
    corrected = TradeFactory(pnl=D(100), quantity=D(1))
    TradeFactory(pnl=D("1234567.1"), currency="EUR")
    # 1 × (101 − 100) − 3
    correct(corrected, user=User.objects.get(), reason="It cost.", commission=D(3))
    told = words(page(client, TRADES).split('class="totals"')[1].split('id="changelist-search"')[0])
    dollars, euros = told.split("EUR")
    assert "USD Trades 3 P&amp;L +4.5 Wins 1 +10.5 Losses 2 −6 Win rate 33.3%" in dollars
    assert "Commission 3.75" in dollars
    assert "Trades 1 P&amp;L +1,234,567.1 Wins 1" in euros
    filtered = words(page(client, TRADES, q="nothing like it"))
    assert "Win rate" not in filtered and "Nothing matches" in filtered


def test_what_is_too_long_is_neither_counted_nor_summed_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    TradeFactory.create_batch(4)
    monkeypatch.setattr("audit.counting.MOST_PAGED", 3)
    with CaptureQueriesContext(connection) as queries:
        told = words(page(client, TRADES))
    assert "3+ trades" in told and "more than 10,000 trades" in told
    assert not any("sum(" in query["sql"] for query in queries)
    monkeypatch.setattr("audit.counting.MOST_PAGED", 4)
    assert "4 trades" in words(page(client, TRADES))


@pytest.mark.parametrize("listed", [TRADES, LOTS, ALERTS, ENTRIES])
def test_a_list_costs_the_same_however_long_it_is(client: Client, listed: str) -> None:
    def add(number: int) -> None:
        logs = WebhookLogFactory.create_batch(number, strategy="Alpha", status="processed")
        EntryFactory.create_batch(number)
        TradeFactory.create_batch(number)
        for log in logs:
            LotFactory(entry_webhook_log=log)

    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as found:
            page(client, listed)
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


def test_a_column_is_sorted_where_an_index_sorts_it(client: Client) -> None:
    small, large = TradeFactory(pnl=D(-5)), TradeFactory(pnl=D(7))
    middle = TradeFactory(pnl=D(0))
    heads = re.findall(r'class="[^"]*\bsortable column-(\w+)', page(client, TRADES))
    assert heads == ["id", "exit_time", "its_pnl"]
    number = 8  # of its_pnl
    assert shown(client, TRADES, o=f"-{number}") == [large.pk, middle.pk, small.pk]
    assert shown(client, TRADES, o=str(number)) == [small.pk, middle.pk, large.pk]


def test_numbers_and_times_are_written_for_people(client: Client) -> None:
    TradeFactory(
        quantity=D("12500000.500"),
        entry_price=D("0.0000123456"),
        exit_price=D("1E+3"),
        pnl=D("-1234.50"),
        exit_time=moment("2026-01-05T23:30:00.250"),
    )
    client.post(reverse("time-zone"), {"zone": "Europe/Berlin"})
    html = page(client, TRADES)
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
def test_an_empty_list_says_what_to_do(client: Client, listed: str, hint: str) -> None:
    html = page(client, listed)
    assert hint in html
    if listed in (TRADES, ALERTS, ENTRIES, "trades_strategy"):
        assert ">https://testserver/webhook/••••••••/<" in html
        assert "{{strategy.order.action}}" in html
        assert reverse("alert-builder") in html


def test_the_log_counts_its_entries(client: Client) -> None:
    EntryFactory()
    assert "1 log entry" in words(page(client, ENTRIES))
    EntryFactory()
    assert "2 log entries" in words(page(client, ENTRIES))
    assert "No log entries are like this" in page(client, ENTRIES, q="nothing")


def test_a_strategy_leads_to_what_is_its(client: Client) -> None:
    strategy = StrategyFactory(name="A & B")
    trade = TradeFactory(strategy=strategy)
    TradeFactory()
    html = client.get(reverse("admin:trades_strategy_change", args=[strategy.pk])).content.decode()
    for listed in (TRADES, LOTS, ALERTS):
        path = reverse(f"admin:{listed}_changelist")
        link = re.search(rf'href="({path}\?[^"]+)"', html)
        assert link and client.get(link[1].replace("&amp;", "&")).status_code == 200
    assert shown(client, TRADES, strategy=strategy.pk) == [trade.pk]
    assert "strategy=A+%26+B" in html


def test_a_day_is_one_of_the_users_zone(client: Client) -> None:
    client.post(reverse("time-zone"), {"zone": "America/New_York"})
    evening = TradeFactory(exit_time=moment("2026-01-06T02:00"))
    TradeFactory(exit_time=moment("2026-01-06T06:00"))
    day = {"exit_time__year": 2026, "exit_time__month": 1, "exit_time__day": 5}
    assert shown(client, TRADES, **day) == [evening.pk]


def test_rows_of_one_value_are_in_its_order(client: Client) -> None:
    """As the index has them: a million trades of one P&L need not be put in order."""
    first, second, third, last = (TradeFactory(pnl=D(pnl)).pk for pnl in (5, 5, 7, 5))

    def listed(order: str) -> list[int]:
        found = client.get(reverse(f"admin:{TRADES}_changelist"), {"o": order})
        return [trade.pk for trade in found.context["cl"].result_list]

    assert listed("8") == [first, second, last, third]
    assert listed("-8") == [third, last, second, first]
