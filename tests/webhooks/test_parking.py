"""Exits that come before their entries."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from positions.models import Lot
from tests.alerts import Poster, alert
from trades.models import Trade
from wal import journal
from wal.models import Entry
from webhooks.models import WebhookLog
from webhooks.outcome import Duplicate, DuplicateOfParked
from webhooks.replay import Choice, replay

EXIT: dict[str, Any] = {"action": "exit", "price": "110"}


def test_parked_exit_is_applied_right_after_its_entry(post: Poster) -> None:
    parked = post(**EXIT)
    entered = post()
    assert entered["action"] == "opened"
    trade = Trade.objects.get()
    assert (trade.entry_price, trade.exit_price) == (100, 110)
    log = WebhookLog.objects.get(pk=parked["webhook_log_id"])
    assert (log.status, log.error_code, log.action, log.trade) == ("processed", "", "closed", trade)
    entry = Entry.objects.get(pk=parked["wal_id"])
    assert (entry.status, entry.webhook_log_id) == ("completed", log.pk)


def test_a_parked_exit_closes_a_part_of_what_its_entry_opens(post: Poster) -> None:
    parked = post(**EXIT, quantity="1")
    entered = post(quantity="3")
    rest, part = Lot.objects.order_by("id")
    assert (rest.pk, rest.quantity, rest.exit_webhook_log_id) == (entered["position_id"], 2, None)
    assert (part.quantity, part.exit_webhook_log_id) == (1, parked["webhook_log_id"])
    assert {lot.entry_webhook_log_id for lot in (rest, part)} == {entered["webhook_log_id"]}


@pytest.mark.parametrize("before", [{"prev_market_position": "long"}, {}])
def test_a_plain_sell_that_left_a_part_waits_for_its_entry(
    post: Poster, before: dict[str, Any]
) -> None:
    after: dict[str, Any] = {"market_position": "long", "market_position_size": "13"}
    assert post(action="sell", quantity="7", price="110", **after, **before)["status"] == "parked"
    assert post(quantity="20", market_position="long", market_position_size="20")
    trade = Trade.objects.get()
    assert (trade.direction, trade.quantity, trade.pnl) == ("long", 7, 70)
    assert Lot.objects.get(status="open").quantity == 13


def test_the_parked_exits_duplicate_has_its_ids(post: Poster) -> None:
    parked = post(**EXIT)
    again = post(**EXIT)
    assert again["webhook_log_id"] == parked["webhook_log_id"]
    assert again["error"]["message"] == DuplicateOfParked().message
    assert WebhookLog.objects.count() == 1
    post()
    assert post(**EXIT)["error"]["message"] == Duplicate().message


@pytest.mark.parametrize(
    ("leaving", "entering", "belongs"),
    [
        pytest.param("14:30", "14:30", True, id="one bar"),
        pytest.param("14:35", "14:30", True, id="after it"),
        pytest.param("14:25", "14:30", False, id="ordered before it"),
        pytest.param(None, "14:30", True, id="untimed exit"),
        pytest.param("14:25", None, True, id="untimed entry"),
    ],
)
def test_it_belongs_by_its_time(
    post: Poster, leaving: str | None, entering: str | None, belongs: bool
) -> None:
    post(**EXIT, time=leaving and f"2026-01-05T{leaving}:00Z")
    post(time=entering and f"2026-01-05T{entering}:00Z")
    assert Trade.objects.exists() is belongs


@pytest.mark.parametrize(("second", "belongs"), [(1, False), (2, True), (3, True)])
def test_within_a_bar_the_sending_time_decides(post: Poster, second: int, belongs: bool) -> None:
    post(**EXIT, timenow=f"2026-01-05T14:30:0{second}Z")
    post(timenow="2026-01-05T14:30:02Z")
    assert Trade.objects.exists() is belongs


@pytest.mark.parametrize(
    ("leaving", "entering", "belongs"),
    [
        pytest.param({"time": "14:30"}, {"timenow": "14:40"}, True, id="bar and sending"),
        pytest.param({"timenow": "14:29"}, {"time": "14:30"}, True, id="sending and bar"),
        pytest.param(
            {"time": "14:30", "timenow": "14:39"}, {"timenow": "14:40"}, False, id="sent before it"
        ),
        pytest.param(
            {"timenow": "14:41"}, {"time": "14:45", "timenow": "14:40"}, True, id="sent after it"
        ),
    ],
)
def test_times_of_two_kinds_are_not_compared(
    post: Poster, leaving: dict[str, str], entering: dict[str, str], belongs: bool
) -> None:
    def times(told: dict[str, str]) -> dict[str, Any]:
        return {"time": None} | {name: f"2026-01-05T{time}:00Z" for name, time in told.items()}

    post(**EXIT, **times(leaving))
    post(**times(entering))
    assert Trade.objects.exists() is belongs


@pytest.mark.parametrize("timenow", [None, "2026-01-05T14:30:02Z"])
@pytest.mark.parametrize(
    "left",
    [
        {"action": "sell", "prev_market_position": "long", "prev_market_position_size": "1"},
        {"action": "sell"},
        {"action": "close", "side": "long"},
    ],
)
def test_an_exit_of_the_other_side_waits_on(
    post: Poster, left: dict[str, Any], timenow: str | None
) -> None:
    """The entry that it left was lost; at the same bar's close the other side is entered."""
    post(market_position="flat", timenow=timenow, **left)
    post(action="sell", market_position="short", prev_market_position="flat", timenow=timenow)
    assert statuses() == [("parked", "NO_OPEN_POSITION"), ("processed", "")]
    assert Lot.objects.get().status == "open"


