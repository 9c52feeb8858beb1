"""What is open, by book."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from positions.exposure import OpenPosition, open_positions, symbols_held
from tests.factories import LotFactory, StrategyFactory, WebhookLogFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_lots_of_a_book_are_one_position() -> None:
    LotFactory(quantity=Decimal(3), entry_price=Decimal(100), entry_time=NOW - 5 * HOUR)
    LotFactory(quantity=Decimal("0.5"), entry_price=Decimal(170), entry_time=NOW - HOUR)
    (position,), number = open_positions(most=5, now=NOW)
    assert number == 1
    assert position == OpenPosition(
        strategy="Alpha",
        symbol="BINANCE:BTCUSDT",
        direction="long",
        lots=2,
        quantity=Decimal("3.5"),
        entry_price=Decimal(110),  # (3 × 100 + 0.5 × 170) / 3.5
        oldest=NOW - 5 * HOUR,
        age=5 * HOUR,
    )


def test_the_oldest_come_first_and_the_rest_is_counted() -> None:
    for hours, name in enumerate(["youngest", "middle", "oldest"]):
        strategy = StrategyFactory(name=name)
        LotFactory(strategy=strategy, symbol=f"S:{name}", entry_time=NOW - hours * HOUR)
    found, number = open_positions(most=2, now=NOW)
    assert ([each.strategy for each in found], number) == (["oldest", "middle"], 3)
    assert open_positions(strategy="middle", most=2, now=NOW)[1] == 1
    assert open_positions(symbol="S:oldest", most=2, now=NOW)[1] == 1
    assert symbols_held() == {"S:youngest", "S:middle", "S:oldest"}


def test_what_is_closed_is_not_open() -> None:
    LotFactory(status="closed", exit_webhook_log=WebhookLogFactory(status="processed"))
    assert open_positions(most=5, now=NOW) == ([], 0)
    assert symbols_held() == set()
