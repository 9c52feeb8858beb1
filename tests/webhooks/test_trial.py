"""A test alert goes the whole way, and is nobody's duplicate."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest
from django.test.utils import override_settings

from faults import InvalidJSON, InvalidPayload
from positions.models import Lot
from tests.alerts import Poster, alert
from tests.environment import TOKEN
from trades.models import Strategy
from wal.models import Entry
from webhooks.credentials import configured_tokens
from webhooks.models import WebhookLog
from webhooks.payload import parse
from webhooks.trial import Answer, as_test, send_as_test


def send(message: bytes, number: UUID | None = None) -> Answer:
    return send_as_test(
        message,
        token=configured_tokens()[0],
        address="192.0.2.1",
        correlation_id=number or uuid4(),
    )


def test_it_is_logged_as_a_test_and_moves_nothing(post: Poster) -> None:
    number = uuid4()
    answer = send(json.dumps(alert(quantity="2")).encode(), number)
    assert answer.http_status == 200
    assert answer.body["status"] == "processed" and answer.body["is_test"] is True
    assert answer.body["action"] == "opened"
    log = WebhookLog.objects.get(pk=answer.body["webhook_log_id"])
    assert log.is_test and log.correlation_id == number
    assert (log.token_name, log.source_address) == ("tradingview", "192.0.2.1")
    assert Entry.objects.get(correlation_id=number).status == "completed"
    assert not Lot.objects.exists()


def test_it_takes_no_real_alerts_place(post: Poster) -> None:
    message = json.dumps(alert(idempotency_key="order-7")).encode()
    for _ in range(2):
        assert send(message).body["status"] == "processed"
    assert post(idempotency_key="order-7")["status"] == "processed"
    assert send(message).body["status"] == "processed"


@pytest.mark.parametrize(
    "fields",
    [
        {"isTest": False},
        {"is_test": "false", "Is-Test": "no"},
        {"data": {"is_test": False}},
        {"strategy": {"name": "Alpha", "is_test": False}},
        {"order": {"alert_id": "7"}, "nonce": "8"},
    ],
)
def test_however_the_message_says_otherwise_it_is_a_test(fields: dict[str, object]) -> None:
    signal = parse(as_test(json.dumps(alert(**fields)).encode()))
    assert signal.is_test and signal.given_key.startswith("test-")


def test_numbers_stay_exact() -> None:
    message = (
        b'{"symbol": "A:B", "action": "buy", "price": 0.123456789012345678, "time": 1767623400}'
    )
    before, after = parse(message), parse(as_test(message))
    assert (after.price, after.time) == (before.price, before.time)


def test_what_cannot_be_read_is_not_sent(post: Poster) -> None:
    with pytest.raises(InvalidJSON):
        send(b"{")
    with pytest.raises(InvalidPayload):
        send(b'{"action": "buy"}')
    assert not Entry.objects.exists()


def test_a_fault_is_answered_as_it_would_be(post: Poster) -> None:
    Strategy.objects.create(name="Alpha", enabled=False)
    answer = send(json.dumps(alert()).encode())
    assert answer.http_status == 422
    assert answer.body["error"]["code"] == "STRATEGY_DISABLED"
    assert WebhookLog.objects.get().is_test


def test_an_address_that_may_not_post_may_try(post: Poster) -> None:
    with override_settings(WEBHOOK_ALLOWED_IPS=["203.0.113.0/24"], WEBHOOK_TOKEN_RATE="1/h"):
        for _ in range(3):
            assert send(json.dumps(alert()).encode()).http_status == 200


def test_no_token_is_kept(post: Poster) -> None:
    send(json.dumps(alert(comment=f"see {TOKEN}", token=TOKEN)).encode())
    assert TOKEN not in WebhookLog.objects.get().payload
    assert TOKEN.encode() not in bytes(Entry.objects.get().body)