@pytest.mark.parametrize("left", [{"prev_market_position": "long"}, {}])
def test_an_exit_of_its_side_belongs_to_an_entry(post: Poster, left: dict[str, Any]) -> None:
    post(action="sell", market_position="flat", **left)
    post(market_position="long", prev_market_position="flat")
    assert Trade.objects.exists()


def test_of_two_parked_exits_the_first_has_the_entry(post: Poster) -> None:
    post(**EXIT, order_id="first")
    post(**EXIT, order_id="second")
    post()
    assert Trade.objects.count() == 1
    assert statuses() == [("processed", ""), ("parked", "NO_OPEN_POSITION"), ("processed", "")]


def test_parked_exits_go_by_their_own_times(post: Poster) -> None:
    """The second target's came first, and it leaves nothing open."""

    def at(second: int) -> dict[str, Any]:
        return {"time": "2026-01-05T14:00:00Z", "timenow": f"2026-01-05T14:30:0{second}Z"}

    flat: dict[str, Any] = {
        "prev_market_position": "long", "prev_market_position_size": "1",
        "market_position": "flat", "market_position_size": "0",
    }  # fmt: skip
    rest: dict[str, Any] = {
        "prev_market_position": "long", "prev_market_position_size": "2",
        "market_position": "long", "market_position_size": "1",
    }  # fmt: skip
    assert post(action="sell", quantity="1", price="111", **flat, **at(3))["status"] == "parked"
    assert post(action="sell", quantity="1", price="110", **rest, **at(2))["status"] == "parked"
    assert post(quantity="2", price="100", **at(1))["status"] == "processed"
    trades = Trade.objects.order_by("id")
    assert [(trade.quantity, trade.exit_price) for trade in trades] == [(1, 110), (1, 111)]


def test_test_alerts_release_nothing(post: Poster) -> None:
    post(**EXIT)
    post(is_test=True)
    assert WebhookLog.objects.filter(status="parked").count() == 1


def received(fields: dict[str, str], *, seconds_ago: float) -> Entry:
    """Put an alert into the log as if it had come that long ago."""
    entry = journal.append(
        _body(fields),
        correlation_id=uuid.uuid4(),
        received_at=datetime.now(UTC) - timedelta(seconds=seconds_ago),
        envelope={},
    ).wait()
    journal.release(entry.pk, book="", error="")
    return entry


def waited(seconds: float) -> None:
    """Have what is parked wait for so long already."""
    since = datetime.now(UTC) - timedelta(seconds=seconds)
    WebhookLog.objects.filter(status="parked").update(processed_at=since)
    Entry.objects.filter(status="parked").update(settled_at=since)


def _body(fields: dict[str, str]) -> bytes:
    return json.dumps(alert(**fields)).encode()


def statuses() -> list[tuple[str, str]]:
    return list(WebhookLog.objects.order_by("wal_id").values_list("status", "error_code"))


