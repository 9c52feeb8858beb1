"""Drift: TradingView's position is another than the one in the lots."""

from __future__ import annotations

from tests.alerts import Poster
from webhooks.models import WebhookLog


def test_drift_before_means_a_missed_alert(post: Poster) -> None:
    answer = post(
        prev_market_position="long",
        prev_market_position_size="2",
        market_position="long",
        market_position_size="3",
    )
    assert answer["drift"] == {
        "before": {"position": "0", "tradingview": "long 2"},
        "after": {"position": "1", "tradingview": "long 3"},
    }
    assert WebhookLog.objects.get().drift


def test_drift_after_means_another_quantity(post: Poster) -> None:
    answer = post(prev_market_position="flat", market_position="long", market_position_size="2")
    assert answer["drift"]["after"] == {"position": "1", "tradingview": "long 2"}


def test_drift_tells_small_quantities_in_digits(post: Poster) -> None:
    answer = post(quantity="0.00000001", market_position="long", market_position_size="0.00000003")
    assert answer["drift"]["after"] == {"position": "0.00000001", "tradingview": "long 0.00000003"}


def test_no_drift_where_views_agree(post: Poster) -> None:
    answer = post(
        prev_market_position="flat",
        prev_market_position_size="0",
        market_position="long",
        market_position_size="1.0",
    )
    assert "drift" not in answer.body
    assert not WebhookLog.objects.get().drift
