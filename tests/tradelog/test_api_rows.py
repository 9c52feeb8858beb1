"""What the API's rows say, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from positions.models import Lot
from tests.alerts import Poster
from tests.environment import TOKEN
from tests.factories import LotFactory, StrategyFactory, TradeFactory, WebhookLogFactory
from tests.tradelog.api import Reader
from tradelog import session
from tradelog.timezones import choose
from trades.corrections import correct
from trades.models import ImportBatch, Trade
from webhooks.models import WebhookLog

EXACT = D("123456789012345678.123456789012345678")
TEXT = "123456789012345678.123456789012345678"


@pytest.fixture
def round_trip(api: Reader, post: Poster) -> None:
    """One lot that was entered and closed, with reported P&L and a commission."""
    post(quantity="2", price="100.5", commission="1.25")
    post(
        action="exit", quantity="2", price="110.5", time="2026-01-05T15:00:00.250Z", pnl="7",
        token=TOKEN,
    )  # fmt: skip


def test_a_trade(api: Reader, round_trip: None) -> None:
    trade, lot = Trade.objects.get(), Lot.objects.get()
    entry, exit_ = WebhookLog.objects.order_by("pk")
    [told] = api.rows("trades/")
    expected: dict[str, Any] = {
        "id": trade.pk,
        "strategy": "Alpha",
        "strategy_id": trade.strategy_id,
        "symbol": "BINANCE:BTCUSDT",
        "direction": "long",
        "quantity": "2",
        "entry_price": "100.5",
        "entry_time": "2026-01-05T14:30:00Z",
        "exit_price": "110.5",
        "exit_time": "2026-01-05T15:00:00.250000Z",
        "point_value": "1",
        "commission": "1.25",
        "pnl": "18.75",
        "pnl_reported": "7",
        "pnl_discrepancy": "-11.75",
        "currency": "",
        "correction": None,
        "pnl_counted": "18.75",
        "is_counted": True,
        "position_id": lot.pk,
        "entry_alert_id": entry.pk,
        "entry_correlation_id": str(entry.correlation_id),
        "exit_alert_id": exit_.pk,
        "exit_correlation_id": str(exit_.correlation_id),
        "is_imported": False,
        "import_id": None,
    }
    assert {name: told[name] for name in expected} == expected
    assert told.keys() == {*expected, "created_at"}
    assert api(f"trades/{trade.pk}/").body == {**told, "corrections": []}


def test_a_lot(api: Reader, round_trip: None) -> None:
    lot = Lot.objects.get()
    entry, exit_ = WebhookLog.objects.order_by("pk")
    [told] = api.rows("positions/")
    assert told == {
        "id": lot.pk,
        "status": "closed",
        "strategy": "Alpha",
        "strategy_id": lot.strategy_id,
        "symbol": "BINANCE:BTCUSDT",
        "direction": "long",
        "quantity": "2",
        "entry_price": "100.5",
        "entry_time": "2026-01-05T14:30:00Z",
        "entry_commission": told["entry_commission"],
        "currency": lot.currency,
        "trade_id": lot.trade_id,
        "entry_alert_id": entry.pk,
        "entry_correlation_id": str(entry.correlation_id),
        "exit_alert_id": exit_.pk,
        "exit_correlation_id": str(exit_.correlation_id),
    }
    assert api(f"positions/{lot.pk}/").body == told


def test_an_alert_and_its_message_without_the_token(api: Reader, round_trip: None) -> None:
    last, first = api.rows("alerts/")
    assert (last["action"], last["trade_id"], last["status"]) == (
        "closed", Trade.objects.get().pk, "processed",
    )  # fmt: skip
    assert (first["position_before"], first["position_after"]) == ("0", "2")
    assert "payload" not in last and "source_address" not in last
    whole = api(f"alerts/{last['id']}/").body
    assert '"pnl": "7"' in whole["payload"] and TOKEN not in str(whole)
    assert {name: whole[name] for name in last} == last


def test_a_refused_alert_tells_each_fault(api: Reader, post: Poster) -> None:
    refused = post(price="NaN", action="jump")["webhook_log_id"]
    told = api(f"alerts/{refused}/")
    assert (told["status"], told["error_code"]) == ("rejected", "INVALID_PAYLOAD")
    assert told["error_fields"].keys() == {"price", "action"}


def test_every_digit(api: Reader) -> None:
    huge, tiny = f"1{'0' * 40}.000000000000000001", D("1e-18")
    trade = TradeFactory(
        quantity=EXACT,
        entry_price=tiny,
        exit_price=D("1E+5"),
        commission=D("0.10"),
        pnl=D(f"-{huge}"),
    )
    LotFactory(quantity=EXACT, entry_price=tiny)
    StrategyFactory(name="Exact", default_quantity=tiny, point_value=EXACT)
    told = api(f"trades/{trade.pk}/")
    assert (told["quantity"], told["entry_price"]) == (TEXT, "0.000000000000000001")
    assert (told["exit_price"], told["commission"]) == ("100000", "0.10")
    assert told["pnl"] == told["pnl_counted"] == f"-{huge}"
    [lot] = api.rows("positions/")
    assert (lot["quantity"], lot["entry_price"]) == (TEXT, "0.000000000000000001")
    [strategy] = api.rows("strategies/", name="Exact")
    assert (strategy["default_quantity"], strategy["point_value"]) == (
        "0.000000000000000001", TEXT,
    )  # fmt: skip


def test_what_was_logged_and_what_its_correction_says(api: Reader) -> None:
    trade, never = TradeFactory(), TradeFactory()
    user = User.objects.get()
    first = correct(trade, user=user, reason="filled at 105", exit_price=D(105))
    second = correct(trade, user=user, reason="at 90 after all", exit_price=EXACT)
    correct(never, user=user, reason="never filled", quantity=D(0))
    told = api(f"trades/{trade.pk}/").body
    assert (told["exit_price"], told["pnl"]) == ("101", "1")
    assert told["correction"]["id"] == second.pk
    assert told["correction"]["exit_price"] == TEXT
    assert told["pnl_counted"] == told["correction"]["pnl"] == f"{second.pnl:f}"
    assert (told["correction"]["made_by"], told["correction"]["reason"]) == (
        "reader", "at 90 after all",
    )  # fmt: skip
    assert [each["id"] for each in told["corrections"]] == [second.pk, first.pk]
    assert told["is_counted"] is True
    nothing, corrected = api.rows("trades/")
    assert (nothing["is_counted"], nothing["pnl_counted"], nothing["quantity"]) == (False, "0", "1")
    assert corrected["correction"] == told["correction"]
    assert "corrections" not in corrected


def test_an_imported_trade_is_marked(api: Reader) -> None:
    batch = ImportBatch.objects.create(
        file_name="list.csv", sha256="0" * 64, strategy=StrategyFactory(), symbol="A:A",
        time_zone="UTC", count=1,
    )  # fmt: skip
    TradeFactory(import_batch=batch)
    [told] = api.rows("trades/")
    assert (told["is_imported"], told["import_id"]) == (True, batch.pk)
    assert told["position_id"] is told["entry_alert_id"] is told["exit_correlation_id"] is None


def test_times_are_utc_whatever_zone_the_user_reads_in(databases: None) -> None:
    user = User.objects.create_superuser("trader")
    choose(user, "Asia/Tokyo")
    client = Client()
    client.force_login(user)
    TradeFactory(exit_time=datetime(2026, 1, 5, 14, 30, 0, 123456, tzinfo=UTC))
    client.get("/")
    [told] = client.get("/api/trades/").json()["results"]
    assert told["exit_time"] == "2026-01-05T14:30:00.123456Z"


@pytest.mark.parametrize("path", ["trades/", "positions/", "alerts/", "strategies/"])
def test_what_is_not_there(api: Reader, path: str) -> None:
    for number in ("1", "0", "9" * 30):
        answer = api(f"{path}{number}/")
        assert (answer.http, answer.code) == (404, "NOT_FOUND"), number
    assert api(f"{path}abc/").code == "NOT_FOUND"
    assert api(path).body == {"next": None, "results": []}


@pytest.mark.parametrize("path", ["trades/", "positions/", "alerts/", "strategies/"])
def test_more_rows_take_no_more_queries(api: Reader, path: str) -> None:
    user = User.objects.get()

    def add(name: str) -> None:
        alert = WebhookLogFactory(status="processed")
        trade = TradeFactory(strategy=StrategyFactory(name=name))
        correct(trade, user=user, reason="x", exit_price=D(2))
        LotFactory(
            trade=trade, status="closed", strategy=trade.strategy, entry_webhook_log=alert,
            exit_webhook_log=alert,
        )  # fmt: skip

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            api.rows(path)
        # An answer reads, and never counts all rows.
        assert all(query["sql"].startswith("SELECT") for query in captured.captured_queries)
        assert "COUNT(" not in str(captured.captured_queries)
        return len(captured)

    add("one")
    few = queries()
    for number in range(5):
        add(f"more {number}")
    assert queries() == few <= 5


def test_the_recorded_session(demo: Client, api: Reader) -> None:
    told = api.rows("trades/", page_size=4)
    assert sum(D(row["pnl_counted"]) for row in told) == D("616334.31")
    assert len(told) == len(session.expected_trades()) == 21
