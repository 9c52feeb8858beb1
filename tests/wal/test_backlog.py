"""What waits in the log, and what it noted lately."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import EntryFactory, RefusalFactory
from wal.backlog import backlog
from wal.models import EntryStatus

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def in_the_log(databases: None) -> None:
    pass


def test_everything_that_waits_is_counted_with_its_oldest() -> None:
    for hours in (5, 900):
        EntryFactory(status="pending", received_at=NOW - hours * HOUR)
    EntryFactory(status="parked", received_at=NOW - HOUR)
    EntryFactory(status="completed", received_at=NOW - 1000 * HOUR)
    found = backlog(since=NOW - HOUR, until=NOW)
    assert [(each.status, each.entries, each.oldest) for each in found.waiting] == [
        (EntryStatus.PENDING, 2, NOW - 900 * HOUR),
        (EntryStatus.PROCESSING, 0, None),
        (EntryStatus.PARKED, 1, NOW - HOUR),
    ]
    assert found.entries == 3
    assert found.oldest == NOW - 900 * HOUR


def test_an_exit_waits_since_it_was_parked() -> None:
    """After an outage its own entry may have to be drained from another host's log."""
    EntryFactory(status="parked", received_at=NOW - 5 * HOUR, settled_at=NOW - HOUR)
    EntryFactory(status="parked", received_at=NOW - HOUR, settled_at=NOW)
    found = backlog(since=NOW - HOUR, until=NOW)
    assert found.oldest == NOW - HOUR
    assert found.overdue(NOW, soon=HOUR / 2, parking=HOUR) == ()
    assert [each.entries for each in found.overdue(NOW, soon=HOUR / 2, parking=HOUR / 3)] == [2]


def test_what_is_over_is_counted_from_its_time_on() -> None:
    for hours in (0.5, 2):
        EntryFactory(status="failed", received_at=NOW - hours * HOUR)
        EntryFactory(status="duplicate", received_at=NOW - hours * HOUR)
        EntryFactory(status="duplicate", received_at=NOW - hours * HOUR, last_error="another")
        EntryFactory(status="failed", received_at=NOW - hours * HOUR, last_error="too late")
        RefusalFactory(refused_at=NOW - hours * HOUR)
    found = backlog(since=NOW - HOUR, until=NOW)
    assert (found.failed, found.duplicates, found.doubtful, found.refused) == (2, 2, 1, 1)
    assert (found.entries, found.oldest) == (0, None)
    whole = backlog(since=NOW - 3 * HOUR, until=NOW)
    assert (whole.failed, whole.duplicates, whole.doubtful, whole.refused) == (4, 4, 2, 2)
