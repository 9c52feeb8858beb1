"""When the service had an alert that came by mail."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from wal.arrival import first_id, had_at

SENT = datetime(2026, 1, 5, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def test_a_mails_id_tells_when_it_was_taken_up() -> None:
    before = datetime.now(UTC) - MILLISECOND
    name = uuid7()
    after = datetime.now(UTC) + MILLISECOND
    assert before <= had_at(name, SENT, via_mail=True) <= after
    assert first_id(before) < name < first_id(after)
    assert had_at(name, SENT, via_mail=False) == SENT


def test_an_id_without_a_time_tells_nothing() -> None:
    assert had_at(uuid.uuid4(), SENT, via_mail=True) == SENT
