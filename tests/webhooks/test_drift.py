"""Drift: TradingView's position is another than the one in the lots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.alerts import Poster
from webhooks.drift import books_apart
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


LONG_3: dict[str, Any] = {"market_position": "long", "market_position_size": "3"}


def apart(strategy: str | None = None) -> list[tuple[str, str, str, int]]:
    return [
        (book.strategy, book.tradingview, book.here, book.alert) for book in books_apart(strategy)
    ]


def test_a_book_is_apart_from_what_tradingview_told_last(post: Poster) -> None:
    post(strategy="Beta", market_position="long", market_position_size="1")
    answer = post(**LONG_3)
    assert apart() == apart("Alpha") == [("Alpha", "long 3", "long 1", answer["webhook_log_id"])]
    assert apart("Beta") == []
    # What tells no position leaves it as it was.
    post(time="2026-01-05T15:00:00Z")
    assert apart()[0][1:3] == ("long 3", "long 1")


@pytest.mark.parametrize(
    "after",
    [
        {"action": "exit", "market_position": "flat"},
        {"quantity": "2", **LONG_3},
        {"quantity": "2", "market_position": "long"},
    ],
)
def test_it_is_over_once_both_tell_the_same(post: Poster, after: dict[str, Any]) -> None:
    post(**LONG_3)
    # Before this one they differ still.
    answer = post(
        time="2026-01-05T15:00:00Z",
        prev_market_position="long",
        prev_market_position_size="3",
        **after,
    )
    assert "drift" in answer.body
    assert apart() == []


def test_flat_is_told_as_flat(post: Poster) -> None:
    answer = post(signal_type="entry", market_position="flat")
    assert apart() == [("Alpha", "flat", "long 1", answer["webhook_log_id"])]
    answer = post(action="exit", time="2026-01-05T15:00:00Z", **LONG_3)
    assert apart() == [("Alpha", "long 3", "flat", answer["webhook_log_id"])]


def test_the_last_is_the_last_that_had_its_effect(post: Poster) -> None:
    """An exit that waited has an older id than its entry."""
    waited = post(action="exit", market_position="long", market_position_size="2")
    post(market_position="long", market_position_size="1")
    assert apart() == [("Alpha", "long 2", "flat", waited["webhook_log_id"])]


def test_as_json_it_has_all(post: Poster) -> None:
    answer = post(**LONG_3)
    log = WebhookLog.objects.get()
    assert [book.as_json() for book in books_apart()] == [
        {
            "strategy": log.strategy,
            "symbol": log.symbol,
            "alert": answer["webhook_log_id"],
            "received_at": log.received_at.isoformat(),
            "tradingview": "long 3",
            "here": "long 1",
        }
    ]
