"""A trade that an export has and we do not is missing for a reason, and it is told."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from tests.alerts import Poster, alert
from tests.factories import EntryFactory, RefusalFactory
from tests.trades.export_files import Listed
from tests.webhooks.exported_trades import (
    FIRST,
    SECOND,
    both,
    export_of,
    listed,
    post_entry,
    post_exit,
)
from trades.models import Strategy
from wal.models import Entry
from webhooks.export_causes import CauseKind
from webhooks.export_comparison import Choice, compare
from webhooks.models import WebhookLog


def cause() -> Any:
    comparison = both(strategy="Alpha", symbol="BINANCE:BTCUSDT", time_zone="UTC")
    (missing,) = comparison.missing_here
    assert missing.theirs.trades == (2,)
    return missing.cause


def test_no_alert_came(first: Poster) -> None:
    found = cause()
    assert (found.kind, found.order) == (CauseKind.NO_ALERT, "entry")
    assert found.sentence.startswith("No alert for its entry came.")
    assert (found.alerts, found.entries, found.refusals) == ((), (), ())


def test_pruned_alerts_are_thought_of(first: Poster) -> None:
    assert "pruned" in cause().sentence
    recent = timezone.now().replace(microsecond=0, tzinfo=None) - timedelta(days=3)
    young = Listed(
        3, "long", Decimal(1), recent, Decimal(9), recent + timedelta(hours=1), Decimal(9)
    )
    comparison = compare(export_of(FIRST, young), Choice("Alpha", "BINANCE:BTCUSDT", "UTC"))
    assert comparison.missing_here[0].cause.sentence == "No alert for its entry came."


def test_no_exit_alert_came(first: Poster) -> None:
    post_entry(first)
    comparison = both(strategy="Alpha", symbol="BINANCE:BTCUSDT", time_zone="UTC")
    # The lot is open here and closed there.
    (pair,) = comparison.differing
    assert [one.field for one in pair.differences] == ["exit_time", "exit_price"]


@pytest.mark.parametrize("row_says_whose", [True, False])
def test_it_came_and_could_not_be_read(first: Poster, row_says_whose: bool) -> None:
    answer = post_entry(first, quantity="-1")
    assert answer.code == "INVALID_PAYLOAD"
    if not row_says_whose:
        # As rows were before they did.
        log = WebhookLog.objects.filter(pk=answer["webhook_log_id"])
        assert log.update(strategy="", symbol="", order_time=None) == 1
    found = cause()
    assert (found.kind, found.code, found.order) == (
        CauseKind.FAILED,
        "INVALID_PAYLOAD",
        "entry",
    )
    assert found.alerts == (answer["webhook_log_id"],)
    assert "INVALID_PAYLOAD" in found.sentence


def test_it_came_as_no_json(first: Poster) -> None:
    broken = json.dumps(alert(price="123.5"))[:-1]
    answer = first(broken)
    assert answer.code == "INVALID_JSON"
    # It tells no time; when it came decides.
    moment = SECOND.entry_time.replace(tzinfo=UTC)
    WebhookLog.objects.filter(pk=answer["webhook_log_id"]).update(received_at=moment)
    found = cause()
    assert (found.kind, found.code) == (CauseKind.FAILED, "INVALID_JSON")


def test_it_came_while_the_strategy_was_disabled(first: Poster) -> None:
    Strategy.objects.update(enabled=False)
    answer = post_entry(first)
    found = cause()
    assert (found.kind, found.alerts) == (
        CauseKind.STRATEGY_DISABLED,
        (answer["webhook_log_id"],),
    )


def test_it_came_within_the_bar(first: Poster) -> None:
    """A stop was hit 17 minutes after the bar of half an hour began, and `timenow` tells that."""
    Strategy.objects.update(enabled=False)
    then: dict[str, Any] = {"time": None, "timenow": "2026-01-05T14:47:20Z"}
    other = post_entry(first, price="123.6", **then)
    answer = post_entry(first, **then)
    assert (other.code, answer.code) == ("STRATEGY_DISABLED",) * 2
    found = cause()
    assert (found.kind, found.alerts) == (
        CauseKind.STRATEGY_DISABLED,
        (answer["webhook_log_id"],),
    )


def test_it_came_as_a_test(first: Poster) -> None:
    answer = post_entry(first, is_test=True)
    found = cause()
    assert (found.kind, found.alerts) == (CauseKind.TEST, (answer["webhook_log_id"],))


def test_its_exit_is_parked(first: Poster) -> None:
    """What the alert for its entry did was to close what was open, so its exit waits."""
    short = listed(9, "11:00", "14:30", entry_price=Decimal(130), direction="short")
    post_entry(first, short)
    post_entry(first)
    parked = post_exit(first, action="exit_long")
    assert parked["status"] == "parked"
    found = cause()
    assert (found.kind, found.order, found.alerts) == (
        CauseKind.PARKED,
        "exit",
        (parked["webhook_log_id"],),
    )


def test_what_happened_to_its_entry_comes_first(first: Poster) -> None:
    assert post_exit(first, action="exit_long")["status"] == "parked"
    assert (cause().kind, cause().order) == (CauseKind.NO_ALERT, "entry")


def test_it_was_refused_by_rate(first: Poster) -> None:
    moment = SECOND.entry_time.replace(tzinfo=UTC)
    tries = [
        RefusalFactory(refused_at=moment + timedelta(seconds=5 * number)).pk for number in range(4)
    ]
    RefusalFactory(refused_at=moment, book="Beta\x1fBINANCE:BTCUSDT")
    RefusalFactory(refused_at=moment - timedelta(hours=2))
    found = cause()
    assert (found.kind, found.refusals) == (CauseKind.REFUSED_BY_RATE, tuple(tries))


def test_it_is_still_in_the_log(first: Poster) -> None:
    entry = EntryFactory(
        body=json.dumps(alert(price="123.5", time=SECOND.entry_time.isoformat())).encode()
    )
    other = alert(price="123.5", strategy="Beta", time=SECOND.entry_time.isoformat())
    EntryFactory(body=json.dumps(other).encode())
    found = cause()
    assert (found.kind, found.entries) == (CauseKind.QUEUED, (entry.pk,))
    assert f"log entry {entry.pk}" in found.sentence
    comparison = both(strategy="Alpha", symbol="BINANCE:BTCUSDT", time_zone="UTC")
    # It will come by itself.
    assert not comparison.importable
    assert Entry.objects.get(pk=entry.pk).status == "pending"


def test_it_was_applied_to_another_position(first: Poster) -> None:
    """A short position was open, so that the buy closed it; its own exit then opened one."""
    short = listed(9, "11:00", "14:30", entry_price=Decimal(130), direction="short")
    assert post_entry(first, short)["status"] == "processed"
    entered, left = post_entry(first), post_exit(first)
    comparison = both(strategy="Alpha", symbol="BINANCE:BTCUSDT", time_zone="UTC")
    (missing,) = comparison.missing_here
    assert (missing.cause.kind, missing.cause.order) == (CauseKind.APPLIED_OTHERWISE, "")
    assert set(missing.cause.alerts) == {entered["webhook_log_id"], left["webhook_log_id"]}


def test_the_exit_failed(first: Poster) -> None:
    """The entry only closed what was open, and its exit was rejected."""
    short = listed(9, "11:00", "14:30", entry_price=Decimal(130), direction="short")
    post_entry(first, short)
    post_entry(first)
    answer = post_exit(first, price="none")
    found = cause()
    assert (found.kind, found.order, found.alerts) == (
        CauseKind.FAILED,
        "exit",
        (answer["webhook_log_id"],),
    )


def test_an_alert_of_the_other_side_is_not_its_entry(first: Poster) -> None:
    post_entry(first, action="sell", is_test=True)
    assert cause().kind is CauseKind.NO_ALERT
