"""Entries of the log that webhook_logs does not know, or that nobody applied."""

from __future__ import annotations

import pytest

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.factories import StrategyFactory
from tests.webhooks.test_laws import empty_tables
from tests.webhooks.test_parking import waited
from tests.webhooks.test_reconcile import ago, log
from trades.models import Strategy, Trade
from wal.models import Entry, EntryStatus
from webhooks.models import WebhookLog
from webhooks.pipeline import settle_through
from webhooks.reconcile import find, mend


def apply_live(entry: Entry) -> None:
    """Apply an entry as a request does, without what replay does for what waits too long."""
    settle_through(entry, patience=0)


@pytest.mark.parametrize("status", ["pending", "expired claim", "parked"])
def test_an_entry_that_is_stuck_gets_its_effect(databases: None, status: str) -> None:
    fields = {"action": "exit"} if status == "parked" else {}
    entry = log(alert(**fields), received_at=ago(seconds=130))
    if status == "parked":
        apply_live(entry)
        assert find() == [], "its entry may lie in another host's log"
        waited(63)
    elif status == "expired claim":
        Entry.objects.update(
            status="processing", claimed_by="a dead one", claimed_until=ago(seconds=1)
        )
    (finding,) = find()
    assert (finding.kind, finding.entries, finding.mendable) == ("entry_stuck", (entry.pk,), True)
    assert (finding.strategy, finding.symbol) == ("Alpha", "BINANCE:BTCUSDT")
    (mended,), left = mend()
    assert (mended.findings, mended.reconciliation, left) == ((finding,), None, [])
    entry.refresh_from_db()
    assert entry.status == ("failed" if status == "parked" else "completed")


def test_what_is_young_is_not_stuck(databases: None) -> None:
    log(alert(), received_at=ago(seconds=1))
    parked = log(alert(action="exit", symbol="BTC"), received_at=ago(seconds=30))
    apply_live(parked)
    assert find() == []


def test_a_claim_that_is_alive_is_not_stuck(databases: None) -> None:
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
