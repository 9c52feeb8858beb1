"""Which currencies trades are in, told without reading those that months are summed up of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.factories import StrategyFactory, TradeFactory
from trades.comparison.groups import TradeGroup
from trades.currencies import is_traded_in
from trades.direction import Direction
from trades.imports import Source, import_trades, undo
from trades.monthly import building
from trades.monthly.models import MonthSums

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "WORTH", 1)


def test_trades_are_asked_where_no_month_is_summed_up() -> None:
    assert not is_traded_in("USD")
    TradeFactory(currency="USD")
    assert is_traded_in("USD")
    assert not is_traded_in("usd")


def test_months_are_asked_and_of_the_trades_those_since() -> None:
    TradeFactory(currency="USD")
    building.sum_up("UTC")
    TradeFactory(currency="EUR")
    assert is_traded_in("USD") and is_traded_in("EUR")
    assert not is_traded_in("CHF")
    # What no month knows of cannot be.
    MonthSums.objects.all().delete()
    assert is_traded_in("EUR")
    assert not is_traded_in("USD")


def test_months_are_not_asked_after_an_undo() -> None:
    TradeFactory(currency="USD")
    closed = TradeGroup(
        Direction.LONG, NOON - timedelta(hours=1), Decimal(100), NOON, Decimal(90), Decimal(2)
    )
    source = Source("list.csv", "0" * 64, "UTC", "EUR", None)
    batch = import_trades([closed], StrategyFactory(), "BINANCE:BTCUSDT", source)
    building.sum_up("UTC")
    assert is_traded_in("EUR")
    undo(batch.pk, None)
    assert is_traded_in("USD")
    assert not is_traded_in("EUR")
