"""The Contract's table of answers, row by row, from a request to its answer."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.environment import BOUND_TOKEN, TOKEN
from tests.factories import StrategyFactory
from trades.models import Strategy, Trade
from wal.models import Entry
from webhooks.models import WebhookLog


def test_processed_answer_has_ids_that_lead_to_the_rows(post: Poster) -> None:
    opened = post()
    closed = post(action="exit", price="110", time="2026-01-05T15:00:00Z")

    assert (opened.http, opened["status"], opened["action"]) == (200, "processed", "opened")
    assert (closed.http, closed["status"], closed["action"]) == (200, "processed", "closed")
    trade = Trade.objects.get(pk=closed["trade_id"])
    lot = Lot.objects.get(pk=opened["position_id"])
    assert closed["trade_ids"] == [trade.pk]
    assert lot.trade == trade
    assert (lot.entry_webhook_log_id, lot.exit_webhook_log_id) == (
        opened["webhook_log_id"],
        closed["webhook_log_id"],
    )
    log = WebhookLog.objects.get(pk=closed["webhook_log_id"])
    entry = Entry.objects.get(pk=closed["wal_id"])
    assert log.trade == trade
    assert entry.webhook_log_id == log.pk
    assert entry.status == "completed"
    assert str(log.correlation_id) == str(entry.correlation_id) == closed["correlation_id"]
    assert closed.headers["X-Correlation-ID"] == closed["correlation_id"]


def test_duplicate_answers_200_with_the_first_ones_ids(post: Poster) -> None:
    post()
    first = post(action="exit", price="110")
    second = post(action="exit", price="110")

    assert (second.http, second["status"], second.code) == (200, "duplicate", "DUPLICATE")
    for name in ("webhook_log_id", "position_id", "trade_id", "trade_ids"):
        assert second[name] == first[name]
    assert second["correlation_id"] != first["correlation_id"]
    assert Trade.objects.count() == 1
    assert list(Entry.objects.order_by("id").values_list("status", flat=True)) == [
        "completed",
        "completed",
        "duplicate",
    ]


def test_parked_exit_answers_202(post: Poster) -> None:
    answer = post(action="exit")
    assert (answer.http, answer["status"], answer.code) == (202, "parked", "NO_OPEN_POSITION")
    assert WebhookLog.objects.get().status == "parked"
    assert Entry.objects.get().status == "parked"


@pytest.mark.parametrize("body", [b"{", b"buy now", b"[1]", b"", b"\xff\x00", b'"text"'])
def test_no_json_is_refused_and_kept(post: Poster, body: bytes) -> None:
    answer = post(body)
    assert (answer.http, answer["status"], answer.code) == (400, "rejected", "INVALID_JSON")
    log = WebhookLog.objects.get(pk=answer["webhook_log_id"])
    assert (log.status, log.error_code) == ("rejected", "INVALID_JSON")
    assert bytes(Entry.objects.get(pk=answer["wal_id"]).body) == body
    assert Entry.objects.get().status == "failed"


def test_every_fault_of_a_payload_is_named_at_once(post: Poster) -> None:
    answer = post(action="hold", price="NaN", quantity="-1", time="yesterday")
    assert (answer.http, answer["status"], answer.code) == (400, "rejected", "INVALID_PAYLOAD")
    assert set(answer["error"]["fields"]) == {"action", "price", "quantity", "time"}
    assert WebhookLog.objects.get().error_fields == answer["error"]["fields"]


def test_a_refused_alert_is_kept_as_the_one_of_its_strategy(post: Poster) -> None:
    answer = post(strategy="Alpha", price="NaN", is_test=True, time="2026-01-05T15:00:00Z")
    log = WebhookLog.objects.get(pk=answer["webhook_log_id"])
    assert (log.status, log.strategy, log.symbol) == ("rejected", "Alpha", "BINANCE:BTCUSDT")
    assert (log.is_test, log.order_time) == (True, datetime(2026, 1, 5, 15, tzinfo=UTC))
    # Nothing of it was believed, so no strategy comes of it.
    assert not Strategy.objects.exists()


def test_without_a_valid_token_nothing_is_stored(post: Poster) -> None:
    for path in ("/webhook/", "/webhook/wrong/"):
        answer = post(path=path)
        assert (answer.http, answer["status"], answer.code) == (401, "rejected", "INVALID_TOKEN")
    assert not Entry.objects.exists()
    assert not WebhookLog.objects.exists()


def test_bound_token_speaks_for_its_strategy_alone(post: Poster) -> None:
    path = f"/webhook/{BOUND_TOKEN}/"
    assert post(path=path, strategy="Alpha")["status"] == "processed"
    other = post(path=path, strategy="Beta")
    assert (other.http, other["status"], other.code) == (403, "rejected", "STRATEGY_NOT_ALLOWED")
    assert WebhookLog.objects.get(strategy="Beta").status == "rejected"
    assert not Lot.objects.filter(strategy__name="Beta").exists()
    # A refused alert does not use up the key of an allowed one.
    assert post(strategy="Beta")["status"] == "processed"


def test_disabled_strategy_fails_and_is_kept(post: Poster) -> None:
    StrategyFactory(name="Alpha", enabled=False)
    answer = post()
    assert (answer.http, answer["status"], answer.code) == (422, "failed", "STRATEGY_DISABLED")
    assert WebhookLog.objects.get().status == "failed"
    assert not Lot.objects.exists()


def test_test_alert_is_logged_in_full_and_moves_nothing(post: Poster) -> None:
    answer = post(is_test=True)
    assert (answer.http, answer["status"], answer["action"]) == (200, "processed", "opened")
    log = WebhookLog.objects.get(pk=answer["webhook_log_id"])
    assert (log.is_test, log.strategy, log.price) == (True, "Alpha", Decimal(100))
    assert (log.direction, log.quantity) == ("long", 1)
    assert not Lot.objects.exists()
    # The real one that follows is no duplicate of it.
    assert post()["status"] == "processed"


@pytest.mark.parametrize("name", ["token", "key", "secret", "passphrase", "api_token", "apiToken"])
def test_token_in_the_body(post: Poster, name: str) -> None:
    fields: dict[str, Any] = {name: TOKEN}
    answer = post(path="/webhook/", **fields)
    assert answer["status"] == "processed"


def test_token_as_bearer(post: Poster) -> None:
    answer = post(path="/webhook/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer["status"] == "processed"


def test_unknown_fields_are_kept(post: Poster) -> None:
    post(moon_phase="waxing")
    assert json.loads(WebhookLog.objects.get().payload)["moon_phase"] == "waxing"


def test_idempotency_key_by_header_and_field(post: Poster) -> None:
    first = post(headers={"Idempotency-Key": "order-17"})
    again = post(idempotency_key="order-17", price="999", symbol="OTHER")
    assert again["status"] == "duplicate"
    assert again["webhook_log_id"] == first["webhook_log_id"]
    assert WebhookLog.objects.get().idempotency_key == "order-17"


def test_a_test_does_not_use_up_its_key(post: Poster) -> None:
    tested = post(idempotency_key="k1", is_test=True)
    assert post(idempotency_key="k1", is_test=True)["webhook_log_id"] == tested["webhook_log_id"]
    assert post(idempotency_key="k1")["status"] == "processed"
    assert post(idempotency_key="k1")["status"] == "duplicate"
    assert Lot.objects.count() == 1


def test_get_is_answered_in_json(post: Poster) -> None:
    response = post.client.get(f"/webhook/{TOKEN}/")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert TOKEN not in response.content.decode()


def test_correlation_id_is_ours(post: Poster) -> None:
    theirs = str(uuid.uuid4())
    answer = post(headers={"X-Correlation-ID": theirs})
    assert answer["correlation_id"] != theirs


def test_larger_than_64_kib_is_refused(post: Poster) -> None:
    largest = json.dumps(alert()).ljust(65_536)
    answer = post(largest + " ")
    assert (answer.http, answer["status"], answer.code) == (413, "rejected", "PAYLOAD_TOO_LARGE")
    assert not Entry.objects.exists()
    assert post(largest)["status"] == "processed"
