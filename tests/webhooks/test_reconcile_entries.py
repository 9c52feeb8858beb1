"""Entries of the log that webhook_logs does not know, or that nobody applied."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import Settings

from positions.models import Lot, Reconciliation
from tests.alerts import Poster, alert
from tests.factories import EntryFactory, StrategyFactory
from tests.webhooks.test_laws import empty_tables
from tests.webhooks.test_parking import waited
from tests.webhooks.test_reconcile import ago, log
from tests.webhooks.test_rollback import EXIT, refusing
from trades.models import Strategy, Trade
from trades.whole_rows import whole_rows
from wal.models import Entry, EntryStatus
from webhooks.models import WebhookLog
from webhooks.pipeline import settle_through
from webhooks.reconcile import find, mend


def apply_live(entry: Entry) -> None:
    """Apply an entry as a request does, without what replay does for what waits too long."""
    settle_through(entry, patience=0)


def told(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[Any]]:
    """The states of the rows, where they have any, by table."""
    return {table: sorted(row.get("status") for row in found) for table, found in rows.items()}


@pytest.mark.parametrize("status", ["pending", "expired claim", "clock put back", "parked"])
def test_an_entry_that_is_stuck_gets_its_effect(databases: None, status: str) -> None:
    fields = {"action": "exit"} if status == "parked" else {}
    entry = log(alert(**fields), received_at=ago(seconds=130))
    if status == "parked":
        apply_live(entry)
        assert find() == [], "its entry may lie in another host's log"
        waited(63)
    elif status != "pending":
        end = ago(seconds=1 if status == "expired claim" else -3600)
        Entry.objects.update(status="processing", claimed_by="a dead one", claimed_until=end)
    (finding,) = find()
    assert (finding.kind, finding.entries, finding.mendable) == ("entry_stuck", (entry.pk,), True)
    assert (finding.strategy, finding.symbol) == ("Alpha", "BINANCE:BTCUSDT")
    (mended,), left = mend()
    assert (mended.findings, left) == ((finding,), [])
    assert mended.reconciliation == Reconciliation.objects.get().pk
    entry.refresh_from_db()
    assert entry.status == ("failed" if status == "parked" else "completed")


def test_what_is_young_is_not_stuck(databases: None) -> None:
    log(alert(), received_at=ago(seconds=1))
    parked = log(alert(action="exit", symbol="BTC"), received_at=ago(seconds=30))
    apply_live(parked)
    assert find() == []


def test_a_claim_that_is_alive_is_not_stuck(databases: None, settings: Settings) -> None:
    settings.LEASE_SECONDS = 5
    log(alert(), received_at=ago(seconds=600))
    Entry.objects.update(status="processing", claimed_until=ago(seconds=-5))
    assert find() == []


def test_a_restored_database_gets_its_alerts_again(post: Poster) -> None:
    """The main database is older than the log, as after a backup was put back."""
    post()
    post(action="sell", price="110", time="2026-01-05T15:00:00Z")
    post(action="nonsense")
    right = [(trade.pnl, trade.exit_price) for trade in Trade.objects.all()]
    empty_tables()
    found = find()
    assert {finding.kind for finding in found} == {"entry_without_row"}
    assert len(found) == 3
    assert all(finding.mendable for finding in found)
    _, left = mend()
    assert left == []
    assert [(trade.pnl, trade.exit_price) for trade in Trade.objects.all()] == right
    assert WebhookLog.objects.count() == 3
    records = Reconciliation.objects.order_by("id")
    assert ["strategies" in record.after for record in records] == [True, False, False]


def test_what_was_refused_does_not_take_effect_after_all(post: Poster) -> None:
    StrategyFactory(name="Alpha", enabled=False)
    assert post().code == "STRATEGY_DISABLED"
    WebhookLog.objects.all().delete()
    Strategy.objects.update(enabled=True)
    mended, (finding,) = mend()
    assert (mended, finding.kind, finding.mendable) == ([], "entry_without_row", False)
    assert not Lot.objects.exists()


@pytest.mark.parametrize("wrong", [EntryStatus.FAILED, EntryStatus.PARKED, EntryStatus.DUPLICATE])
def test_an_entry_marked_otherwise_is_marked_as_its_alert(post: Poster, wrong: EntryStatus) -> None:
    answer = post()
    Entry.objects.update(status=wrong)
    assert find() == [], "a live server may be about to mark it"
    WebhookLog.objects.update(received_at=ago(seconds=63), processed_at=ago(seconds=63))
    (finding,) = find()
    assert (finding.kind, finding.entries, finding.alerts, finding.mendable) == (
        "entry_marked_otherwise",
        (answer["wal_id"],),
        (answer["webhook_log_id"],),
        True,
    )
    _, left = mend()
    assert left == []
    assert Entry.objects.get().status == "completed"
    assert Lot.objects.count() == 1
    record = Reconciliation.objects.get()
    assert told(record.before) == {"webhook_wal": [wrong]}
    assert told(record.after) == {"webhook_wal": ["completed"]}


def test_a_duplicates_first_alert_must_be_there(post: Poster) -> None:
    post()
    duplicate = post()
    assert duplicate["status"] == "duplicate"
    assert find() == []
    entry = Entry.objects.get(status="duplicate")
    Entry.objects.filter(pk=entry.pk).update(webhook_log_id=987654)
    (finding,) = find()
    assert (finding.kind, finding.entries) == ("entry_without_row", (entry.pk,))


def test_a_parked_exit_without_an_entry_stops_waiting(databases: None) -> None:
    apply_live(log(alert(action="exit"), received_at=ago(seconds=130)))
    waited(63)
    assert [finding.kind for finding in find()] == ["entry_stuck"]
    Entry.objects.all().delete()
    assert [finding.kind for finding in find()] == ["parked_without_entry"]
    _, left = mend()
    assert left == []
    log_row = WebhookLog.objects.get()
    assert (log_row.status, log_row.error_code) == ("failed", "NO_OPEN_POSITION")
    record = Reconciliation.objects.get()
    assert told(record.before) == {"webhook_logs": ["parked"]}
    assert told(record.after) == {"webhook_logs": ["failed"]}


def test_what_an_entrys_effect_changed_is_recorded(post: Poster) -> None:
    post(quantity="3")
    opened = Lot.objects.get()
    entry = log(alert(action="sell", quantity="1", price="110"), received_at=ago(seconds=130))
    (mended,), left = mend()
    assert left == []
    record = Reconciliation.objects.get()
    assert record.strategy == opened.strategy
    assert record.symbol == opened.symbol
    assert record.findings == [json.loads(json.dumps(mended.findings[0].as_json()))]
    assert told(record.before) == {"open_positions": ["open"], "webhook_wal": ["pending"]}
    (was,) = record.before["open_positions"]
    assert (was["id"], was["quantity"]) == (opened.pk, "3")
    rest, closed = sorted(record.after["open_positions"], key=lambda row: row["status"] != "open")
    assert (rest["id"], rest["quantity"]) == (opened.pk, "2")
    assert (closed["quantity"], closed["trade_id"]) == ("1", Trade.objects.get().pk)
    assert record.after["trades"] == whole_rows(Trade.objects.all())
    assert record.after["webhook_logs"] == whole_rows(WebhookLog.objects.filter(wal_id=entry.pk))
    (mark,) = record.after["webhook_wal"]
    assert (mark["id"], mark["status"]) == (entry.pk, "completed")
    assert "body" not in mark


def test_what_it_lets_through_is_recorded_with_it(databases: None) -> None:
    exit_entry = log(alert(action="exit", time=None), received_at=ago(seconds=20))
    apply_live(exit_entry)
    entry = log(alert(time=None), received_at=ago(seconds=10))
    (mended,), left = mend()
    assert (mended.findings[0].entries, left) == ((entry.pk,), [])
    record = Reconciliation.objects.get()
    assert told(record.before) == {
        "webhook_logs": ["parked"],
        "webhook_wal": ["parked", "pending"],
    }
    assert told(record.after) == {
        "open_positions": ["closed"],
        "trades": [None],
        "webhook_logs": ["processed", "processed"],
        "webhook_wal": ["completed", "completed"],
    }


@pytest.mark.parametrize(
    ("fields", "bound_to", "symbol"),
    [
        pytest.param({"price": "NaN"}, [], "", id="unread"),
        pytest.param({}, ["Beta"], "BINANCE:BTCUSDT", id="not allowed"),
    ],
)
def test_the_record_of_an_entry_without_a_book_has_no_strategy(
    databases: None, fields: dict[str, str], bound_to: list[str], symbol: str
) -> None:
    EntryFactory(
        body=json.dumps(alert(**fields)).encode(),
        envelope={"strategies": bound_to},
        received_at=ago(seconds=130),
    )
    _, left = mend()
    assert left == []
    record = Reconciliation.objects.get()
    assert (record.strategy, record.symbol) == (None, symbol)
    assert [finding["kind"] for finding in record.findings] == ["entry_stuck"]
    assert told(record.before) == {"webhook_wal": ["pending"]}
    assert told(record.after) == {"webhook_logs": ["rejected"], "webhook_wal": ["failed"]}


def test_what_stays_in_the_log_is_not_recorded(post: Poster) -> None:
    post()
    with refusing("INSERT", "trades"):
        log(alert(**EXIT), received_at=ago(seconds=130))
        mended, (finding,) = mend()
    assert (mended, finding.kind) == ([], "entry_stuck")
    assert not Reconciliation.objects.exists()
