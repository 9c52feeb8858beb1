"""When the service had an alert that came by mail."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from wal.arrival import had_at

SENT = datetime(2026, 1, 5, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def named_at(moment: datetime) -> uuid.UUID:
    """An id of version 7 that was given then."""
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62)


def test_a_mails_id_tells_when_it_was_taken_up() -> None:
    before = datetime.now(UTC) - MILLISECOND
    name = uuid7()
    after = datetime.now(UTC) + MILLISECOND
    assert before <= had_at(name, SENT, via_mail=True) <= after
    assert had_at(named_at(SENT), before, via_mail=True) == SENT
    assert had_at(name, SENT, via_mail=False) == SENT


def test_an_id_without_a_time_tells_nothing() -> None:
    assert had_at(uuid.uuid4(), SENT, via_mail=True) == SENT
