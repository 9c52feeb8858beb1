"""Exits that fail for want of a position: drift, counted once, however often they are tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from tests.alerts import Answer, Poster
from tests.factories import StrategyFactory
from tests.tradelog.test_metrics import Since
from tests.webhooks.test_parking import waited
from trades.models import Strategy
from webhooks import trail
from webhooks.models import WebhookLog
from webhooks.reconcile import find
from webhooks.replay import Choice, replay

EXIT: dict[str, Any] = {
    "action": "exit",
    "price": "110",
    "quantity": "2",
    "prev_market_position": "long",
    "prev_market_position_size": "2",
}

Fail = Callable[..., Answer]


@pytest.fixture(params=["it waited", "none may wait"])
def fail(post: Poster, settings: Settings, request: pytest.FixtureRequest) -> Fail:
    """Posts an exit whose entry never comes."""

    def waiting(**fields: Any) -> Answer:
        posted = post(**EXIT, **fields)
        waited(61)
        list(replay(Choice(entry_ids=frozenset({posted["wal_id"]}))))
        return posted

    def at_once(**fields: Any) -> Answer:
        settings.PARK_SECONDS = 0
        return post(**EXIT, **fields)

    return waiting if request.param == "it waited" else at_once


def marks() -> tuple[Any, ...]:
    return WebhookLog.objects.values_list(
        "status", "error_code", "drift", "position_before", "position_after", "tradingview_before"
    ).get(price=110)


def test_trying_it_again_leaves_it_drift(fail: Fail) -> None:
    since = Since()
    fail()
    for _ in range(2):
        assert marks() == ("failed", "NO_OPEN_POSITION", True, 0, 0, "long 2")
        assert since("tradelog_drift_total") == 1
        list(replay(Choice(failed=True)))
    assert find() == []
    assert list(trail.verify()) == []


def test_the_position_it_found_is_told(fail: Fail, post: Poster) -> None:
    """A short one, which is not what it left."""
    post(action="sell", quantity="3")
    fail(side="long")
    assert marks() == ("failed", "NO_OPEN_POSITION", True, -3, -3, "long 2")
    assert find() == []


def test_a_failed_exit_that_is_applied_after_all_tells_what_it_found(
    fail: Fail, post: Poster
) -> None:
    fail()
    post(quantity="2")
    list(replay(Choice(failed=True)))
    assert marks() == ("processed", "", False, 2, 0, "long 2")
    assert find() == []


def test_the_answer_tells_it(post: Poster, settings: Settings) -> None:
    settings.PARK_SECONDS = 0
    answer = post(**EXIT)
    assert (answer.http, answer["status"], answer.code) == (422, "failed", "NO_OPEN_POSITION")
    assert answer["drift"]["before"] == {"position": "0", "tradingview": "long 2"}
    assert post(**EXIT)["drift"] == answer["drift"]


def test_a_test_alert_marks_nothing(post: Poster, settings: Settings) -> None:
    settings.PARK_SECONDS = 0
    assert "drift" not in post(**EXIT, is_test=True).body


def test_what_failed_otherwise_and_drifts_then_is_counted_then(post: Poster) -> None:
    StrategyFactory(name="Alpha", enabled=False)
    since = Since()
    post(prev_market_position="long", prev_market_position_size="2")
    assert since("tradelog_drift_total") == 0
    Strategy.objects.update(enabled=True)
    list(replay(Choice(failed=True)))
    assert since("tradelog_drift_total") == 1
