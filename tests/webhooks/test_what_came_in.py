"""What came in stays in a row as it was read then, though another version reads it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from positions.models import Lot
from tests.alerts import Poster
from tests.factories import StrategyFactory
from trades.models import Strategy, Trade
from webhooks import trail
from webhooks.models import WebhookLog
from webhooks.payload import parse
from webhooks.reconcile import find, mend
from webhooks.replay import Choice, replay
from webhooks.signal import Signal
from webhooks.trade_audit import audit

#: What an earlier version read of it, and what is read now.
THEN = datetime(2026, 1, 5, 13, 30, tzinfo=UTC)
NOW = THEN + timedelta(hours=1)

PostThen = Callable[..., Any]


@pytest.fixture
def post_then(post: Poster, monkeypatch: pytest.MonkeyPatch) -> PostThen:
    """Posts an alert to an earlier version, which reads these of its values otherwise."""

    def post_then(read: dict[str, Any], **fields: Any) -> Any:
        def parse_then(body: bytes, given_key: str = "") -> Signal:
            return replace(parse(body, given_key), **read)

        with monkeypatch.context() as then:
            then.setattr("webhooks.reading.parse", parse_then)
            return post(**fields)

    return post_then


def retry() -> None:
    Strategy.objects.update(enabled=True)
    list(replay(Choice(failed=True)))


def assert_whole() -> None:
    assert list(trail.verify()) == []
    assert find() == []
    assert list(audit()) == []


def test_a_failed_alert_that_is_tried_again(post_then: PostThen, post: Poster) -> None:
    StrategyFactory(name="Alpha", enabled=False)
    post_then({"time": THEN, "given_key": "then"})
    retry()
    log = WebhookLog.objects.get()
    assert (log.status, log.order_time, log.idempotency_key) == ("processed", THEN, "then")
    assert Lot.objects.get().entry_time == THEN
    post(action="exit", price="110", time="2026-01-05T15:00:00Z")
    assert Trade.objects.get().entry_time == THEN
    assert_whole()


def test_what_came_in_is_not_written_again(post: Poster) -> None:
    post()
    log = WebhookLog.objects.get()
    came_in = log.order_time, log.payload
    log.order_time, log.payload, log.processed_at = NOW, "{}", NOW
    trail.record([log], {})
    log.refresh_from_db()
    assert (log.order_time, log.payload) == came_in
    assert log.processed_at == NOW
    assert_whole()


@pytest.mark.parametrize("read", [{"symbol": "THEN"}, {"strategy": "Then"}])
def test_a_failed_alert_that_is_of_another_book_now(
    post_then: PostThen, post: Poster, read: dict[str, str]
) -> None:
    post(symbol="THEN")
    for name in ("Alpha", "Then"):
        Strategy.objects.update_or_create(name=name, defaults={"enabled": False})
    failed = post_then(read, order_id="2")
    retry()
    log = WebhookLog.objects.get(pk=failed["webhook_log_id"])
    assert (log.status, log.error_code) == ("failed", "STRATEGY_DISABLED")
    assert Lot.objects.count() == 1
    assert_whole()


@pytest.mark.parametrize("place", [1, 2])
def test_a_book_that_is_mended(post_then: PostThen, post: Poster, place: int) -> None:
    if place == 2:
        post(time="2026-01-05T12:00:00Z")
    alert_id = post_then({"time": THEN})["webhook_log_id"]
    assert_whole()
    WebhookLog.objects.filter(pk=alert_id).update(action="closed", quantity=7)
    assert find()
    assert mend()[1] == []
    log = WebhookLog.objects.get(pk=alert_id)
    assert (log.quantity, log.order_time) == (1, THEN)
    assert_whole()


def test_a_time_that_did_not_come_in_so_is_mended(post: Poster) -> None:
    """The trail tells that it was changed since."""
    post()
    WebhookLog.objects.update(order_time=THEN)
    assert len(list(trail.verify())) == 1
    assert mend()[1] == []
    assert WebhookLog.objects.get().order_time == NOW
    assert_whole()
