"""Which alerts are one order, and which are two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from tests.alerts import Poster
from webhooks.models import WebhookLog


def test_untimed_alerts_are_one_within_duplicate_seconds(post: Poster, settings: Settings) -> None:
    settings.DUPLICATE_SECONDS = 60
    first = post(time=None)
    assert post(time=None)["webhook_log_id"] == first["webhook_log_id"]
    WebhookLog.objects.update(received_at=datetime.now(UTC) - timedelta(seconds=61))
    assert post(time=None)["status"] == "processed"


@pytest.mark.parametrize(
    "changed",
    [
        {"price": "101"}, {"quantity": "2"}, {"action": "sell"}, {"order_id": "b"},
        {"time": "2026-01-05T14:31:00Z"}, {"timenow": "2026-01-05T14:30:09Z"},
        {"prev_market_position_size": "1"}, {"market_position_size": "2"},
        {"strategy": "Beta"}, {"symbol": "ETH"}, {"comment": "TP 2"}, {"interval": "15"},
        {"timestamp": "2026-01-05T14:30:09Z"},
    ],
)  # fmt: skip
def test_another_order_is_no_duplicate(post: Poster, changed: dict[str, Any]) -> None:
    common: dict[str, Any] = {
        "prev_market_position": "long",
        "prev_market_position_size": "0.5",
        "market_position": "long",
        "market_position_size": "1",
        "comment": "TP 1",
        "interval": "5",
    }
    post(**common)
    assert post(**(common | changed))["status"] == "processed"


def test_an_exit_is_no_duplicate_of_the_entry_it_follows(post: Poster) -> None:
    """Both speak of the long side, and of the same quantity, price and time."""
    post()
    assert post(action="exit_long")["action"] == "closed"


@pytest.mark.parametrize(
    "same",
    [
        {"quantity": 1.0},
        {"price": "100.00"},
        {"time": 1767623400000},
        {"action": "BUY"},
        # What a relay may add.
        {"attempt": 2},
        {"commission": "0.1"},
        {"pnl": "0.0"},
    ],
)
def test_the_same_order_spelled_otherwise_is_a_duplicate(
    post: Poster, same: dict[str, Any]
) -> None:
    post()
    assert post(**same)["status"] == "duplicate"
