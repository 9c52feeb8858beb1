"""Which alerts are one order, and which are two."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from positions.models import Lot
from tests.alerts import Answer, Poster, alert
from tests.environment import BOUND_TO, BOUND_TOKEN
from tests.factories import StrategyFactory
from wal.models import Entry
from webhooks.identity import identity
from webhooks.models import WebhookLog
from webhooks.outcome import Duplicate, DuplicateOfFailed, KeyReused
from webhooks.payload import parse


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


def test_a_key_that_another_order_had_is_told(post: Poster) -> None:
    """A template with one key in it for good: all orders but the first have no effect."""
    post(idempotency_key="always the same")
    answer = post(action="exit", price="110", idempotency_key="always the same")
    assert (answer.http, answer["status"], answer.code) == (200, "duplicate", "DUPLICATE")
    assert answer["error"]["message"] == KeyReused().message != Duplicate().message
    assert Lot.objects.get().status == "open"
    noted = Entry.objects.order_by("id").values_list("status", "last_error")
    assert list(noted) == [("completed", ""), ("duplicate", KeyReused().message)]


def post_bound(post: Poster, **fields: Any) -> Answer:
    return post(path=f"/webhook/{BOUND_TOKEN}/", strategy=BOUND_TO, **fields)


@pytest.mark.parametrize("time", ["2026-01-05T14:30:00Z", None])
def test_a_key_is_its_strategys(post: Poster, time: str | None) -> None:
    """By a token of one strategy nobody takes another's keys, nor asks what its alerts did."""
    squatted = post_bound(post, idempotency_key="k1", time=time)
    answers = [post(strategy="Beta", idempotency_key="k1", time=time) for _ in range(2)]
    assert [answer["status"] for answer in answers] == ["processed", "duplicate"]
    assert (
        answers[0]["webhook_log_id"] == answers[1]["webhook_log_id"] != squatted["webhook_log_id"]
    )
    assert answers[1]["error"]["message"] == Duplicate().message
    post(strategy="Beta", idempotency_key="k2", time=time)
    assert post_bound(post, idempotency_key="k2", time=time)["status"] == "processed"
    lots = Lot.objects.order_by("id").values_list("strategy__name", flat=True)
    assert list(lots) == [BOUND_TO, "Beta", "Beta", BOUND_TO]


def test_nobody_takes_the_key_of_an_order_that_tells_none(post: Poster) -> None:
    coming = json.dumps(alert(strategy="Beta")).encode()
    post_bound(post, idempotency_key=identity(parse(coming)))
    assert [post(coming)["status"] for _ in range(2)] == ["processed", "duplicate"]


@pytest.mark.parametrize(
    "again", [{}, {"time": "2026-01-05T14:31:00Z", "timenow": 1767623460}, {"comment": "again"}]
)
def test_an_order_sent_again_under_its_key_is_a_plain_duplicate(
    post: Poster, again: dict[str, Any]
) -> None:
    post(idempotency_key="k")
    answer = post(idempotency_key="k", **again)
    assert answer["error"]["message"] == Duplicate().message
    assert Entry.objects.get(status="duplicate").last_error == ""


def test_a_duplicate_of_what_was_refused_says_so_and_notes_no_fault(post: Poster) -> None:
    StrategyFactory(name="Alpha", enabled=False)
    post(idempotency_key="k")
    answer = post(idempotency_key="k")
    assert answer["status"] == "duplicate"
    assert answer["error"]["message"] == DuplicateOfFailed().message
    assert Entry.objects.get(status="duplicate").last_error == ""
