"""What the admin's lists find."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
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
from trades.models import Trade


def test_trades_are_found_by_each_filter(staff: Client) -> None:
    user = User.objects.get()
    beta = StrategyFactory(name="Beta")
    plain = TradeFactory()
    on_beta = TradeFactory(strategy=beta, symbol="NASDAQ:AAPL")
    short = TradeFactory(direction="short")
    differs = TradeFactory(pnl_reported=D(3), pnl_discrepancy=D(2))
    # It differed as well, until somebody said what is right.
    corrected = TradeFactory(pnl_reported=D(3), pnl_discrepancy=D(2))
    correct(corrected, user=user, reason="It was less.", quantity=D("0.5"))
    three = moment("2026-01-05T15:00")
    backward, settled = (
        TradeFactory(entry_time=three, exit_time=three - timedelta(seconds=1)) for _ in range(2)
    )
    correct(settled, user=user, reason="It never happened.", quantity=D(0))
    TradeFactory(entry_time=three, exit_time=three)
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

    assert shown(staff, TRADES) == everything
    assert shown(staff, TRADES, strategy=beta.pk) == [on_beta.pk]
    assert shown(staff, TRADES, strategy="no number") == []
    assert shown(staff, TRADES, symbol="NASDAQ:AAPL") == [on_beta.pk]
    assert shown(staff, TRADES, symbol="NASDAQ:NOTHING") == []
    assert shown(staff, TRADES, strategy=plain.strategy_id, symbol="NASDAQ:AAPL") == []
    assert shown(staff, TRADES, direction__exact="short") == [short.pk]
    assert shown(staff, TRADES, discrepancy="yes") == [differs.pk]
    assert shown(staff, TRADES, discrepancy="no") == but(differs)
    assert shown(staff, TRADES, corrected="yes") == [settled.pk, corrected.pk]
    assert shown(staff, TRADES, corrected="no") == but(settled, corrected)
    assert shown(staff, TRADES, exit_before_entry="yes") == [backward.pk]
    assert shown(staff, TRADES, exit_before_entry="no") == but(backward)
    assert shown(staff, TRADES, drift="yes") == [left.pk, entered.pk]
    assert shown(staff, TRADES, drift="no") == but(left, entered)


def test_many_drifts_are_found_as_few_are(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    drifting = WebhookLogFactory.create_batch(3, status="processed", drift=True)
    trades = TradeFactory.create_batch(4)
    for trade, log in zip(trades, drifting, strict=False):
        LotFactory(trade=trade, status="closed", entry_webhook_log=log, exit_webhook_log=log)
    expected = [trade.pk for trade in reversed(trades[:3])]
    assert shown(staff, TRADES, drift="yes") == expected
    monkeypatch.setattr("trades.rare.MOST_PAGED", 2)
    assert shown(staff, TRADES, drift="yes") == expected
    assert shown(staff, TRADES, drift="no") == [trades[3].pk]


def test_many_exits_before_entries_are_found_as_few_are(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = moment("2026-01-05T15:00")
    early, early_too, settled = (
        TradeFactory(entry_time=three, exit_time=three - timedelta(hours=1)) for _ in range(3)
    )
    correct(settled, user=User.objects.get(), reason="It never happened.", quantity=D(0))
    plain = TradeFactory()
    monkeypatch.setattr("trades.rare.MOST_PAGED", 1)
    assert shown(staff, TRADES, exit_before_entry="yes") == [early_too.pk, early.pk]
    assert shown(staff, TRADES, exit_before_entry="no") == [plain.pk, settled.pk]


def test_alerts_are_found_by_each_filter(staff: Client) -> None:
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

    assert shown(staff, ALERTS, status__exact="parked") == only("parked")
    assert shown(staff, ALERTS, status__exact="rejected") == only("rejected", "of Beta")
    assert shown(staff, ALERTS, error_code__exact="NO_OPEN_POSITION") == only("failed", "parked")
    assert shown(staff, ALERTS, action__exact="reversed") == only("reversed")
    assert shown(staff, ALERTS, direction__exact="long") == only("opened")
    assert shown(staff, ALERTS, drift__exact="1") == only("drift")
    assert shown(staff, ALERTS, drift__exact="0") == [pk for pk in rows if pk != made["drift"]]
    assert shown(staff, ALERTS, is_test__exact="1") == only("test")
    assert shown(staff, ALERTS, strategy="Beta") == only("of Beta")
    assert shown(staff, ALERTS, symbol="NASDAQ:AAPL") == only("of Beta")


@pytest.mark.parametrize("most", [counting.MOST_PAGED, 1])
def test_entries_are_found_by_their_state(
    staff: Client, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("webhooks.admin.MOST_PAGED", most)
    states = ("pending", "processing", "parked", "failed", "duplicate", "completed")
    for state in states:
        rows = EntryFactory.create_batch(2, status=state)
        expected = [row.pk for row in reversed(rows)]
        assert shown(staff, ENTRIES, status__exact=state) == expected


def test_rows_are_searched_by_what_a_person_knows(staff: Client) -> None:
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
        assert shown(staff, ALERTS, q=text) == [log.pk], text
        assert shown(staff, TRADES, q=text) == [trade.pk], text
        assert shown(staff, LOTS, q=text, status__exact="all") == [lot.pk], text
        assert shown(staff, ENTRIES, q=text) == [entry.pk], text
    for text in ("mean", "reversion es1", "ES1!", "cme_mini:es1! MEAN"):
        assert shown(staff, ALERTS, q=text) == [log.pk], text
        assert shown(staff, TRADES, q=text) == [trade.pk], text
    assert shown(staff, TRADES, q=f"#{another.pk}") == [another.pk]
    assert shown(staff, ENTRIES, q=f"#{entry.pk}") == [entry.pk]
    for text in ("nothing", "5eee", "mean breakout", "#0", f"#{10**30}", "5eed1234-zz", "'", "%"):
        assert shown(staff, TRADES, q=text) == [], text
        assert shown(staff, ENTRIES, q=text) == [], text


def test_books_beyond_the_list_of_choices_are_found(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Alpha", "Beta", "Gamma"):
        last = TradeFactory(strategy=StrategyFactory(name=name), symbol=f"{name}USD")
    monkeypatch.setattr("audit.distinct.MOST", 2)
    assert shown(staff, TRADES, q="gamma") == [last.pk]
    assert shown(staff, TRADES, q="gammausd") == [last.pk]


def test_dates_lead_to_years_months_and_days(staff: Client) -> None:
    old = TradeFactory(exit_time=moment("2024-03-05T10:00"))
    TradeFactory.create_batch(2, exit_time=moment("2022-01-31T23:30"))
    new = TradeFactory(exit_time=moment("2026-02-01T00:30"))

    def links(**chosen: int) -> list[str]:
        toplinks = page(staff, TRADES, **chosen).split('class="toplinks')[1].split("</ul>")[0]
        return words(toplinks.partition(">")[2]).split()

    assert links() == ["2022", "2024", "2026"]
    assert links(exit_time__year=2024)[-10:-8] == ["March", "April"]
    assert links(exit_time__year=2026)[-2:] == ["January", "February"]
    assert links(exit_time__year=2024, exit_time__month=2)[-1] == "29"
    assert shown(staff, TRADES, exit_time__year=2024) == [old.pk]
    assert shown(staff, TRADES, exit_time__year=2026, exit_time__month=2) == [new.pk]
    day = {"exit_time__year": 2026, "exit_time__month": 2, "exit_time__day": 1}
    assert shown(staff, TRADES, **day) == [new.pk]
    assert "Nothing matches" in page(staff, TRADES, exit_time__year=2023)


@pytest.mark.parametrize("wrong", ["exit_time__year=x", "exit_time__month=77", "p=x", "o=99", "e"])
def test_what_no_link_says_is_no_fault_of_ours(staff: Client, wrong: str) -> None:
    TradeFactory()
    answer = staff.get(f"{reverse('admin:trades_trade_changelist')}?{wrong}", follow=True)
    assert answer.status_code == 200