def test_past_park_seconds_it_fails(databases: None) -> None:
    received(EXIT, seconds_ago=61)
    list(replay(Choice()))
    waited(59)
    assert list(replay(Choice())) == []
    waited(61)
    (found,) = replay(Choice())
    assert found.outcome and found.outcome.log.status == "failed"
    assert statuses() == [("failed", "NO_OPEN_POSITION")]
    assert Entry.objects.get().status == "failed"


def test_before_park_seconds_it_waits_though_it_is_asked_for(post: Poster) -> None:
    parked = post(**EXIT)
    list(replay(Choice(entry_ids=frozenset({parked["wal_id"]}))))
    assert statuses() == [("parked", "NO_OPEN_POSITION")]


def test_after_an_outage_it_waits_from_when_it_was_parked(databases: None) -> None:
    """Its entry may be in another host's log, which is drained as late."""
    exit_entry = received(EXIT, seconds_ago=600)
    for _ in range(2):
        list(replay(Choice(entry_ids=frozenset({exit_entry.pk}))))
        list(replay(Choice()))
    assert statuses() == [("parked", "NO_OPEN_POSITION")]


def test_what_failed_does_not_wait_again(post: Poster, settings: Settings) -> None:
    settings.PARK_SECONDS = 0
    assert post(**EXIT)["status"] == "failed"
    settings.PARK_SECONDS = 60
    list(replay(Choice(failed=True)))
    assert statuses() == [("failed", "NO_OPEN_POSITION")]
    assert Entry.objects.get().status == "failed"


def test_an_entry_that_never_came_is_drift(databases: None) -> None:
    views = {"prev_market_position": "long", "prev_market_position_size": "1"}
    exit_entry = received(EXIT | views, seconds_ago=61)
    list(replay(Choice(entry_ids=frozenset({exit_entry.pk}))))
    assert not WebhookLog.objects.get(status="parked").drift, "it may still come"
    waited(61)
    list(replay(Choice()))
    assert WebhookLog.objects.get(status="failed").drift


def test_a_backlog_parks_by_the_times_of_receipt(databases: None) -> None:
    """An hour later, what came 30 seconds apart still belongs together."""
    received(EXIT, seconds_ago=3600)
    received({}, seconds_ago=3570)
    call_command("replay_wal", stdout=StringIO())
    assert Trade.objects.count() == 1
    assert Lot.objects.get().status == "closed"


def test_an_entry_too_late_for_a_parked_exit_stays_open(databases: None) -> None:
    received(EXIT, seconds_ago=3600)
    received({}, seconds_ago=3500)
    call_command("replay_wal", stdout=StringIO())
    assert statuses() == [("parked", "NO_OPEN_POSITION"), ("processed", "")]
    waited(61)
    with pytest.raises(SystemExit, match="1"):
        call_command("replay_wal", stdout=StringIO())
    assert statuses() == [("failed", "NO_OPEN_POSITION"), ("processed", "")]
    assert Lot.objects.get().status == "open"
    assert not Trade.objects.exists()


def test_waiting_is_not_given_up_while_its_entry_is_still_in_the_log(databases: None) -> None:
    exit_entry = received(EXIT, seconds_ago=90)
    list(replay(Choice(entry_ids=frozenset({exit_entry.pk}))))
    assert statuses() == [("parked", "NO_OPEN_POSITION")]
    waited(61)
    received({}, seconds_ago=40)
    # Asked for the exit alone, it first lets the entry through that came in time.
    list(replay(Choice(entry_ids=frozenset({exit_entry.pk}))))
    assert statuses() == [("processed", ""), ("processed", "")]
    assert Trade.objects.count() == 1


def test_an_exit_whose_mark_was_lost_still_waits_for_its_entry(databases: None) -> None:
    exit_entry = received(EXIT, seconds_ago=90)
    list(replay(Choice(entry_ids=frozenset({exit_entry.pk}))))
    assert statuses() == [("parked", "NO_OPEN_POSITION")]
    waited(61)
    # Its process died before the mark, or somebody read the log before it.
    Entry.objects.filter(pk=exit_entry.pk).update(status="pending")
    received({}, seconds_ago=40)
    call_command("replay_wal", stdout=StringIO())
    assert statuses() == [("processed", ""), ("processed", "")]
    assert Trade.objects.count() == 1
