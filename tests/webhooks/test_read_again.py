"""Alerts that are read once more from their rows: without their key, and by another version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from faults import InvalidPayload
from positions.models import Lot
from tests.alerts import Poster
from tests.webhooks.test_parking import statuses, waited
from trades.models import Trade
from wal.models import Entry
from webhooks.models import WebhookLog
from webhooks.outcome import KeyReused
from webhooks.payload import parse
from webhooks.reconcile import find, mend
from webhooks.replay import Choice, replay
from webhooks.signal import Signal
from webhooks.trade_audit import audit

EXIT: dict[str, Any] = {"action": "exit", "price": "110", "comment": "the exit"}
LEFT_LONG = {"prev_market_position": "long", "prev_market_position_size": "1"}
BY_HEADER = {"Idempotency-Key": "exit-1"}


@pytest.fixture(params=[{"alert_id": {"n": 1}}, {"nonce": "n" * 201}], ids=["no text", "too long"])
def parked(post: Poster, request: pytest.FixtureRequest) -> dict[str, Any]:
    """An exit whose key came as a header; the one in its message could not be read."""
    fields: dict[str, Any] = EXIT | LEFT_LONG | request.param
    assert post(headers=BY_HEADER, **fields)["status"] == "parked"
    return fields


def test_a_key_that_did_not_count_holds_nobody_up(parked: dict[str, Any], post: Poster) -> None:
    assert post()["action"] == "opened"
    assert Trade.objects.get().pnl == 10
    assert find() == []
    assert list(audit()) == []
    again = post(headers=BY_HEADER, **parked | {"price": "111"})
    assert again["error"]["message"] == KeyReused().message


def test_a_key_that_did_not_count_and_a_lost_entry(parked: dict[str, Any]) -> None:
    Entry.objects.all().delete()
    waited(180)
    assert [finding.kind for finding in find()] == ["parked_without_entry"]
    assert mend()[1] == []
    assert WebhookLog.objects.values_list("status", "drift").get() == ("failed", True)


def refuse(signal: Signal) -> Signal:
    raise InvalidPayload("1 field cannot be read: comment")


def fail(signal: Signal) -> Signal:
    raise RecursionError


def take_for_another(signal: Signal) -> Signal:
    return replace(signal, strategy="Another")


@pytest.mark.parametrize("read_now", [refuse, fail, take_for_another])
def test_what_is_read_otherwise_by_now_fails_in_its_time(
    post: Poster, monkeypatch: pytest.MonkeyPatch, read_now: Callable[[Signal], Signal]
) -> None:
    parked = post(**EXIT)

    def parse_now(body: bytes, given_key: str = "") -> Signal:
        signal = parse(body, given_key)
        return read_now(signal) if signal.comment == EXIT["comment"] else signal

    monkeypatch.setattr("webhooks.reading.parse", parse_now)
    assert post()["action"] == "opened"
    assert statuses() == [("parked", "NO_OPEN_POSITION"), ("processed", "")]
    waited(61)
    list(replay(Choice(entry_ids=frozenset({parked["wal_id"]}))))
    assert statuses() == [("failed", "NO_OPEN_POSITION"), ("processed", "")]
    assert Entry.objects.get(pk=parked["wal_id"]).status == "failed"
    assert WebhookLog.objects.get(status="failed").position_before is None, "its book is not told"
    assert Lot.objects.get().status == "open"
    assert find() == []
