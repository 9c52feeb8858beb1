"""Entries as tests put them into the log."""

from __future__ import annotations

import uuid

from django.utils import timezone

from wal import journal
from wal.models import Entry, EntryStatus
from wal.statements import Mark


def append(body: bytes = b"{}") -> Entry:
    return append_soon(body).wait()


def append_soon(body: bytes = b"{}") -> journal.Appending:
    return journal.append(
        body, correlation_id=uuid.uuid4(), received_at=timezone.now(), envelope={"token": "t"}
    )


def completed(entry: Entry, log_id: int | None) -> Mark:
    return Mark(
        entry.pk, entry.correlation_id, EntryStatus.COMPLETED, book="b", webhook_log_id=log_id
    )
