"""Entries that nobody has read yet."""

from __future__ import annotations

import math

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from tests.factories import EntryFactory
from wal.line import to_read
from wal.models import Entry

BODIES = [b"{}", b"", b"\x00\xff'\"\\", "ü€".encode(), b"x" * 70_000]
ENVELOPES = [{}, {"given_key": "ü'\"€\\"}, {"strategies": ["A", "B"], "via_mail": True}]


def told(entry: Entry) -> tuple[object, ...]:
    return entry.pk, entry.correlation_id, bytes(entry.body), entry.envelope


@pytest.mark.parametrize("count", [0, 1, 250])
def test_they_are_told_as_they_came(databases: None, count: int) -> None:
    entries = [
        EntryFactory.build(body=BODIES[n % len(BODIES)], envelope=ENVELOPES[n % len(ENVELOPES)])
        for n in range(count)
    ]
    Entry.objects.bulk_create(entries)
    EntryFactory()
    with CaptureQueriesContext(connections["wal"]) as asked:
        read = list(to_read([entry.pk for entry in entries]))
    assert sorted(map(told, read)) == [told(entry) for entry in entries]
    # A hundred at a time: however many wait, what is held of them stays small.
    assert len(asked) == math.ceil(count / 100)
